#include "common/io/config.h"

#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/check.h"
#include "common/io/command_line.h"
#include "common/io/config_help.h"
#include "common/io/document.h"
#include "common/io/files.h"
#include "common/io/version.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr size_t kConfigBytesMax = 1 << 20;

bool is_list(OptionKind kind) { return kind == OptionKind::kList || kind == OptionKind::kTexts; }

Result<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return fail(fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

Result<void> check_one(const Option& option, std::string_view text) {
  switch (option.kind) {
    case OptionKind::kText:
      if (option.choices.empty() || std::ranges::find(option.choices, text) != option.choices.end())
        return {};
      return fail(fmt::format("'{}' is not one of {}", text, fmt::join(option.choices, ", ")));
    case OptionKind::kFlag:
      if (text == "true" || text == "false") return {};
      return fail(fmt::format("'{}' is neither true nor false", text));
    case OptionKind::kInteger: {
      const int64_t value = TRY(parse_integer(text));
      if (value >= option.minimum && value <= option.maximum) return {};
      if (option.maximum == INT64_MAX) {
        return fail(fmt::format("{} is below {}", value, option.minimum));
      }
      return fail(fmt::format("{} is not from {} to {}", value, option.minimum, option.maximum));
    }
    case OptionKind::kMilli:
      TRY(parse_milli(text));
      return {};
    case OptionKind::kDuration:
      TRY(parse_duration(text));
      return {};
    case OptionKind::kBytes:
      TRY(parse_bytes(text));
      return {};
    case OptionKind::kList:
    case OptionKind::kTexts:
      return {};
  }
  return {};
}

std::vector<std::string> split_at_commas(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    size_t begin = 0;
    while (begin <= text.size()) {
      const size_t end = std::min(text.find(',', begin), text.size());
      if (end > begin) parts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

Result<std::vector<std::string>> check_values(const Option& option,
                                              std::vector<std::string> texts) {
  if (option.kind == OptionKind::kList) texts = split_at_commas(texts);
  for (const std::string& text : texts) TRY(check_one(option, text));
  return texts;
}

// A value of the file as the text that a flag would have.
Result<std::string> text_of(const Option& option, const Document& document) {
  const Document::Value& value = document.value();
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (option.kind != OptionKind::kFlag && option.kind != OptionKind::kInteger) return *text;
  }
  if (const auto* truth = std::get_if<bool>(&value); truth != nullptr) {
    if (option.kind == OptionKind::kFlag) return *truth ? "true" : "false";
  }
  const bool number = option.kind == OptionKind::kInteger || option.kind == OptionKind::kMilli;
  if (const auto* integer = std::get_if<int64_t>(&value); integer != nullptr && number) {
    return fmt::format("{}", *integer);
  }
  if (const auto* real = std::get_if<double>(&value);
      real != nullptr && option.kind == OptionKind::kMilli) {
    return fmt::format("{}", *real);
  }
  const char* expected = "text in quotes";
  if (option.kind == OptionKind::kFlag) expected = "true or false";
  if (option.kind == OptionKind::kInteger) expected = "a whole number";
  if (option.kind == OptionKind::kMilli) expected = "a number";
  return fail(fmt::format("expected {}, found {}", expected, document.type_name()));
}

Result<std::vector<std::string>> texts_of(const Option& option, const Document& document) {
  std::vector<std::string> texts;
  if (!is_list(option.kind)) {
    texts.push_back(TRY(text_of(option, document)));
  } else if (const Document::List* list = document.list(); list != nullptr) {
    for (const Document& each : *list) texts.push_back(TRY(text_of(option, each)));
  } else if (const Document::Table* table = document.table(); table != nullptr) {
    // weights = { ops = 2 } says the same as --weights=ops=2.
    for (const auto& [key, member] : *table) {
      const auto* integer = std::get_if<int64_t>(&member.value());
      const auto* real = std::get_if<double>(&member.value());
      if (integer != nullptr) {
        texts.push_back(fmt::format("{}={}", key, *integer));
      } else if (real != nullptr) {
        texts.push_back(fmt::format("{}={}", key, *real));
      } else {
        texts.push_back(fmt::format("{}={}", key, TRY(text_of(option, member))));
      }
    }
  } else {
    texts.push_back(TRY(text_of(option, document)));
  }
  return texts;
}

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

// Puts the sources together, from the strongest to the weakest.
class Configuration {
 public:
  explicit Configuration(const Program& program) : program_(program) {}

  Result<Settings> read(const CommandLine& line) {
    TRY(choose_command(line));
    for (const Option& option : program_.options) options_.push_back(&option);
    TRY(take_flags(line));
    TRY(take_environment());
    std::string file;
    if (const auto flag = line.options.find("config"); flag != line.options.end()) {
      file = flag->second.back();
    } else if (const char* variable = getenv("TEPUI_CONFIG"); variable != nullptr) {
      file = variable;
    }
    if (!file.empty()) TRY(take_file(file));
    TRY(fill_in());
    return std::move(settings_);
  }

 private:
  Result<void> choose_command(const CommandLine& line) {
    settings_.command_ = line.command;
    settings_.positionals_ = {line.positionals.begin(), line.positionals.end()};
    settings_.rest_ = line.rest;
    if (program_.commands.empty()) return {};
    for (const Command& command : program_.commands) {
      if (command.name != line.command) continue;
      for (const Option& option : command.options) options_.push_back(&option);
      for (const Positional& each : command.positionals) {
        if (each.need == OptionNeed::kRequired && !line.positionals.contains(each.name)) {
          return fail(fmt::format("{} needs {}", command.name, each.name));
        }
        settings_.positionals_[each.name];
      }
      return {};
    }
    std::vector<std::string> names;
    for (const Command& command : program_.commands) names.push_back(command.name);
    return fail(fmt::format("a command is missing, one of {}", fmt::join(names, ", ")));
  }

  Result<void> take_flags(const CommandLine& line) {
    for (const Option* option : options_) {
      const auto given = line.options.find(option->name);
      if (given == line.options.end()) continue;
      const std::string where = "--" + option->name;
      if (!is_list(option->kind) && given->second.size() > 1) {
        return fail(fmt::format("{} is given twice", where));
      }
      TRY(set(*option, given->second, where));
    }
    return {};
  }

  Result<void> take_environment() {
    for (const Option* option : options_) {
      const std::string variable = environment_name(option->name);
      const char* text = getenv(variable.c_str());
      if (text == nullptr || settings_.values_.contains(option->name)) continue;
      TRY(set(*option, {text}, variable));
    }
    return {};
  }

  Result<void> take_file(const std::string& path) {
    auto text = read_file(path, kConfigBytesMax);
    if (!text) return std::unexpected(std::move(text).error().in("configuration"));
    const Document document = TRY(parse_toml(*text, path));
    for (const auto& [key, member] : *document.table()) {
      const std::string where = fmt::format("{}:{}: {}", path, member.line, key);
      const Option* option = find(key);
      if (option == nullptr) {
        // The keys of another command of this program may stand in the same file.
        if (belongs_to_a_command(key)) continue;
        return fail(
            fmt::format("{}:{}: unknown key '{}'{}", path, member.line, key, suggestion(key)));
      }
      auto texts = texts_of(*option, member);
      if (!texts) return std::unexpected(std::move(texts).error().in(where));
      if (!settings_.values_.contains(option->name)) {
        TRY(set(*option, *std::move(texts), where));
      } else if (auto checked = check_values(*option, *std::move(texts)); !checked) {
        return std::unexpected(std::move(checked).error().in(where));
      }
    }
    return {};
  }

  Result<void> fill_in() {
    for (const Option* option : options_) {
      if (settings_.values_.contains(option->name)) continue;
      if (option->need == OptionNeed::kRequired && option->fallback.empty()) {
        return fail(fmt::format("--{} is needed (or {}, or {} in a configuration file)",
                                option->name, environment_name(option->name), option->name));
      }
      Settings::Value value{.kind = option->kind};
      if (!option->fallback.empty()) {
        const auto texts = check_values(*option, {option->fallback});
        CHECK(texts.has_value());
        value.texts = *texts;
      }
      settings_.values_[option->name] = std::move(value);
    }
    return {};
  }

  Result<void> set(const Option& option, std::vector<std::string> texts, std::string_view where) {
    auto checked = check_values(option, std::move(texts));
    if (!checked) return std::unexpected(std::move(checked).error().in(where));
    settings_.values_[option.name] =
        Settings::Value{.kind = option.kind, .given = true, .texts = *std::move(checked)};
    return {};
  }

  const Option* find(std::string_view name) const {
    for (const Option* option : options_) {
      if (option->name == name) return option;
    }
    return nullptr;
  }

  bool belongs_to_a_command(std::string_view name) const {
    for (const Command& command : program_.commands) {
      for (const Option& option : command.options) {
        if (option.name == name) return true;
      }
    }
    return false;
  }

  std::string suggestion(std::string_view key) const {
    const Option* nearest = nullptr;
    size_t best = 4;
    for (const Option* option : options_) {
      const size_t far = distance(key, option->name);
      if (far < best) {
        best = far;
        nearest = option;
      }
    }
    return nearest == nullptr ? "" : fmt::format(", did you mean '{}'?", nearest->name);
  }

  const Program& program_;
  std::vector<const Option*> options_;
  Settings settings_;
};

std::expected<Settings, Ending> configure(const Program& program, int argc,
                                          const char* const* argv) {
  const auto refuse = [&program](const Error& error) {
    return std::unexpected(Ending{.code = 2,
                                  .text = fmt::format("{}: {} (see {} --help)\n", program.name,
                                                      error.message, program.name)});
  };
  const auto line = read_command_line(program, argc, argv);
  if (!line) return refuse(line.error());
  if (line->options.contains("help")) {
    return std::unexpected(Ending{.code = 0, .text = help_text(program, line->command)});
  }
  if (line->options.contains("version")) {
    return std::unexpected(
        Ending{.code = 0, .text = fmt::format("{} {}\n", program.name, version_text())});
  }
  auto settings = Configuration(program).read(*line);
  if (!settings) return refuse(settings.error());
  return *std::move(settings);
}

int print(const Ending& ending) {
  fputs(ending.text.c_str(), ending.code == 0 ? stdout : stderr);
  return ending.code;
}

std::string environment_name(std::string_view option) {
  std::string name = "TEPUI_";
  for (const char c : option) {
    const bool lower = c >= 'a' && c <= 'z';
    name.push_back(lower ? static_cast<char>(c - 'a' + 'A') : (c == '-' ? '_' : c));
  }
  return name;
}

const Settings::Value& Settings::at(std::string_view name, OptionKind kind) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end());
  CHECK(found->second.kind == kind);
  return found->second;
}

