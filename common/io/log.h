#pragma once
// Log writes LogRecords to a descriptor: for people, coloured on a terminal, or as one JSON object
// per line.
//
//   2026-11-22T19:00:00.123Z info  agent.added        agent=e3-a17 hostname=rack1-7
//   {"time":"2026-11-22T19:00:00.123Z","level":"info","event":"agent.added","agent":"e3-a17"}
//
// Lines are collected, and written when there are many, when one is a warning or worse, and when
// flush() is called, which the shell does once per second. A reader that is too slow does not stop
// the program: beyond a bound lines are dropped, and the next line that gets through says how many.
//
// Any thread. The spdlog library is named in log.cc only.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/events.h"
#include "common/io/config.h"
#include "common/io/reactor.h"
#include "common/time.h"

namespace tepui {

enum class LogFormat : uint8_t { kHuman, kJson };
enum class Colour : uint8_t { kNever, kOnTerminal };

class Log {
 public:
  struct Options {
    LogFormat format = LogFormat::kHuman;
    Severity level = Severity::kInfo;  // what is less severe is not written
    Colour colour = Colour::kOnTerminal;
    int fd = 2;
  };
  explicit Log(Options options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // --log-level and --log-format, for a program's table.
  static std::vector<Option> option_table();
  static Options options(const Settings& settings);

  // Cheap to ask before a record is put together.
  bool wants(Severity severity) const { return severity >= options_.level; }
  void write(WallTime time, const LogRecord& record);
  // Stamped with the time of this moment.
  void write(const LogRecord& record);
  // As describe() puts it.
  void write(const Event& event);
  void flush();
  // Flushes from time to time as long as the reactor turns. The log goes before the reactor.
  void flush_on(Reactor& reactor);

 private:
  class Sink;
  struct Logger;
  void on_time();

  const Options options_;
  std::unique_ptr<Logger> logger_;
  Reactor* reactor_ = nullptr;
  Timer<&Log::on_time> flush_timer_{*this};
};

// The line without its end, as Log writes it.
std::string human_line(WallTime time, const LogRecord& record, Colour colour);
std::string json_line(WallTime time, const LogRecord& record);

}  // namespace tepui
