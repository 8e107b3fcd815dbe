#include "perf/bare_root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <deque>
#include <utility>

#include "common/check.h"
#include "common/io/clock.h"

namespace tepui::perf {
namespace {

// In the child, which is a copy with one thread.
[[noreturn]] void run_inside(const char* root, const char* program, int null) {
  const bool entered = mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       mount(root, root, nullptr, MS_BIND, nullptr) == 0 && chdir(root) == 0 &&
                       syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
                       mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "") == 0;
  for (int fd = 0; fd <= 2; ++fd) dup2(null, fd);
  char path[] = "PATH=/usr/bin:/bin";
  char* const environment[] = {path, nullptr};
  char* const arguments[] = {const_cast<char*>(program), nullptr};
  if (entered) execve(program, arguments, environment);
  _exit(127);
}

}  // namespace

BareRoot::BareRoot(const std::filesystem::path& root, std::string program,
                   const std::string& cgroups)
    : root_(root), program_(std::move(program)) {
  if (!cgroups.empty()) {
    cgroups_ = Fd(open(cgroups.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(cgroups_);
  }
  null_ = Fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  CHECK(null_);
}

BareRoot::Running BareRoot::start() {
  Running one;
  clone_args arguments{};
  arguments.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  arguments.exit_signal = SIGCHLD;
  Fd cgroup;
  if (cgroups_) {
    one.cgroup = fmt::format("bare-{}", ++count_);
    CHECK(mkdirat(cgroups_.get(), one.cgroup.c_str(), 0755) == 0);
    cgroup = Fd(openat(cgroups_.get(), one.cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(cgroup);
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup.get());
  }
  one.pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  CHECK(one.pid >= 0);
  if (one.pid == 0) run_inside(root_.c_str(), program_.c_str(), null_.get());
  return one;
}

void BareRoot::finish(const Running& one) const {
  int status = -1;
  CHECK(waitpid(one.pid, &status, 0) == one.pid);
  CHECK(status == 0);
  if (one.cgroup.empty()) return;
  // Who was just seen to end may count for a moment.
  while (unlinkat(cgroups_.get(), one.cgroup.c_str(), AT_REMOVEDIR) != 0) {
    CHECK(errno == EBUSY);
    constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 100'000};
    nanosleep(&kMoment, nullptr);
  }
}

double BareRoot::commands_per_second(int count, int in_flight) {
  const Instant begin = now().mono;
  std::deque<Running> running;
  for (int i = 0; i < count; ++i) {
    if (running.size() == static_cast<size_t>(in_flight)) {
      finish(running.front());
      running.pop_front();
    }
    running.push_back(start());
  }
  for (const Running& one : running) finish(one);
  return count / to_secs(now().mono - begin);
}

double BareRoot::measure_one_ms() {
  const Instant begin = now().mono;
  finish(start());
  return to_millis(now().mono - begin);
}

}  // namespace tepui::perf