std::string Settings::single(std::string_view name, OptionKind kind) const {
  const Value& value = at(name, kind);
  return value.texts.empty() ? std::string() : value.texts.front();
}

bool Settings::given(std::string_view name) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end());
  return found->second.given;
}

std::string Settings::text(std::string_view name) const { return single(name, OptionKind::kText); }

bool Settings::flag(std::string_view name) const {
  return single(name, OptionKind::kFlag) == "true";
}

int64_t Settings::integer(std::string_view name) const {
  const std::string text = single(name, OptionKind::kInteger);
  return text.empty() ? 0 : parse_integer(text).value_or(0);
}

int64_t Settings::milli(std::string_view name) const {
  const std::string text = single(name, OptionKind::kMilli);
  return text.empty() ? 0 : parse_milli(text).value_or(0);
}

Duration Settings::duration(std::string_view name) const {
  const std::string text = single(name, OptionKind::kDuration);
  return text.empty() ? Duration{} : parse_duration(text).value_or(Duration{});
}

int64_t Settings::bytes(std::string_view name) const {
  const std::string text = single(name, OptionKind::kBytes);
  return text.empty() ? 0 : parse_bytes(text).value_or(0);
}

std::vector<std::string> Settings::list(std::string_view name) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end());
  CHECK(is_list(found->second.kind));
  return found->second.texts;
}

std::vector<std::string> Settings::positional(std::string_view name) const {
  const auto found = positionals_.find(name);
  CHECK(found != positionals_.end());
  return found->second;
}

}  // namespace tepui
