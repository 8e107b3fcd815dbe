#pragma once
// UsageStatistics is mean and variance of what each task used, and of what all used together at
// one time. The mean of the whole is the sum of the tasks' means, so a task that came late counts
// fully and one that went no more; the variance of the whole is kept beside, since only it knows
// which tasks rise together.
//
// A round of samples is complete when a later one begins, or when it is asked for.
// Pure.

#include <vector>

#include "agent/oversubscription/moments.h"
#include "agent/oversubscription/task_table.h"

namespace tepui {

class UsageStatistics {
 public:
  explicit UsageStatistics(const PredictorSettings& settings);

  void add(TaskSlot slot, const TaskTerms& terms);
  void remove(TaskSlot slot);
  void sample(TaskSlot slot, Instant at, int64_t usage);

  struct Summary {
    double mean = 0;            // of the known tasks together
    double variance = 0;        // the sum of theirs, as if none knew of another
    double total_variance = 0;  // of what all used together
    double widest = 0;          // the longest way from a known task's mean to its limit
    double unknown = 0;         // the limits of the others
  };
  Summary summary(Instant now) const;

  const TaskTable& tasks() const { return tasks_; }

 private:
  // One for each, since a task that missed a round asks for another time than the whole does.
  Decay task_decay_;
  Decay total_decay_;
  TaskTable tasks_;
  std::vector<Moments> moments_;  // by slot
  Moments total_;
  Instant round_ = kNever;  // kNever: no sample since the start
};

}  // namespace tepui
