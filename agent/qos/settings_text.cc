#include "agent/qos/settings_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/text.h"

namespace tepui {

namespace {

constexpr int64_t kBytesPerKb = 1024;
constexpr std::string_view kDefaultProfile = "balanced";

// ------------------------------------------------------------------------------------- one value

Error wrong(const Entry& entry, std::string_view expected) {
  const std::string where = entry.line > 0 ? fmt::format("line {}: ", entry.line) : std::string();
  return {.message = fmt::format("{}qos.{}: expected {}", where, entry.path, expected)};
}

Result<int64_t> integer(const Entry& entry) {
  if (const auto* number = std::get_if<int64_t>(&entry.value)) return *number;
  return std::unexpected(wrong(entry, "a whole number"));
}

Result<std::string> text(const Entry& entry) {
  if (const auto* found = std::get_if<std::string>(&entry.value)) return *found;
  return std::unexpected(wrong(entry, "a text in quotes"));
}

Result<Duration> duration(const Entry& entry) {
  const auto* found = std::get_if<std::string>(&entry.value);
  const Result<Duration> parsed = found == nullptr ? fail("") : parse_duration(*found);
  if (!parsed) return std::unexpected(wrong(entry, "a time such as \"500ms\" or \"10secs\""));
  return *parsed;
}

Result<int64_t> bytes(const Entry& entry) {
  const auto* found = std::get_if<std::string>(&entry.value);
  const Result<int64_t> parsed = found == nullptr ? fail("") : parse_bytes(*found);
  if (!parsed) return std::unexpected(wrong(entry, "an amount such as \"64MB\""));
  return *parsed;
}

Result<int64_t> kilobytes(const Entry& entry) { return TRY(bytes(entry)) / kBytesPerKb; }

Result<int64_t> milli(const Entry& entry) {
  if (const auto* number = std::get_if<int64_t>(&entry.value)) {
    constexpr int64_t kMost = 1'000'000'000;
    if (*number >= 0 && *number <= kMost) return *number * 1000;
  }
  if (const auto* real = std::get_if<double>(&entry.value)) {
    constexpr double kMost = 1e9;
    if (*real >= 0 && *real <= kMost) return static_cast<int64_t>(*real * 1000 + 0.5);
  }
  return std::unexpected(wrong(entry, "a number such as 0.05"));
}

template <class T>
Result<T> one_of(const Entry& entry, std::optional<T> (*named)(std::string_view),
                 std::string_view expected) {
  const auto* found = std::get_if<std::string>(&entry.value);
  const std::optional<T> value = found == nullptr ? std::nullopt : named(*found);
  if (!value) return std::unexpected(wrong(entry, expected));
  return *value;
}

std::string signal_names() {
  std::string names;
  for (const SignalInfo& info : kSignals) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
  }
  return "one of " + names;
}

std::string step_names() {
  std::string names;
  for (size_t step = 0; step < kStepCount; ++step) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(static_cast<Step>(step)));
  }
  return "one of " + names;
}

// -------------------------------------------------------------------------------------- the keys

struct DurationKey {
  std::string_view name;
  Duration QosSettings::* member;
};
struct NumberKey {
  std::string_view name;
  int64_t QosSettings::* member;
  Result<int64_t> (*read)(const Entry&);
};

constexpr std::array kDurations = std::to_array<DurationKey>({
    {"step-gap", &QosSettings::step_gap},
    {"frozen-max", &QosSettings::frozen_max},
    {"innocent", &QosSettings::innocent},
    {"calm-max", &QosSettings::calm_max},
});
constexpr std::array kNumbers = std::to_array<NumberKey>({
    {"corrections-per-minute", &QosSettings::corrections_per_minute, &integer},
    {"evictions-per-hour", &QosSettings::evictions_per_hour, &integer},
    {"cpu-floor", &QosSettings::cpu_floor_milli, &milli},
    {"memory-floor", &QosSettings::memory_floor_bytes, &bytes},
    {"io-floor", &QosSettings::io_floor_kb, &kilobytes},
    {"egress-floor", &QosSettings::egress_floor_kb, &kilobytes},
});

