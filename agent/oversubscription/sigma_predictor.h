#pragma once
// SigmaPredictor is N-sigma of "Take it to the limit" (Bashir et al., EuroSys 2021): the mean of
// what all tasks used together, and N of its standard deviations. Right for many small tasks, whose
// sum is nearly normal; of few it misses the task that does what it never did.
//
// Pure.

#include "agent/oversubscription/usage_statistics.h"

namespace tepui {

class SigmaPredictor : public PeakPredictor {
 public:
  explicit SigmaPredictor(const PredictorSettings& settings);

  void on_task_added(TaskSlot slot, const TaskTerms& terms) override;
  void on_task_removed(TaskSlot slot) override;
  void on_sample(TaskSlot slot, Instant at, int64_t usage) override;
  Prediction predict(Instant now) const override;

 private:
  const double sigmas_;
  UsageStatistics usage_;
};

}  // namespace tepui
