// The part of the shim that makes the container's own namespaces: a process that holds them, does
// the steps inside them, and from then on only reaps.
//
// It is a copy of the shim with a memory of its own, and with nothing else of it: what a task might
// do to it, it does to itself.

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "agent/linux/shim_base.h"

namespace tepui::shim {
namespace {

const char* or_null(const char* text) { return *text == 0 ? nullptr : text; }

long mount(const char* source, const char* target, const char* type, long flags, const char* data) {
  return raw_syscall(SYS_mount, raw_address(or_null(source)), raw_address(target),
                     raw_address(or_null(type)), flags, raw_address(or_null(data)));
}

// A directory with all that is missing on the way to it.
long make_directory(const char* path, uint64_t mode) {
  char part[PATH_MAX];
  size_t length = 0;
  long result = 0;
  for (const char* at = path; *at != 0; ++at) {
    if (length + 1 >= sizeof part) return -ENAMETOOLONG;
    part[length++] = *at;
    part[length] = 0;
    const bool is_end = at[1] == 0;
    if (!is_end && at[1] != '/') continue;
    if (length == 1 && part[0] == '/') continue;
    result = raw_syscall(SYS_mkdirat, AT_FDCWD, raw_address(part), is_end ? mode : 0755);
    // Also where it is read-only and there.
    struct stat status{};
    if (result < 0 &&
        raw_syscall(SYS_newfstatat, AT_FDCWD, raw_address(part), raw_address(&status), 0) == 0 &&
        S_ISDIR(status.st_mode)) {
      result = 0;
      continue;
    }
    if (result < 0) return result;
    if (is_end) raw_syscall(SYS_fchmodat, AT_FDCWD, raw_address(part), mode);
  }
  return result;
}

long set_attributes(int directory, const char* path, long flags, uint64_t attributes) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  return raw_syscall(SYS_mount_setattr, directory, raw_address(path), flags, raw_address(&wanted),
                     sizeof wanted);
}

// A descriptor that only names what is there, or minus an errno.
long open_path(int directory, const char* path, uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve;
  return raw_syscall(SYS_openat2, directory, raw_address(path), raw_address(&how), sizeof how);
}

// A copy of what is mounted at `source`, with its attributes, that is not mounted anywhere yet.
// `within`: of a source that is relative to it and must not lead out of it.
long open_tree(const char* source, const char* within, uint64_t attributes) {
  constexpr long kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  long tree = 0;
  if (*within == 0) {
    tree = raw_syscall(SYS_open_tree, AT_FDCWD, raw_address(source), kFlags);
  } else {
    const long place = open_path(AT_FDCWD, within, 0);
    if (place < 0) return place;
    const long file =
        open_path(static_cast<int>(place), source, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    raw_syscall(SYS_close, place);
    if (file < 0) return file;
    tree = raw_syscall(SYS_open_tree, file, raw_address(""), kFlags | AT_EMPTY_PATH);
    raw_syscall(SYS_close, file);
  }
  if (tree < 0 || attributes == 0) return tree;
  const long set =
      set_attributes(static_cast<int>(tree), "", AT_EMPTY_PATH | AT_RECURSIVE, attributes);
  return set < 0 ? set : tree;
}

// An empty directory that nobody can write to, or the null device.
long hide(const char* path) {
  struct stat status{};
  const long found =
      raw_syscall(SYS_newfstatat, AT_FDCWD, raw_address(path), raw_address(&status), 0);
  if (found < 0) return found;
  if (!S_ISDIR(status.st_mode)) return mount("/dev/null", path, "", MS_BIND, "");
  const long result = mount("tmpfs", path, "tmpfs", 0, "size=0,mode=0755,nr_inodes=2");
  if (result < 0) return result;
  return set_attributes(AT_FDCWD, path, 0,
                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

long set_hostname(const char* name) {
  long length = 0;
  while (name[length] != 0) ++length;
  return raw_syscall(SYS_sethostname, raw_address(name), length);
}

long bring_up_loopback() {
  const long socket = raw_syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return socket;
  ifreq request{};
  __builtin_memcpy(request.ifr_name, "lo", sizeof "lo");
  request.ifr_flags = IFF_UP;
  const long result = raw_syscall(SYS_ioctl, socket, SIOCSIFFLAGS, raw_address(&request));
  raw_syscall(SYS_close, socket);
  return result;
}

class Steps {
 public:
  explicit Steps(const Spec& spec) : spec_(spec) {
    for (long& tree : trees_) tree = -EBADF;
  }

  Failure run() {
    for (uint32_t i = 0; i < spec_.header.step_count; ++i) {
      const ShimStep& step = spec_.steps[i];
      const long result = run(step, spec_.step_texts[i]);
      const bool is_missing = result == -ENOENT || result == -ENOTDIR || result == -EBADF;
      if (result >= 0 || (step.optional != 0 && is_missing)) continue;
      return {.stage = static_cast<uint32_t>(ShimStage::kFirstStep) + i,
              .code = static_cast<int>(-result)};
    }
    return {};
  }

 private:
  long run(const ShimStep& step, const StepTexts& texts) {
    switch (static_cast<ShimStepKind>(step.kind)) {
      case ShimStepKind::kMount:
        return mount(texts.source, texts.target, texts.type, static_cast<long>(step.flags),
                     texts.data);
      case ShimStepKind::kOpenTree:
        if (step.slot >= kShimSlots) return -EPROTO;
        trees_[step.slot] = open_tree(texts.source, texts.data, step.flags);
        return trees_[step.slot];
      case ShimStepKind::kAttach:
        if (step.slot >= kShimSlots) return -EPROTO;
        if (trees_[step.slot] < 0) return -EBADF;
        return raw_syscall(SYS_move_mount, trees_[step.slot], raw_address(""), AT_FDCWD,
                           raw_address(texts.target), MOVE_MOUNT_F_EMPTY_PATH);
      case ShimStepKind::kDirectory:
        return make_directory(texts.target, step.flags);
      case ShimStepKind::kAttributes:
        return set_attributes(AT_FDCWD, texts.target, AT_RECURSIVE, step.flags);
      case ShimStepKind::kHide:
        return hide(texts.target);
      case ShimStepKind::kHostname:
        return set_hostname(texts.source);
      case ShimStepKind::kLoopback:
        return bring_up_loopback();
    }
    return -EPROTO;
  }

  const Spec& spec_;
  long trees_[kShimSlots];
};

// Nobody may take it for a way into what it once was.
void become_harmless() {
  raw_syscall(SYS_close_range, 0, ~0U, 0);
  raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  raw_syscall(SYS_prctl, PR_SET_NAME, raw_address("tepui-init"), 0, 0, 0);
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct nothing[2] = {};
  raw_syscall(SYS_capset, raw_address(&about), raw_address(nothing));
}

// Signals are blocked, as in the shim; children whose end is ignored are reaped by the kernel.
[[noreturn]] void idle() {
  constexpr size_t kActionBytes = 32;
  char ignore[kActionBytes] = {};
  const auto handler = reinterpret_cast<uintptr_t>(SIG_IGN);
  __builtin_memcpy(ignore, &handler, sizeof handler);
  raw_syscall(SYS_rt_sigaction, SIGCHLD, raw_address(ignore), 0, sizeof(uint64_t));
  while (true) raw_syscall(SYS_ppoll, 0, 0, 0, 0, sizeof(uint64_t));
}

[[noreturn]] void run_init(const Spec& spec, long says) {
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  raw_syscall(SYS_umask, 0);
  // Nothing that is mounted here may show outside.
  Failure failed;
  if ((spec.header.namespaces & CLONE_NEWNS) != 0) {
    const long result = mount("", "/", "", MS_REC | MS_PRIVATE, "");
    if (result < 0) failed = failure(ShimStage::kNamespaces, result);
  }
  // Only now is it in the cgroup that is to be the root of them.
  if (failed.stage == 0 && (spec.header.namespaces & CLONE_NEWCGROUP) != 0) {
    const long result = raw_syscall(SYS_unshare, CLONE_NEWCGROUP);
    if (result < 0) failed = failure(ShimStage::kNamespaces, result);
  }
  if (failed.stage == 0) failed = Steps(spec).run();
  raw_syscall(SYS_write, says, raw_address(&failed), sizeof failed);
  if (failed.stage != 0) leave(kExitLaunchFailed);
  forget_spec(spec);
  become_harmless();
  idle();
}

}  // namespace

Failure start_init(const Spec& spec, int cgroup, Init* init) {
  int ends[2] = {-1, -1};
  if (const long result = raw_syscall(SYS_pipe2, raw_address(ends), O_CLOEXEC); result < 0) {
    return failure(ShimStage::kNamespaces, result);
  }
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | (spec.header.namespaces & ~uint32_t{CLONE_NEWCGROUP});
  arguments.exit_signal = SIGCHLD;
  arguments.pidfd = reinterpret_cast<uint64_t>(&init->pidfd);
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  init->pid = raw_syscall(SYS_clone3, raw_address(&arguments), sizeof arguments);
  if (init->pid == 0) run_init(spec, ends[1]);
  raw_syscall(SYS_close, ends[1]);
  if (init->pid < 0) return failure(ShimStage::kNamespaces, init->pid);
  Failure said;
  const long bytes = raw_syscall(SYS_read, ends[0], raw_address(&said), sizeof said);
  raw_syscall(SYS_close, ends[0]);
  if (bytes != static_cast<long>(sizeof said)) said = failure(ShimStage::kInit, -ECHILD);
  // One that failed has ended, or is about to.
  if (said.stage != 0) raw_syscall(SYS_wait4, init->pid, 0, __WALL, 0);
  return said;
}

}  // namespace tepui::shim
