#pragma once
// TaskTable is what every predictor knows of the tasks: their terms, when they were first and last
// sampled, and what they used then. It decides which samples count and which tasks can be judged by
// their history (known) or count with their limit.
//
// Invariant: allocated(), and total() of the last uses, are the sums over the slots that are taken.
// Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/oversubscription/peak_predictor.h"

namespace tepui {

class TaskTable {
 public:
  TaskTable(Duration min_history, Duration max_silence)
      : min_history_(min_history), max_silence_(max_silence) {}

  // Answers the terms as they count: within bounds, the limit not below the request.
  TaskTerms add(TaskSlot slot, const TaskTerms& terms);
  void remove(TaskSlot slot);
  // The use as it counts, if it does.
  std::optional<int64_t> sample(TaskSlot slot, Instant at, int64_t usage);

  // Slots that may be taken are below this.
  TaskSlot end() const { return static_cast<TaskSlot>(tasks_.size()); }
  bool taken(TaskSlot slot) const { return slot < tasks_.size() && tasks_[slot].taken; }
  bool known(TaskSlot slot, Instant now) const;
  int64_t limit(TaskSlot slot) const { return tasks_[slot].terms.limit; }

  int64_t allocated() const { return allocated_; }
  int64_t total() const { return total_; }
  // A prediction from a peak that may be anything.
  Prediction within_bounds(double peak) const;

 private:
  struct Task {
    TaskTerms terms;
    Instant first = kNever;  // kNever: no sample yet
    Instant last = kNever;
    int64_t usage = 0;
    bool taken = false;
  };

  const Duration min_history_;
  const Duration max_silence_;
  std::vector<Task> tasks_;
  int64_t allocated_ = 0;
  int64_t total_ = 0;
};

}  // namespace tepui
