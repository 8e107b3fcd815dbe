#pragma once
// LimitsPredictor takes a part of what the tasks may use at most, and looks at no sample. Whole:
// the sum of limits, the ceiling of all others. 900 permille: `borg-default`, the rule that Borg
// used by default (Bashir et al., "Take it to the limit: peak prediction-driven resource
// overcommitment in datacenters", EuroSys 2021).
//
// Pure.

#include "agent/oversubscription/task_table.h"

namespace tepui {

class LimitsPredictor : public PeakPredictor {
 public:
  LimitsPredictor(const PredictorSettings& settings, uint32_t permille);

  void on_task_added(TaskSlot slot, const TaskTerms& terms) override;
  void on_task_removed(TaskSlot slot) override;
  void on_sample(TaskSlot slot, Instant at, int64_t usage) override;
  Prediction predict(Instant now) const override;

 private:
  const uint32_t permille_;
  TaskTable tasks_;
  int64_t limits_ = 0;
};

}  // namespace tepui
