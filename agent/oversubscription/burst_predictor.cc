#include "agent/oversubscription/burst_predictor.h"

#include <algorithm>
#include <cmath>

namespace tepui {

BurstPredictor::BurstPredictor(const PredictorSettings& settings)
    : sigmas_(settings.burst_sigmas_milli / 1000.0), usage_(settings) {}

void BurstPredictor::on_task_added(TaskSlot slot, const TaskTerms& terms) {
  usage_.add(slot, terms);
}

void BurstPredictor::on_task_removed(TaskSlot slot) { usage_.remove(slot); }

void BurstPredictor::on_sample(TaskSlot slot, Instant at, int64_t usage) {
  usage_.sample(slot, at, usage);
}

Prediction BurstPredictor::predict(Instant now) const {
  const UsageStatistics::Summary sum = usage_.summary(now);
  const double noise = sigmas_ * std::sqrt(std::max(sum.variance, sum.total_variance));
  const double peak = sum.mean + noise + sum.widest + sum.unknown;
  return usage_.tasks().within_bounds(std::max(peak, static_cast<double>(usage_.tasks().total())));
}

}  // namespace tepui
