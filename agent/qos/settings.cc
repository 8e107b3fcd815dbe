#include "agent/qos/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace tepui {

namespace {

constexpr std::array<std::string_view, kStepCount> kStepNames = {
    "offer-less", "idle",   "cpu-max", "cpuset", "memory-high",
    "io-max",     "egress", "freeze",  "evict",  "kill"};
constexpr std::array<std::string_view, 4> kPolicyNames = {"off", "rules", "load", "serenity"};

// Steps that do something about it when the resource is contended; those that end it always do.
bool fits(Step step, Contended contended) {
  switch (step) {
    case Step::kIdle:
    case Step::kCpuMax:
    case Step::kCpuset:
      return contended == Contended::kCpu;
    case Step::kMemoryHigh:
      return contended == Contended::kMemory;
    case Step::kIoMax:
      return contended == Contended::kIo;
    case Step::kEgress:
      return contended == Contended::kNetwork;
    case Step::kOfferLess:
    case Step::kFreeze:
    case Step::kEvict:
    case Step::kKill:
      return true;
  }
  return false;
}

Result<void> check(const QosRule& rule) {
  if (rule.name.empty() || rule.name.size() > 64) {
    return fail("a rule needs a name of 1 to 64 characters");
  }
  const auto wrong = [&rule](std::string what) {
    return fail(fmt::format("rule \"{}\": {}", rule.name, what));
  };
  if (rule.signal == Signal::kReportedLatency) {
    return wrong("no task can report its latency yet, so it would never suffer");
  }
  if (rule.threshold <= 0) return wrong("threshold must be above 0");
  if (rule.recovery < 0 || rule.recovery > rule.threshold) {
    return wrong(fmt::format("recovery must be between 0 and the threshold, {}", rule.threshold));
  }
  if (rule.urgent != 0 && rule.urgent < rule.threshold) {
    return wrong(
        fmt::format("urgent must be 0 (never) or at least the threshold, {}", rule.threshold));
  }
  if (rule.hold < Duration{} || rule.hold > std::chrono::hours(1)) {
    return wrong("hold must be between 0 and 1 h");
  }
  if (rule.calm < std::chrono::milliseconds(100) || rule.calm > std::chrono::hours(24)) {
    return wrong("calm must be between 100 ms and 24 h: without it corrections would oscillate");
  }
  return {};
}

Result<void> check_ladder(Contended contended, const std::vector<Step>& ladder) {
  for (size_t place = 0; place < ladder.size(); ++place) {
    if (!fits(ladder[place], contended)) {
      return fail(fmt::format("ladder of {}: {} does nothing about {}", name_of(contended),
                              name_of(ladder[place]), name_of(contended)));
    }
    if (place > 0 && ladder[place] <= ladder[place - 1]) {
      if (ladder[place] == ladder[place - 1]) {
        return fail(fmt::format("ladder of {}: {} is there twice", name_of(contended),
                                name_of(ladder[place])));
      }
      return fail(fmt::format("ladder of {}: {} is milder than {}, it must come before it",
                              name_of(contended), name_of(ladder[place]),
                              name_of(ladder[place - 1])));
    }
  }
  return {};
}

Result<void> between(std::string_view name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return fail(fmt::format("{} is {}: it must be between {} and {}", name, value, least, most));
}

Result<void> between(std::string_view name, Duration value, Duration least, Duration most) {
  constexpr int64_t kNsPerMs = 1'000'000;
  return between(fmt::format("{} in ms", name), value.count() / kNsPerMs, least.count() / kNsPerMs,
                 most.count() / kNsPerMs);
}

QosRule rule(std::string_view name, Signal signal, int64_t threshold, int64_t recovery,
             int64_t urgent, Duration hold, Duration calm) {
  return QosRule{.name = std::string(name),
                 .signal = signal,
                 .threshold = threshold,
                 .recovery = recovery,
                 .urgent = urgent,
                 .hold = hold,
                 .calm = calm,
                 .role = {}};
}

// The three profiles differ in how much is borne and for how long, and in how soon it is given
// back. `scale` is in percent of the balanced one.
QosSettings profile(int64_t scale, Duration hold, Duration calm, bool ends_work) {
  const auto scaled = [scale](int64_t value) { return value * scale / 100; };
  QosSettings settings;
  settings.rules = {
      rule("waits for a processor", Signal::kRunQueueLatency, scaled(4'000), scaled(2'000),
           scaled(50'000), hold, calm),
      rule("processors are contended", Signal::kCpuPressure, scaled(100), scaled(40), 0, hold,
           calm),
      rule("slower than usual", Signal::kCyclesPerInstruction, 100 + scaled(50), 100 + scaled(20),
           0, hold + std::chrono::seconds(1), calm),
      rule("memory is contended", Signal::kMemoryPressure, scaled(50), scaled(10), scaled(400),
           hold, calm),
      rule("reclaims memory", Signal::kReclaim, scaled(50), scaled(10), scaled(400), hold, calm),
      rule("devices are contended", Signal::kIoPressure, scaled(200), scaled(80), 0, hold, calm),
      rule("packets are lost", Signal::kRetransmissions, scaled(20), scaled(5), 0,
           hold + std::chrono::seconds(1), calm),
  };
  using enum Step;
  settings.ladders[static_cast<size_t>(Contended::kCpu)] = {kOfferLess, kIdle, kCpuMax, kFreeze};
  settings.ladders[static_cast<size_t>(Contended::kMemory)] = {kOfferLess, kMemoryHigh, kFreeze,
                                                               kEvict};
  settings.ladders[static_cast<size_t>(Contended::kIo)] = {kOfferLess, kIoMax, kFreeze};
  settings.ladders[static_cast<size_t>(Contended::kNetwork)] = {kOfferLess, kEgress, kFreeze};
  if (ends_work) {
    for (std::vector<Step>& ladder : settings.ladders) {
      if (ladder.back() != kEvict) ladder.push_back(kEvict);
    }
  }
  return settings;
}

template <class T, size_t N>
std::optional<T> named(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<T>(found - names.begin());
}

}  // namespace

std::string_view name_of(Step step) { return kStepNames[static_cast<size_t>(step)]; }
std::string_view name_of(QosPolicyKind policy) { return kPolicyNames[static_cast<size_t>(policy)]; }

std::optional<Step> step_named(std::string_view name) { return named<Step>(kStepNames, name); }
std::optional<QosPolicyKind> policy_named(std::string_view name) {
  return named<QosPolicyKind>(kPolicyNames, name);
}
std::optional<Contended> contended_named(std::string_view name) {
  for (size_t each = 0; each < kContendedCount; ++each) {
    if (name_of(static_cast<Contended>(each)) == name) return static_cast<Contended>(each);
  }
  return std::nullopt;
}

Result<void> check(const QosSettings& settings) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  if (settings.rules.size() > kRulesMax) {
    return fail(fmt::format("{} rules: at most {} are allowed", settings.rules.size(), kRulesMax));
  }
  std::set<std::string_view> names;
  for (const QosRule& rule : settings.rules) {
    TRY(check(rule));
    if (!names.insert(rule.name).second) {
      return fail(fmt::format("two rules have the name \"{}\"", rule.name));
    }
  }
  for (size_t each = 0; each < kContendedCount; ++each) {
    TRY(check_ladder(static_cast<Contended>(each), settings.ladders[each]));
  }
  TRY(between("step_gap", settings.step_gap, milliseconds(10), hours(1)));
  TRY(between("corrections_per_minute", settings.corrections_per_minute, 1, 100'000));
  TRY(between("evictions_per_hour", settings.evictions_per_hour, 0, 100'000));
  TRY(between("cpu_floor_milli", settings.cpu_floor_milli, 10, 1'000'000));
  TRY(between("memory_floor_bytes", settings.memory_floor_bytes, 1 << 20, int64_t{1} << 50));
  TRY(between("io_floor_kb", settings.io_floor_kb, 1, int64_t{1} << 40));
  TRY(between("egress_floor_kb", settings.egress_floor_kb, 1, int64_t{1} << 40));
  TRY(between("frozen_max", settings.frozen_max, std::chrono::seconds(1), hours(24)));
  TRY(between("innocent", settings.innocent, std::chrono::seconds(1), hours(24)));
  TRY(between("calm_max", settings.calm_max, milliseconds(100), hours(24)));
  TRY(between("load.threshold_5min_milli", settings.load.threshold_5min_milli, 0, 1'000'000'000));
  TRY(between("load.threshold_15min_milli", settings.load.threshold_15min_milli, 0, 1'000'000'000));
  TRY(between("serenity.drop_permille", settings.serenity.drop_permille, 1, 999));
  TRY(between("serenity.readings", settings.serenity.readings, 2, 32));
  return between("serenity.cooldown", settings.serenity.cooldown, milliseconds(100), hours(24));
}

Result<QosSettings> profile_named(std::string_view name) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  if (name == "conservative") return profile(50, Duration{}, seconds(30), true);
  if (name == "balanced") return profile(100, milliseconds(200), seconds(10), true);
  if (name == "aggressive") return profile(250, seconds(1), seconds(3), false);
  return fail(
      fmt::format("there is no profile \"{}\": there are {}", name, fmt::join(kProfiles, ", ")));
}

}  // namespace tepui
