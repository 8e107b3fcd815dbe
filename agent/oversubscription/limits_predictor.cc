#include "agent/oversubscription/limits_predictor.h"

namespace tepui {

LimitsPredictor::LimitsPredictor(const PredictorSettings& settings, uint32_t permille)
    : permille_(permille), tasks_(settings.min_history, settings.max_silence) {}

void LimitsPredictor::on_task_added(TaskSlot slot, const TaskTerms& terms) {
  on_task_removed(slot);
  limits_ += tasks_.add(slot, terms).limit;
}

void LimitsPredictor::on_task_removed(TaskSlot slot) {
  if (!tasks_.taken(slot)) return;
  limits_ -= tasks_.limit(slot);
  tasks_.remove(slot);
}

void LimitsPredictor::on_sample(TaskSlot /*slot*/, Instant /*at*/, int64_t /*usage*/) {}

Prediction LimitsPredictor::predict(Instant /*now*/) const {
  return tasks_.within_bounds(static_cast<double>(limits_) * permille_ / 1000);
}

}  // namespace tepui
