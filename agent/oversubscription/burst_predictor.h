#pragma once
// BurstPredictor is our own combination. Of those that keep violations low it reclaims most in
// `./dev bench predictors`:
//
//   peak = sum of the tasks' means
//        + 2.5 standard deviations of the whole
//        + the longest way from a task's mean to its limit
//
// Why. What passes N-sigma on few tasks is not noise but one task that does what its history does
// not know: it rises from near nothing to its limit. On the traces that we have, how often that
// happens in the next hour depends on nothing that a machine can see of itself (level, variance,
// largest burst, age: each quarter of each has about the rate of the others).
// So neither a percentile (which charges every task for its own past bursts, and nothing for the
// next one's) nor more sigmas (which charge the noisy machines for the quiet ones' surprises) pays
// for the surprise where it comes; a margin of one whole burst on every machine does, and its size
// is no parameter: it is what the limits leave. The deviations are for noise beside it. They are
// the larger of the tasks' (independent) and of the whole's (which knows who rises together).
//
// It covers one surprise within the horizon. Where tasks burst so often that two surprises meet,
// their variances hold bursts of the past, which is not always enough; where one task's limit is
// most of what is allocated, little is left to give. docs/performance.md has both in numbers.
// Never below what is used now, which is within the horizon.
//
// Pure.

#include "agent/oversubscription/usage_statistics.h"

namespace tepui {

class BurstPredictor : public PeakPredictor {
 public:
  explicit BurstPredictor(const PredictorSettings& settings);

  void on_task_added(TaskSlot slot, const TaskTerms& terms) override;
  void on_task_removed(TaskSlot slot) override;
  void on_sample(TaskSlot slot, Instant at, int64_t usage) override;
  Prediction predict(Instant now) const override;

 private:
  const double sigmas_;
  UsageStatistics usage_;
};

}  // namespace tepui
