#pragma once
// The configuration of a program: one table of options, which a user may set by flag, by
// environment variable or by key of a TOML file, all under the same name.
//
//   --ping-timeout=15secs    TEPUI_PING_TIMEOUT=15secs    ping-timeout = "15secs"
//
// A flag wins over the environment, that over the file, that over the default. Everything is
// checked before the program starts anything: an unknown flag or key, a bad value, an unreadable
// file give one line that names the flag, the variable or file:line. --config FILE, --help and
// --version come by themselves.

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"

namespace tepui {

enum class OptionKind : uint8_t {
  kText,
  kFlag,      // --name, --name=false
  kInteger,   // from `minimum` to `maximum`
  kMilli,     // a decimal with up to three places: "1.5"
  kDuration,  // "10secs"
  kBytes,     // "2GB"
  kList,      // split at commas; may be repeated; a list or a table of names in the file
  kTexts,     // may be repeated, and is taken as it is; a list in the file
};

enum class OptionNeed : uint8_t { kOptional, kRequired };

struct Option {
  std::string name;  // "ping-timeout"
  OptionKind kind = OptionKind::kText;
  std::string fallback;  // as one would write it; empty: not given
  std::string help;      // one or two sentences
  std::string group = "Options";
  OptionNeed need = OptionNeed::kOptional;
  std::string letter;                // "f" for -f
  std::vector<std::string> choices;  // of a text
  int64_t minimum = 0;
  int64_t maximum = INT64_MAX;
};

struct Positional {
  std::string name;  // "FILE"
  std::string help;
  OptionNeed need = OptionNeed::kRequired;
  bool repeats = false;
};

struct Command {
  std::string name;
  std::string help;
  std::vector<Option> options;
  std::vector<Positional> positionals;
  // What the words after `--` are, "COMMAND [ARGUMENT...]"; empty: `--` is refused.
  std::string rest;
  std::string examples;
};

struct Program {
  std::string name;
  std::string description;
  std::string examples;
  std::vector<Option> options;
  std::vector<Command> commands;  // if there are any, one must be given
};

// Values that have been checked. Asking for an option that the table does not have, or by another
// kind than its own, is a CHECK.
class Settings {
 public:
  bool given(std::string_view name) const;  // by the user, in whatever way
  // An option that was not given and has no default: "", false, 0, nothing.
  std::string text(std::string_view name) const;
  bool flag(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  int64_t milli(std::string_view name) const;
  Duration duration(std::string_view name) const;
  int64_t bytes(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;

  const std::string& command() const { return command_; }
  std::vector<std::string> positional(std::string_view name) const;
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  friend class Configuration;

  struct Value {
    OptionKind kind = OptionKind::kText;
    bool given = false;
    std::vector<std::string> texts;  // one, or those of a list
  };
  const Value& at(std::string_view name, OptionKind kind) const;
  std::string single(std::string_view name, OptionKind kind) const;

  std::map<std::string, Value, std::less<>> values_;
  std::string command_;
  std::map<std::string, std::vector<std::string>, std::less<>> positionals_;
  std::vector<std::string> rest_;
};

// Why a program does not start: help or version was asked for (code 0), or bad usage (2).
struct Ending {
  int code = 0;
  std::string text;
};

std::expected<Settings, Ending> configure(const Program& program, int argc,
                                          const char* const* argv);
// Prints it (0: standard output, else standard error); the answer is main's exit code.
int print(const Ending& ending);

// TEPUI_PING_TIMEOUT
std::string environment_name(std::string_view option);

}  // namespace tepui
