#include "agent/oversubscription/task_table.h"

#include <algorithm>

#include "agent/oversubscription/decay.h"
#include "common/check.h"

namespace tepui {

namespace {

int64_t bounded(int64_t amount) { return std::clamp<int64_t>(amount, 0, kMaxTaskAmount); }

}  // namespace

TaskTerms TaskTable::add(TaskSlot slot, const TaskTerms& terms) {
  CHECK(slot < kMaxTaskSlots);
  remove(slot);
  if (slot >= tasks_.size()) tasks_.resize(slot + 1);
  const int64_t request = bounded(terms.request);
  tasks_[slot] = {.terms = {.request = request, .limit = std::max(request, bounded(terms.limit))},
                  .taken = true};
  allocated_ += request;
  return tasks_[slot].terms;
}

void TaskTable::remove(TaskSlot slot) {
  if (!taken(slot)) return;
  allocated_ -= tasks_[slot].terms.request;
  total_ -= tasks_[slot].usage;
  tasks_[slot] = {};
}

std::optional<int64_t> TaskTable::sample(TaskSlot slot, Instant at, int64_t usage) {
  if (!taken(slot) || at == kNever) return std::nullopt;
  Task& task = tasks_[slot];
  if (task.first == kNever) {
    task.first = at;
  } else if (at <= task.last) {
    return std::nullopt;
  } else if (elapsed(task.last, at) > max_silence_) {
    // What it did meanwhile nobody knows: its history has to prove itself again.
    task.first = at;
  }
  task.last = at;
  total_ += bounded(usage) - task.usage;
  task.usage = bounded(usage);
  return task.usage;
}

bool TaskTable::known(TaskSlot slot, Instant now) const {
  const Task& task = tasks_[slot];
  return task.first != kNever && elapsed(task.first, now) >= min_history_ &&
         elapsed(task.last, now) <= max_silence_;
}

Prediction TaskTable::within_bounds(double peak) const {
  if (peak >= static_cast<double>(allocated_)) return {.peak = allocated_, .allocated = allocated_};
  auto up = static_cast<int64_t>(std::max(peak, 0.0));
  if (static_cast<double>(up) < peak) ++up;
  return {.peak = up, .allocated = allocated_};
}

}  // namespace tepui
