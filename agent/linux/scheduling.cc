#include "agent/linux/scheduling.h"

#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <charconv>
#include <string_view>

#include "agent/linux/files.h"
#include "common/io/fd.h"

namespace tepui {

namespace {

// Whoever forks faster than that is left as it is.
constexpr int kPassesMax = 20;

// How many threads were changed.
Result<int> set_once(int directory, const std::string& cgroup, int policy) {
  int changed = 0;
  const std::string threads = TRY(read_file_at(directory, cgroup + "/cgroup.threads"));
  const char* at = threads.data();
  const char* const end = at + threads.size();
  while (at < end) {
    pid_t thread = 0;
    const auto [next, problem] = std::from_chars(at, end, thread);
    if (problem != std::errc()) break;
    at = next + 1;
    // 0 is a thread that this process cannot see; the rest fail if they have just ended.
    if (thread <= 0) continue;
    const int before = sched_getscheduler(thread);
    // What a task itself made real-time or batch is its own.
    const bool is_ours = before == SCHED_OTHER || before == SCHED_IDLE;
    if (!is_ours || before == policy) continue;
    const sched_param none{};
    if (sched_setscheduler(thread, policy, &none) == 0) {
      ++changed;
    } else if (errno == EPERM) {
      return std::unexpected(system_error(
          EPERM, fmt::format("setting the scheduling class of thread {} in {}", thread, cgroup)));
    }
  }
  const Fd here = TRY(open_directory_at(directory, cgroup));
  for (const std::string& child : TRY(list_directories(here.get()))) {
    // It may have been removed meanwhile.
    changed += set_once(directory, cgroup + "/" + child, policy).value_or(0);
  }
  return changed;
}

}  // namespace

Result<void> set_idle(int directory, const std::string& cgroup, bool idle) {
  for (int pass = 0; pass < kPassesMax; ++pass) {
    if (TRY(set_once(directory, cgroup, idle ? SCHED_IDLE : SCHED_OTHER)) == 0) break;
  }
  return {};
}

}  // namespace tepui
