#pragma once
// TaskTally counts tasks by state. It remembers the state of each task under a 64-bit hash of its
// name, so that a change moves one count, and needs no memory of its own per change: the table
// grows by doubling only.
//
// Two names of one hash would share an entry; that is accepted, since counts are for people only.
//
// Pure. The table is looked up, never walked.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/ids.h"
#include "common/tasks.h"

namespace tepui {

class TaskTally {
 public:
  // Both answer the state before, nothing if the task was not known.
  std::optional<TaskState> set(const FrameworkId& framework, const TaskId& task, TaskState state);
  std::optional<TaskState> erase(const FrameworkId& framework, const TaskId& task);

  int64_t count(TaskState state) const { return counts_[static_cast<size_t>(state)]; }
  size_t size() const { return used_; }
  void clear();

 private:
  // The cell of that key, or the empty one where it would be.
  size_t find(uint64_t key) const;
  void grow();
  void remove(size_t cell);

  std::vector<uint64_t> keys_;  // 0: empty; the size is zero or a power of two
  std::vector<TaskState> states_;
  size_t used_ = 0;
  std::array<int64_t, kTaskStateCount> counts_{};
};

}  // namespace tepui
