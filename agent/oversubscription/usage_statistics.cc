#include "agent/oversubscription/usage_statistics.h"

#include <algorithm>

namespace tepui {

UsageStatistics::UsageStatistics(const PredictorSettings& settings)
    : task_decay_(settings.moments_half_life),
      total_decay_(settings.moments_half_life),
      tasks_(settings.min_history, settings.max_silence) {}

void UsageStatistics::add(TaskSlot slot, const TaskTerms& terms) {
  tasks_.add(slot, terms);
  if (slot >= moments_.size()) moments_.resize(slot + 1);
  moments_[slot] = {};
}

void UsageStatistics::remove(TaskSlot slot) { tasks_.remove(slot); }

void UsageStatistics::sample(TaskSlot slot, Instant at, int64_t usage) {
  const int64_t before = tasks_.total();
  const std::optional<int64_t> counted = tasks_.sample(slot, at, usage);
  if (!counted) return;
  if (round_ != kNever && at > round_) {
    total_.add(total_decay_, round_, static_cast<double>(before));
  }
  if (round_ == kNever || at > round_) round_ = at;
  moments_[slot].add(task_decay_, at, static_cast<double>(*counted));
}

UsageStatistics::Summary UsageStatistics::summary(Instant now) const {
  Summary sum;
  for (TaskSlot slot = 0; slot < tasks_.end(); ++slot) {
    if (!tasks_.taken(slot)) continue;
    const auto limit = static_cast<double>(tasks_.limit(slot));
    if (!tasks_.known(slot, now)) {
      sum.unknown += limit;
      continue;
    }
    sum.mean += moments_[slot].mean();
    sum.variance += moments_[slot].variance();
    sum.widest = std::max(sum.widest, limit - moments_[slot].mean());
  }
  Moments total = total_;
  Decay decay = total_decay_;
  if (round_ != kNever) total.add(decay, round_, static_cast<double>(tasks_.total()));
  sum.total_variance = total.variance();
  return sum;
}

}  // namespace tepui
