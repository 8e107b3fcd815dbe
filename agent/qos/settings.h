#pragma once
// QosSettings is what an operator can tune of the controllers: which policy decides, by which rules
// it sees that somebody suffers, and what may be done to revocable work then.
//
// Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/qos/signals.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// What can be done, mildest first. All but the last two can be taken back.
enum class Step : uint8_t {
  kOfferLess,   // half of what is estimated to be unused is offered, then nothing
  kIdle,        // runs when nobody else wants the processor
  kCpuMax,      // half of the processors it uses, repeatedly, down to a floor
  kCpuset,      // on as few processors as its maximum needs
  kMemoryHigh,  // nine tenths of the memory it uses, repeatedly; the rest is reclaimed
  kIoMax,       // half of what it reads and writes, repeatedly
  kEgress,      // half of what it sends, repeatedly
  kFreeze,      // does not run at all
  kEvict,       // ends with its notice: SIGTERM, grace, the end
  kKill,        // ends at once
};
inline constexpr size_t kStepCount = 10;
std::string_view name_of(Step step);
inline bool is_reversible(Step step) { return step < Step::kEvict; }

enum class QosPolicyKind : uint8_t {
  kOff,
  kRules,     // the rules below
  kLoad,      // as Mesos' load controller: all revocable work is killed while the load is too high
  kSerenity,  // after Intel's Serenity for Mesos: the youngest are killed where use drops
};
std::string_view name_of(QosPolicyKind policy);

// One way to see that a container suffers which has paid for what it gets.
struct QosRule {
  std::string name;
  Signal signal = Signal::kCpuPressure;
  int64_t threshold = 0;  // suffers above it, in the unit of the signal
  int64_t recovery = 0;   // is well again below it; at most the threshold
  int64_t urgent = 0;     // above it whoever is to blame is frozen at once; 0: never
  Duration hold{};        // above the threshold for so long; zero: one sample is enough
  Duration calm = std::chrono::seconds(10);  // below recovery for so long, then a step is undone
  std::string role;  // of whom it is for: those whose role is this, or below it; empty: all
  bool operator==(const QosRule&) const = default;
};

struct QosLoad {  // of the machine, in thousandths, over 5 and 15 minutes; 0: not looked at
  int64_t threshold_5min_milli = 0;
  int64_t threshold_15min_milli = 0;
  bool operator==(const QosLoad&) const = default;
};

struct QosSerenity {
  int64_t drop_permille = 300;                   // of use, below what it was before
  int64_t readings = 10;                         // over so many
  Duration cooldown = std::chrono::seconds(20);  // after a kill
  bool operator==(const QosSerenity&) const = default;
};

struct QosSettings {
  QosPolicyKind policy = QosPolicyKind::kRules;
  std::vector<QosRule> rules;
  // For each contended resource what may be done, in this order.
  std::array<std::vector<Step>, kContendedCount> ladders;

  Duration step_gap = std::chrono::milliseconds(
      500);  // to see what the last one did; the signal's window, if that is longer
  int64_t corrections_per_minute = 120;
  int64_t evictions_per_hour = 30;
  int64_t cpu_floor_milli = 50;  // a maximum is not below that
  int64_t memory_floor_bytes = 64LL << 20;
  int64_t io_floor_kb = 256;                      // a second
  int64_t egress_floor_kb = 64;                   // a second
  Duration frozen_max = std::chrono::minutes(5);  // frozen work is evicted then, if it may be
  Duration innocent = std::chrono::minutes(1);    // nobody is corrected again for what did not help
  Duration calm_max = std::chrono::minutes(10);   // a calm that doubles with each relapse ends here
  QosLoad load;
  QosSerenity serenity;
  bool operator==(const QosSettings&) const = default;
};

// Bounds: kRulesMax rules with names of their own; the error says which value of which rule is
// wrong, and what is right.
inline constexpr size_t kRulesMax = 32;
Result<void> check(const QosSettings& settings);

// "conservative", "balanced" or "aggressive": how much of what was paid for may be felt by those
// who paid, for how much work more. The error lists the names.
Result<QosSettings> profile_named(std::string_view name);
inline constexpr std::array<std::string_view, 3> kProfiles = {"conservative", "balanced",
                                                              "aggressive"};

std::optional<Step> step_named(std::string_view name);
std::optional<QosPolicyKind> policy_named(std::string_view name);
std::optional<Contended> contended_named(std::string_view name);

}  // namespace tepui
