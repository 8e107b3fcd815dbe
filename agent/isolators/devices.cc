#include "agent/isolators/devices.h"

#include <fmt/format.h>

#include <charconv>

namespace tepui {

namespace {

// What the kernel has bits for.
constexpr uint32_t kMajorMax = (1 << 12) - 1;
constexpr uint32_t kMinorMax = (1 << 20) - 1;

// "3" or "*".
bool read_number(std::string_view text, uint32_t most, std::optional<uint32_t>& number) {
  if (text == "*") return true;
  uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value > most) return false;
  number = value;
  return true;
}

bool read_access(std::string_view text, DeviceRule& rule) {
  for (const char c : text) {
    bool& flag = c == 'r' ? rule.read : c == 'w' ? rule.write : rule.make;
    if ((c != 'r' && c != 'w' && c != 'm') || flag) return false;
    flag = true;
  }
  return !text.empty();
}

}  // namespace

Result<DeviceRule> parse_device_rule(std::string_view text) {
  DeviceRule rule;
  const size_t colon = text.find(':');
  const size_t gap = text.find(' ', 2);
  const bool shaped = (text.starts_with("c ") || text.starts_with("b ")) &&
                      colon != std::string_view::npos && gap != std::string_view::npos &&
                      colon < gap &&
                      read_number(text.substr(2, colon - 2), kMajorMax, rule.major) &&
                      read_number(text.substr(colon + 1, gap - colon - 1), kMinorMax, rule.minor) &&
                      read_access(text.substr(gap + 1), rule);
  if (!shaped) {
    return fail(fmt::format(
        "'{}' is no rule for devices; expected c or b, MAJOR:MINOR or *, and some of rwm, as "
        "'c 10:200 rw'",
        text));
  }
  rule.block = text.starts_with('b');
  return rule;
}

const std::vector<std::string>& default_devices() {
  static const std::vector<std::string> kRules = {
      "c 1:3 rwm",    // null
      "c 1:5 rwm",    // zero
      "c 1:7 rwm",    // full
      "c 5:0 rwm",    // tty
      "c 5:1 rwm",    // console
      "c 1:8 rwm",    // random
      "c 1:9 rwm",    // urandom
      "c 5:2 rwm",    // ptmx
      "c 136:* rwm",  // pts
  };
  return kRules;
}

void plan_devices(const IsolationInput& input, IsolationPlan& plan) {
  for (const std::string& rule : input.settings.devices) {
    plan.push_back({"devices", "devices.allow", rule});
  }
}

}  // namespace tepui
