#include "agent/oversubscription/sigma_predictor.h"

#include <cmath>

namespace tepui {

SigmaPredictor::SigmaPredictor(const PredictorSettings& settings)
    : sigmas_(settings.sigmas_milli / 1000.0), usage_(settings) {}

void SigmaPredictor::on_task_added(TaskSlot slot, const TaskTerms& terms) {
  usage_.add(slot, terms);
}

void SigmaPredictor::on_task_removed(TaskSlot slot) { usage_.remove(slot); }

void SigmaPredictor::on_sample(TaskSlot slot, Instant at, int64_t usage) {
  usage_.sample(slot, at, usage);
}

Prediction SigmaPredictor::predict(Instant now) const {
  const UsageStatistics::Summary sum = usage_.summary(now);
  return usage_.tasks().within_bounds(sum.mean + sigmas_ * std::sqrt(sum.total_variance) +
                                      sum.unknown);
}

}  // namespace tepui
