#pragma once
// LaunchLane is what waits for its launch and how much of that is under way. An agent has two: what
// needs something fetched first, which may take as long as a network wants, must not keep from its
// start what needs nothing.
//
// Within a lane the oldest comes first; executors come before tasks, which may be theirs.
//
// Pure.

#include <cstdint>
#include <deque>
#include <utility>

#include "common/ids.h"

namespace tepui {

struct LaunchLane {
  uint32_t launching_max = 0;
  uint32_t launching = 0;  // launch() or adopt() was called, and not answered
  // Entries of what ended meanwhile are skipped.
  std::deque<std::pair<FrameworkId, ExecutorId>> executors;
  std::deque<std::pair<FrameworkId, TaskId>> tasks;

  bool is_full() const { return launching >= launching_max; }
};

}  // namespace tepui
