#pragma once
// A subtree of cgroups of a test or a benchmark, with processes that are born in them. They die
// with their owner, whatever becomes of it, and the cgroups go with it.

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agent/linux/cgroup_discovery.h"
#include "agent/linux/files.h"
#include "common/check.h"
#include "common/io/fd.h"
#include "tests/agent/linux/cgroup_sweep.h"

namespace tepui {

class CgroupTree {
 public:
  struct Cgroup {
    std::string path;
    Fd directory;
    uint64_t id = 0;
  };

  // Below the place where this user may make cgroups.
  static Result<CgroupTree> create(const std::string& name) {
    CgroupPlace place = TRY(choose_cgroup_place(TRY(read_cgroup_facts())));
    if (access(place.base.c_str(), W_OK) != 0) return fail("cannot write below " + place.base);
    static int count = 0;
    CgroupTree tree;
    tree.top_.path =
        place.base + "/" + name + "-" + std::to_string(getpid()) + "-" + std::to_string(++count);
    tree.top_ = open(tree.top_.path);
    return tree;
  }
  CgroupTree(CgroupTree&& other) noexcept
      : top_(std::exchange(other.top_, {})), children_(std::exchange(other.children_, {})) {}
  CgroupTree& operator=(CgroupTree&&) = delete;
  ~CgroupTree() {
    if (top_.path.empty()) return;
    end_all();
    sweep_cgroup(top_.path);
  }

  const Cgroup& top() const { return top_; }
  Cgroup make(const std::string& below) const { return open(top_.path + "/" + below); }

  // `body` runs in a copy of this process, whose other threads it does not have.
  pid_t start(const Cgroup& cgroup, const std::function<void()>& body) {
    const pid_t parent = getpid();
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<uint64_t>(cgroup.directory.get());
    const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      body();
      _exit(0);
    }
    CHECK(pid > 0);
    children_.push_back(pid);
    return pid;
  }
  // As wait() says it.
  int wait_for(pid_t pid) {
    std::erase(children_, pid);
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
  }
  void end_all() {
    for (const pid_t pid : children_) kill(pid, SIGKILL);
    for (const pid_t pid : children_) waitpid(pid, nullptr, 0);
    children_.clear();
  }

 private:
  CgroupTree() = default;

  static Cgroup open(const std::string& path) {
    CHECK(mkdir(path.c_str(), 0755) == 0 || errno == EEXIST);
    Cgroup cgroup{.path = path, .directory = {}};
    cgroup.directory = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat facts{};
    CHECK(fstat(cgroup.directory.get(), &facts) == 0);
    cgroup.id = facts.st_ino;
    return cgroup;
  }

  Cgroup top_;
  std::vector<pid_t> children_;
};

}  // namespace tepui
