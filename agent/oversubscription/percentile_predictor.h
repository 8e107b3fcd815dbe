#pragma once
// PercentilePredictor adds up a high percentile of what each task used, from histograms that
// forget: the moving window of Autopilot (Rzadca et al., "Autopilot: workload autoscaling at
// Google", EuroSys 2020, with its half-life of 12 h), and the sum of the tasks' percentiles of
// Resource Central as "Take it to the limit" compares it. Assumes that all tasks peak together.
//
// Pure.

#include <vector>

#include "agent/oversubscription/task_table.h"
#include "agent/oversubscription/usage_histogram.h"

namespace tepui {

class PercentilePredictor : public PeakPredictor {
 public:
  explicit PercentilePredictor(const PredictorSettings& settings);

  void on_task_added(TaskSlot slot, const TaskTerms& terms) override;
  void on_task_removed(TaskSlot slot) override;
  void on_sample(TaskSlot slot, Instant at, int64_t usage) override;
  Prediction predict(Instant now) const override;

 private:
  const uint32_t permille_;
  Decay decay_;
  TaskTable tasks_;
  std::vector<UsageHistogram> histograms_;  // by slot
};

}  // namespace tepui
