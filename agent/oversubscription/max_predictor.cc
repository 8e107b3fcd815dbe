#include "agent/oversubscription/max_predictor.h"

#include <utility>

#include "common/check.h"

namespace tepui {

MaxPredictor::MaxPredictor(std::vector<std::unique_ptr<PeakPredictor>> parts)
    : parts_(std::move(parts)) {
  CHECK(!parts_.empty());
}

void MaxPredictor::on_task_added(TaskSlot slot, const TaskTerms& terms) {
  for (const auto& part : parts_) part->on_task_added(slot, terms);
}

void MaxPredictor::on_task_removed(TaskSlot slot) {
  for (const auto& part : parts_) part->on_task_removed(slot);
}

void MaxPredictor::on_sample(TaskSlot slot, Instant at, int64_t usage) {
  for (const auto& part : parts_) part->on_sample(slot, at, usage);
}

Prediction MaxPredictor::predict(Instant now) const {
  Prediction highest = parts_.front()->predict(now);
  for (const auto& part : parts_) {
    const Prediction one = part->predict(now);
    if (one.peak > highest.peak) highest = one;
  }
  return highest;
}

}  // namespace tepui
