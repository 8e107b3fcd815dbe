#include "common/task_tally.h"

#include <xxhash.h>

namespace tepui {

namespace {
constexpr size_t kFirstCells = 64;

uint64_t key_of(const FrameworkId& framework, const TaskId& task) {
  const uint64_t seed = XXH64(framework.value.data(), framework.value.size(), 0);
  const uint64_t key = XXH64(task.value.data(), task.value.size(), seed);
  return key == 0 ? 1 : key;
}
}  // namespace

std::optional<TaskState> TaskTally::set(const FrameworkId& framework, const TaskId& task,
                                        TaskState state) {
  // At most half full, so that chains stay short and find() always ends.
  if (2 * (used_ + 1) > keys_.size()) grow();
  const uint64_t key = key_of(framework, task);
  const size_t cell = find(key);
  std::optional<TaskState> before;
  if (keys_[cell] == key) {
    before = states_[cell];
    --counts_[static_cast<size_t>(*before)];
  } else {
    keys_[cell] = key;
    ++used_;
  }
  states_[cell] = state;
  ++counts_[static_cast<size_t>(state)];
  return before;
}

std::optional<TaskState> TaskTally::erase(const FrameworkId& framework, const TaskId& task) {
  if (keys_.empty()) return std::nullopt;
  const uint64_t key = key_of(framework, task);
  const size_t cell = find(key);
  if (keys_[cell] != key) return std::nullopt;
  const TaskState before = states_[cell];
  --counts_[static_cast<size_t>(before)];
  --used_;
  remove(cell);
  return before;
}

void TaskTally::clear() { *this = TaskTally(); }

size_t TaskTally::find(uint64_t key) const {
  const size_t mask = keys_.size() - 1;
  size_t cell = key & mask;
  while (keys_[cell] != 0 && keys_[cell] != key) cell = (cell + 1) & mask;
  return cell;
}

void TaskTally::grow() {
  std::vector<uint64_t> keys(keys_.empty() ? kFirstCells : 2 * keys_.size());
  std::vector<TaskState> states(keys.size());
  keys.swap(keys_);
  states.swap(states_);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == 0) continue;
    const size_t cell = find(keys[i]);
    keys_[cell] = keys[i];
    states_[cell] = states[i];
  }
}

// Closes the gap: entries behind it that only lie there because of it move up.
void TaskTally::remove(size_t cell) {
  const size_t mask = keys_.size() - 1;
  size_t gap = cell;
  for (size_t next = (gap + 1) & mask; keys_[next] != 0; next = (next + 1) & mask) {
    const size_t home = keys_[next] & mask;
    // Distances around the ring: an entry may move to the gap if its home is not behind it.
    if (((next - home) & mask) >= ((next - gap) & mask)) {
      keys_[gap] = keys_[next];
      states_[gap] = states_[next];
      gap = next;
    }
  }
  keys_[gap] = 0;
}

}  // namespace tepui
