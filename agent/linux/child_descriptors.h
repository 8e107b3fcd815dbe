#pragma once
// What a child that shares the agent's memory does before it becomes another program: system calls
// only, no allocation.

#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace tepui {

// fds[i] becomes descriptor i, or none where it is negative; all others are closed.
template <size_t kCount>
void place_descriptors(std::array<int, kCount>& fds) {
  constexpr int kEnd = static_cast<int>(kCount);
  // Two steps, since a source can have the number of another one's target.
  for (int& fd : fds) {
    if (fd >= 0) fd = fcntl(fd, F_DUPFD, kEnd);
  }
  for (int target = 0; target < kEnd; ++target) {
    const int source = fds[static_cast<size_t>(target)];
    if (source >= 0) {
      dup2(source, target);
    } else {
      close(target);
    }
  }
  close_range(kEnd, ~0U, 0);
}

}  // namespace tepui
