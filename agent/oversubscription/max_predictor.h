#pragma once
// MaxPredictor believes the most careful of several predictors: the `max` of "Take it to the limit"
// (Bashir et al., EuroSys 2021), there of N-sigma and the sum of percentiles.
//
// Pure.

#include <memory>
#include <vector>

#include "agent/oversubscription/peak_predictor.h"

namespace tepui {

class MaxPredictor : public PeakPredictor {
 public:
  explicit MaxPredictor(std::vector<std::unique_ptr<PeakPredictor>> parts);

  void on_task_added(TaskSlot slot, const TaskTerms& terms) override;
  void on_task_removed(TaskSlot slot) override;
  void on_sample(TaskSlot slot, Instant at, int64_t usage) override;
  Prediction predict(Instant now) const override;

 private:
  const std::vector<std::unique_ptr<PeakPredictor>> parts_;
};

}  // namespace tepui
