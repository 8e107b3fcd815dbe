#include "cli/check_text.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "common/text.h"

namespace tepui::cli {

namespace {

Result<uint32_t> parse_number(std::string_view what, std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  return fail(fmt::format("{} '{}' is not a number", what, text));
}

Result<void> read_target(std::string_view text, CheckInfo& check) {
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = colon == text.npos ? "" : text.substr(colon + 1);
  if (kind == "command") {
    check.command.value = rest;
    return {};
  }
  const size_t slash = rest.find('/');
  if (kind == "http") {
    check.type = CheckInfo::Type::kHttp;
    if (slash != rest.npos) check.path = rest.substr(slash);
    check.port = TRY(parse_number("port", rest.substr(0, slash)));
  } else if (kind == "tcp") {
    check.type = CheckInfo::Type::kTcp;
    check.port = TRY(parse_number("port", rest));
  } else {
    return fail(
        fmt::format("'{}' is not a check, expected one like http:8080/health, tcp:8080 or "
                    "command:test -e ready",
                    text));
  }
  return {};
}

// One NAME=VALUE of those that every check has; false: it is another one.
Result<bool> read_option(std::string_view name, std::string_view value, CheckInfo& check) {
  Duration* time = name == "delay"      ? &check.delay
                   : name == "interval" ? &check.interval
                   : name == "timeout"  ? &check.timeout
                                        : nullptr;
  if (time == nullptr) return false;
  *time = TRY(parse_duration(value));
  return true;
}

// read(name, value) answers whether it knows the name.
template <class Read>
Result<void> read_options(std::string_view text, std::string_view known, Read read) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const size_t equals = one.find('=');
    const std::string_view name = one.substr(0, equals);
    const std::string_view value = equals == one.npos ? "" : one.substr(equals + 1);
    if (!TRY(read(name, value))) {
      return fail(fmt::format("'{}' is not an option of a check, expected {}", one, known));
    }
  }
  return {};
}

}  // namespace

Result<CheckInfo> parse_check(std::string_view target, std::string_view options) {
  CheckInfo check;
  TRY(read_target(target, check));
  TRY(read_options(options, "delay=, interval= or timeout=",
                   [&check](std::string_view name, std::string_view value) {
                     return read_option(name, value, check);
                   }));
  TRY(validate(check));
  return check;
}

Result<HealthCheckInfo> parse_health_check(std::string_view target, std::string_view options) {
  HealthCheckInfo health;
  TRY(read_target(target, health.check));
  TRY(read_options(options, "delay=, interval=, timeout=, grace= or failures=",
                   [&health](std::string_view name, std::string_view value) -> Result<bool> {
                     if (name == "grace") {
                       health.grace_period = TRY(parse_duration(value));
                     } else if (name == "failures") {
                       health.consecutive_failures = TRY(parse_number("failures", value));
                     } else {
                       return read_option(name, value, health.check);
                     }
                     return true;
                   }));
  TRY(validate(health));
  return health;
}

}  // namespace tepui::cli
