#include "agent/oversubscription/percentile_predictor.h"

namespace tepui {

PercentilePredictor::PercentilePredictor(const PredictorSettings& settings)
    : permille_(settings.percentile_permille),
      decay_(settings.percentile_half_life),
      tasks_(settings.min_history, settings.max_silence) {}

void PercentilePredictor::on_task_added(TaskSlot slot, const TaskTerms& terms) {
  const TaskTerms counted = tasks_.add(slot, terms);
  if (slot >= histograms_.size()) histograms_.resize(slot + 1, UsageHistogram(0));
  histograms_[slot] = UsageHistogram(counted.limit);
}

void PercentilePredictor::on_task_removed(TaskSlot slot) { tasks_.remove(slot); }

void PercentilePredictor::on_sample(TaskSlot slot, Instant at, int64_t usage) {
  const std::optional<int64_t> counted = tasks_.sample(slot, at, usage);
  if (counted) histograms_[slot].add(decay_, at, *counted);
}

Prediction PercentilePredictor::predict(Instant now) const {
  double peak = 0;
  for (TaskSlot slot = 0; slot < tasks_.end(); ++slot) {
    if (!tasks_.taken(slot)) continue;
    peak += tasks_.known(slot, now) ? histograms_[slot].percentile(permille_)
                                    : static_cast<double>(tasks_.limit(slot));
  }
  return tasks_.within_bounds(peak);
}

}  // namespace tepui
