#pragma once
// Estimator says what of this machine may be given out again as revocable: for cpus and for memory
// a predictor of the peak and a slack of its own. Whoever drives it tells it of tasks that are
// allocated (not of revocable ones), hands it what they used in rounds, and asks for the amounts
// with each round.
//
// Memory is the working set (working_set_bytes), never with page cache. A task without samples
// counts with its limit, so an estimator that is told nothing gives nothing.
// Pure.

#include <cstdint>
#include <memory>
#include <string>

#include "agent/oversubscription/peak_predictor.h"
#include "agent/oversubscription/slack.h"
#include "common/result.h"

namespace tepui {

// What stays if the kernel takes back what it can without writing: the way Kubernetes counts.
// From memory.current and inactive_file of memory.stat.
constexpr int64_t working_set_bytes(int64_t current_bytes, int64_t inactive_file_bytes) {
  if (current_bytes <= 0) return 0;
  if (inactive_file_bytes <= 0) return current_bytes;
  return inactive_file_bytes >= current_bytes ? 0 : current_bytes - inactive_file_bytes;
}

struct EstimatorSettings {
  std::string cpu_predictor = "burst";  // of kPredictorNames
  std::string memory_predictor = "burst";
  PredictorSettings cpu;
  // Memory is not given back as quickly as cpus: what was needed is remembered for longer.
  PredictorSettings memory = {.moments_half_life = std::chrono::hours(12),
                              .percentile_half_life = std::chrono::hours(48)};
  SlackSettings cpu_slack;
  SlackSettings memory_slack = {.margin_permille = 50};
};

struct Revocable {
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;

  bool operator==(const Revocable&) const = default;
};

class Estimator {
 public:
  static Result<Estimator> make(const EstimatorSettings& settings);

  void on_task_added(TaskSlot slot, const TaskTerms& cpus_milli, const TaskTerms& memory_bytes);
  void on_task_removed(TaskSlot slot);
  void on_cpu_sample(TaskSlot slot, Instant at, int64_t cpus_milli);
  void on_memory_sample(TaskSlot slot, Instant at, int64_t working_set_bytes);

  // What may be given out from now on.
  Revocable revocable(Instant now);

 private:
  Estimator(const EstimatorSettings& settings, std::unique_ptr<PeakPredictor> cpu,
            std::unique_ptr<PeakPredictor> memory);

  std::unique_ptr<PeakPredictor> cpu_;
  std::unique_ptr<PeakPredictor> memory_;
  Slack cpu_slack_;
  Slack memory_slack_;
};

}  // namespace tepui
