#pragma once
// RevocablePool says how much revocable resource this agent has in all, lent or not: a fixed
// amount, or what an Estimator finds unused of what is allocated. The QoS controller may allow less
// of it to be offered.
//
// It speaks only where something has changed, and at most once in its interval; but what shrinks
// because less may be offered is said at once.
//
// Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/container_facts.h"
#include "agent/oversubscription/estimator.h"
#include "agent/sample.h"
#include "common/entries.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

enum class EstimatorKind : uint8_t {
  kNone,   // nothing is revocable
  kFixed,  // as much as is configured
  kPeak,   // what is allocated, less the peak that is predicted of it
};

struct OversubscriptionSettings {
  EstimatorKind kind = EstimatorKind::kNone;
  int64_t fixed_cpus_milli = 0;                  // of kFixed
  int64_t fixed_mem_milli = 0;                   // MB, in thousandths
  Duration interval = std::chrono::seconds(15);  // between two estimates
  EstimatorSettings estimator;
};

// Of the table [oversubscription]; paths begin below it. Errors name line and key.
//
//   estimator = "peak"             none, fixed or peak
//   cpus = 4, mem = "8GB"          of fixed
//   interval = "15secs"
//   cpu-predictor = "burst"        see agent/oversubscription/predictors.h
//   memory-predictor = "burst"
//   cpu-margin-permille = 20       of what is allocated, kept back
//   memory-margin-permille = 50
//   growth-time = "1hrs"           from nothing to all that is allocated
//   min-history = "30mins"         before that a task counts with its limit
//   max-silence = "15mins"         without a sample
Result<OversubscriptionSettings> read_oversubscription_settings(const Entries& entries);

class RevocablePool {
 public:
  // The settings are checked: reading them does that.
  explicit RevocablePool(const OversubscriptionSettings& settings);

  // What was learned of containers is lost where the estimator changes.
  void on_settings(const OversubscriptionSettings& settings);
  // New, or has other tasks.
  void on_container(const ContainerFacts& facts);
  void on_gone(const ContainerId& id);
  void on_sample(const ContainerId& id, const Sample& sample);
  // working_set_bytes() of it; without any its memory counts as used up to its limit.
  void on_working_set(const ContainerId& id, Instant at, int64_t bytes);

  // The whole pool, if it is another one than was said last. `cpu_permille` and `memory_permille`
  // of it may be offered.
  std::optional<Resources> propose(Instant now, int64_t cpu_permille, int64_t memory_permille);
  // Whether propose() will estimate anew: what is sampled seldom is wanted before that.
  bool is_due(Instant now) const { return now >= next_; }

  const Revocable& estimate() const { return estimate_; }
  const OversubscriptionSettings& settings() const { return settings_; }

 private:
  struct Member {
    TaskSlot slot = 0;
    std::optional<Sample> before;  // of the last estimate
    std::optional<Sample> latest;
  };

  void begin_estimator();
  void add(Member& member, const ContainerFacts& facts);
  void estimate_anew(Instant now);

  OversubscriptionSettings settings_;
  std::optional<Estimator> estimator_;
  std::map<ContainerId, Member> members_;
  std::map<ContainerId, ContainerFacts> facts_;
  std::vector<TaskSlot> free_;
  TaskSlot next_slot_ = 0;
  Revocable estimate_;
  Instant next_{};
  std::optional<Revocable> said_;
};

}  // namespace tepui