// "rules[3].threshold" is of "rules", 3 and "threshold".
struct Path {
  std::string_view list;
  size_t place = 0;
  std::string_view key;
  bool is_empty = false;  // "rules[]": a list without items
};
std::optional<Path> listed(std::string_view path) {
  const size_t open = path.find('[');
  const size_t close = path.find(']');
  if (open == path.npos || close == path.npos || close < open) return std::nullopt;
  Path parts{.list = path.substr(0, open)};
  if (close == open + 1) {
    parts.is_empty = true;
    return parts;
  }
  const std::string_view number = path.substr(open + 1, close - open - 1);
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), parts.place);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) return std::nullopt;
  parts.key = path.substr(close + 1);
  if (parts.key.starts_with('.')) parts.key.remove_prefix(1);
  return parts;
}

Result<void> read_rule_key(const Entry& entry, std::string_view key, QosRule& rule) {
  if (key == "name") {
    rule.name = TRY(text(entry));
  } else if (key == "signal") {
    rule.signal = TRY(one_of<Signal>(entry, &signal_named, signal_names()));
  } else if (key == "threshold") {
    rule.threshold = TRY(integer(entry));
  } else if (key == "recovery") {
    rule.recovery = TRY(integer(entry));
  } else if (key == "urgent") {
    rule.urgent = TRY(integer(entry));
  } else if (key == "hold") {
    rule.hold = TRY(duration(entry));
  } else if (key == "calm") {
    rule.calm = TRY(duration(entry));
  } else if (key == "role") {
    rule.role = TRY(text(entry));
  } else {
    return std::unexpected(
        wrong(entry, "name, signal, threshold, recovery, urgent, hold, calm or role in a rule"));
  }
  return {};
}

class Reader {
 public:
  explicit Reader(QosSettings& settings) : settings_(settings) {}

  Result<void> read(const Entry& entry) {
    const std::string_view path = entry.path;
    if (path == "profile") return {};  // it came before all else
    if (path == "policy") {
      settings_.policy =
          TRY(one_of<QosPolicyKind>(entry, &policy_named, "off, rules, load or serenity"));
      return {};
    }
    for (const DurationKey& key : kDurations) {
      if (key.name != path) continue;
      settings_.*key.member = TRY(duration(entry));
      return {};
    }
    for (const NumberKey& key : kNumbers) {
      if (key.name != path) continue;
      settings_.*key.member = TRY(key.read(entry));
      return {};
    }
    if (path.starts_with("load.") || path.starts_with("serenity.")) return read_other(entry);
    if (path == "rules[]") {
      settings_.rules.clear();
      return {};
    }
    const std::optional<Path> parts = listed(path);
    if (parts && parts->list == "rules") return read_rule(entry, *parts);
    if (parts && parts->list.starts_with("ladders.")) return read_step(entry, *parts);
    return std::unexpected(unknown(entry));
  }

 private:
  static Error unknown(const Entry& entry) {
    std::string keys = "profile, policy";
    for (const DurationKey& key : kDurations) keys += fmt::format(", {}", key.name);
    for (const NumberKey& key : kNumbers) keys += fmt::format(", {}", key.name);
    return wrong(entry, keys + ", rules, ladders, load or serenity");
  }

  Result<void> read_other(const Entry& entry) {
    const std::string_view path = entry.path;
    if (path == "load.five-minutes") {
      settings_.load.threshold_5min_milli = TRY(milli(entry));
    } else if (path == "load.fifteen-minutes") {
      settings_.load.threshold_15min_milli = TRY(milli(entry));
    } else if (path == "serenity.drop-permille") {
      settings_.serenity.drop_permille = TRY(integer(entry));
    } else if (path == "serenity.readings") {
      settings_.serenity.readings = TRY(integer(entry));
    } else if (path == "serenity.cooldown") {
      settings_.serenity.cooldown = TRY(duration(entry));
    } else {
      return std::unexpected(wrong(entry,
                                   "load.five-minutes, load.fifteen-minutes, "
                                   "serenity.drop-permille, serenity.readings or "
                                   "serenity.cooldown"));
    }
    return {};
  }

