#include "agent/linux/confinement_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/linux/seccomp_profile.h"

namespace tepui {
namespace {

// Runs in a process of its own; 0 or an errno.
int try_in_child(int (*attempt)(int), int argument) {
  const pid_t child = fork();
  if (child == 0) _exit(attempt(argument));
  int status = 0;
  if (child < 0) return errno;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

// The command joins the namespaces of a process that only who may trace all others can look into.
bool can_join() { return (own_capabilities() & CapabilitySet{1} << CAP_SYS_PTRACE) != 0; }

int try_namespace(int flag) {
  if (!can_join()) return EPERM;
  return unshare(flag) == 0 ? 0 : errno;
}

// As the shim does with a volume that is read-only.
int try_mounts(int flag) {
  if (!can_join()) return EPERM;
  if (unshare(flag) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return errno;
  }
  const long tree = syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return errno;
  mount_attr wanted{};
  wanted.attr_set = MOUNT_ATTR_RDONLY;
  const long set = syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &wanted, sizeof wanted);
  return set == 0 ? 0 : errno;
}

int try_capabilities(int) {
  constexpr int kSomeCapability = 0;
  return prctl(PR_CAPBSET_DROP, kSomeCapability, 0, 0, 0) == 0 ? 0 : errno;
}

int try_filter(int) {
  SeccompProfiles profiles;
  const Result<std::string> filter = profiles.filter(kDefaultCapabilities);
  if (!filter) return filter.error().code != 0 ? filter.error().code : EINVAL;
  struct {
    unsigned short count;
    const char* instructions;
  } program{.count = static_cast<unsigned short>(filter->size() / 8),
            .instructions = filter->data()};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

struct Attempt {
  Isolator isolator;
  int (*attempt)(int);
  int argument;
  const char* what;
};

constexpr Attempt kAttempts[] = {
    {Isolator::kPidNamespace, try_namespace, CLONE_NEWPID, "making a namespace of pids"},
    {Isolator::kMountNamespace, try_mounts, CLONE_NEWNS, "making a namespace of mounts"},
    {Isolator::kIpcNamespace, try_namespace, CLONE_NEWIPC, "making a namespace of IPC"},
    {Isolator::kUtsNamespace, try_namespace, CLONE_NEWUTS, "making a namespace of host names"},
    {Isolator::kCgroupNamespace, try_namespace, CLONE_NEWCGROUP, "making a namespace of cgroups"},
    {Isolator::kNetNamespace, try_namespace, CLONE_NEWNET, "making a namespace of networks"},
    {Isolator::kUserNamespace, try_namespace, CLONE_NEWUSER, "making a namespace of users"},
    {Isolator::kCapabilities, try_capabilities, 0, "bounding capabilities"},
    {Isolator::kSeccomp, try_filter, 0, "installing a filter of system calls"},
};

}  // namespace

std::vector<MissingIsolator> find_missing_confinement(const IsolatorSet& wanted) {
  std::vector<MissingIsolator> missing;
  for (const Attempt& one : kAttempts) {
    if (!has(wanted, one.isolator)) continue;
    const int code = try_in_child(one.attempt, one.argument);
    if (code == 0) continue;
    const char* hint = geteuid() != 0   ? " (the agent is not root)"
                       : code == ENOSPC ? " (see the limits in /proc/sys/user)"
                                        : "";
    missing.push_back({.isolator = one.isolator,
                       .why = fmt::format("{} failed: {}{}", one.what, std::strerror(code), hint)});
  }
  return missing;
}

CapabilitySet own_capabilities() {
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &about, sets) != 0) return 0;
  return CapabilitySet{sets[0].permitted} | CapabilitySet{sets[1].permitted} << 32;
}

}  // namespace tepui