  Result<void> read_rule(const Entry& entry, const Path& parts) {
    if (!std::exchange(own_rules_, true)) settings_.rules.clear();
    if (parts.place >= kRulesMax) {
      return std::unexpected(wrong(entry, fmt::format("at most {} rules", kRulesMax)));
    }
    if (parts.place >= settings_.rules.size()) {
      settings_.rules.resize(parts.place + 1);
      settings_.rules.back().name = fmt::format("rule {}", parts.place + 1);
    }
    return read_rule_key(entry, parts.key, settings_.rules[parts.place]);
  }

  Result<void> read_step(const Entry& entry, const Path& parts) {
    const std::optional<Contended> contended = contended_named(parts.list.substr(8));
    if (!contended || !parts.key.empty()) {
      return std::unexpected(wrong(entry, "ladders of cpu, memory, io or network"));
    }
    std::vector<Step>& ladder = settings_.ladders[static_cast<size_t>(*contended)];
    if (parts.place == 0) ladder.clear();
    if (parts.is_empty) return {};
    ladder.push_back(TRY(one_of<Step>(entry, &step_named, step_names())));
    return {};
  }

  QosSettings& settings_;
  bool own_rules_ = false;
};

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      result += '\\';
      result += each;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += each;
    }
  }
  return result + "\"";
}

std::string time_text(Duration value) { return quoted(to_text(value)); }

std::string decimal(int64_t value_milli) {
  return fmt::format("{}.{:03}", value_milli / 1000, value_milli % 1000);
}

std::string number_text(const NumberKey& key, int64_t value) {
  if (key.read == &milli) return decimal(value);
  if (key.read == &integer) return fmt::format("{}", value);
  return quoted(bytes_to_text(key.read == &kilobytes ? value * kBytesPerKb : value));
}

std::string rule_text(const QosRule& rule) {
  const SignalInfo& info = info_of(rule.signal);
  std::string result = "\n[[qos.rules]]\n";
  result += fmt::format("name = {}\n", quoted(rule.name));
  result += fmt::format("signal = \"{}\"  # {}: {}\n", info.name, info.unit, info.meaning);
  result += fmt::format("threshold = {}\nrecovery = {}\nurgent = {}\n", rule.threshold,
                        rule.recovery, rule.urgent);
  result += fmt::format("hold = {}\ncalm = {}\n", time_text(rule.hold), time_text(rule.calm));
  if (!rule.role.empty()) result += fmt::format("role = {}\n", quoted(rule.role));
  return result;
}

}  // namespace

Result<QosSettings> read_qos_settings(const Entries& entries) {
  std::string profile(kDefaultProfile);
  for (const Entry& entry : entries) {
    if (entry.path == "profile") profile = TRY(text(entry));
  }
  QosSettings settings = TRY(profile_named(profile));
  Reader reader(settings);
  for (const Entry& entry : entries) TRY(reader.read(entry));
  if (Result<void> checked = check(settings); !checked) {
    return std::unexpected(std::move(checked).error().in("qos"));
  }
  return settings;
}

std::string to_toml(const QosSettings& settings) {
  std::string result = "[qos]\n";
  result += fmt::format("policy = \"{}\"\n", name_of(settings.policy));
  for (const DurationKey& key : kDurations) {
    result += fmt::format("{} = {}\n", key.name, time_text(settings.*key.member));
  }
  for (const NumberKey& key : kNumbers) {
    result += fmt::format("{} = {}\n", key.name, number_text(key, settings.*key.member));
  }
  result += "\n[qos.load]\n";
  result += fmt::format("five-minutes = {}\nfifteen-minutes = {}\n",
                        decimal(settings.load.threshold_5min_milli),
                        decimal(settings.load.threshold_15min_milli));
  result += "\n[qos.serenity]\n";
  result += fmt::format("drop-permille = {}\nreadings = {}\ncooldown = {}\n",
                        settings.serenity.drop_permille, settings.serenity.readings,
                        time_text(settings.serenity.cooldown));
  result += "\n[qos.ladders]\n";
  for (size_t each = 0; each < kContendedCount; ++each) {
    std::string steps;
    for (const Step step : settings.ladders[each]) {
      steps += fmt::format("{}\"{}\"", steps.empty() ? "" : ", ", name_of(step));
    }
    result += fmt::format("{} = [{}]\n", name_of(static_cast<Contended>(each)), steps);
  }
  for (const QosRule& rule : settings.rules) result += rule_text(rule);
  return result;
}

}  // namespace tepui
