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

// MNT_DETACH, of a header that does not go with linux/mount.h.
constexpr long kDetach = 2;
// Where links lead to after the old root is gone: nowhere but inside, and to no open file.
constexpr uint64_t kInRoot = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

long open_file(int directory, const char* path, uint64_t flags, uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  return raw_syscall(SYS_openat2, directory, raw_address(path), raw_address(&how), sizeof how);
}

// A descriptor that only names what is there, or minus an errno.
long open_path(int directory, const char* path, uint64_t resolve) {
  return open_file(directory, path, O_PATH, resolve);
}

void close_file(long file) {
  if (file >= 0) raw_syscall(SYS_close, file);
}

const char* last_part(const char* path) {
  const char* last = path;
  for (const char* at = path; *at != 0; ++at) {
    if (*at == '/') last = at + 1;
  }
  return last;
}

// A descriptor of the directory, made with all that is missing on the way to it.
long make_directory(const char* path, uint64_t mode, uint64_t resolve) {
  // Mostly it is there.
  const long there = open_file(AT_FDCWD, path, O_PATH | O_DIRECTORY, resolve);
  if (there != -ENOENT) return there;
  char part[PATH_MAX];
  size_t length = 0;
  long reached = open_path(AT_FDCWD, "/", resolve);
  for (const char* at = path; *at != 0 && reached >= 0; ++at) {
    if (length + 1 >= sizeof part) return -ENAMETOOLONG;
    part[length++] = *at;
    part[length] = 0;
    const bool is_end = at[1] == 0;
    if (*at == '/' || (!is_end && at[1] != '/')) continue;
    long next = open_file(AT_FDCWD, part, O_PATH | O_DIRECTORY, resolve);
    if (next == -ENOENT) {
      next = raw_syscall(SYS_mkdirat, reached, raw_address(last_part(part)), is_end ? mode : 0755);
      if (next >= 0) next = open_file(AT_FDCWD, part, O_PATH | O_DIRECTORY, resolve);
    }
    close_file(reached);
    reached = next;
  }
  return reached;
}

// A descriptor that names the file, made if it is missing; a link that leads nowhere gives way.
long make_file(const char* path) {
  const long there = open_path(AT_FDCWD, path, kInRoot);
  if (there != -ENOENT) return there;
  char parent[PATH_MAX];
  const char* name = last_part(path);
  const auto length = static_cast<size_t>(name - path);
  if (length >= sizeof parent) return -ENAMETOOLONG;
  __builtin_memcpy(parent, path, length);
  parent[length] = 0;
  const long directory = make_directory(parent, 0755, kInRoot);
  if (directory < 0) return directory;
  raw_syscall(SYS_unlinkat, directory, raw_address(name), 0);
  constexpr long kFlags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  const long made = raw_syscall(SYS_openat, directory, raw_address(name), kFlags, 0644);
  close_file(directory);
  if (made < 0) return made;
  close_file(made);
  return open_path(AT_FDCWD, path, kInRoot);
}

long write_file(const char* path, const char* bytes) {
  const long there = make_file(path);
  if (there < 0) return there;
  close_file(there);
  const long file = open_file(AT_FDCWD, path, O_WRONLY | O_TRUNC | O_NONBLOCK, kInRoot);
  if (file < 0) return file;
  long length = 0;
  while (bytes[length] != 0) ++length;
  const long written = raw_syscall(SYS_write, file, raw_address(bytes), length);
  close_file(file);
  return written;
}

// `users`: by which ids are mapped, where that is among the attributes.
long set_attributes(int directory, const char* path, long flags, uint64_t attributes,
                    int users = -1) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  if ((attributes & MOUNT_ATTR_IDMAP) != 0) wanted.userns_fd = static_cast<uint64_t>(users);
  return raw_syscall(SYS_mount_setattr, directory, raw_address(path), flags, raw_address(&wanted),
                     sizeof wanted);
}

// A copy of what is mounted at `source`, with its attributes, that is not mounted anywhere yet.
// `within`: of a source that is relative to it and must not lead out of it.
long open_tree(const char* source, const char* within, uint64_t attributes, int users) {
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
      set_attributes(static_cast<int>(tree), "", AT_EMPTY_PATH | AT_RECURSIVE, attributes, users);
  return set < 0 ? set : tree;
}

long attach(long tree, const char* target) {
  return raw_syscall(SYS_move_mount, tree, raw_address(""), AT_FDCWD, raw_address(target),
                     MOVE_MOUNT_F_EMPTY_PATH);
}

// A file system that is empty, that nobody can write to, and that is not mounted anywhere yet.
long make_emptiness() {
  const long context = raw_syscall(SYS_fsopen, raw_address("tmpfs"), FSOPEN_CLOEXEC);
  if (context < 0) return context;
  const auto set = [context](const char* name, const char* value) {
    return raw_syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, raw_address(name),
                       raw_address(value), 0);
  };
  long result = set("size", "0");
  if (result >= 0) result = set("mode", "0755");
  if (result >= 0) result = set("nr_inodes", "2");
  if (result >= 0) result = raw_syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) {
    result = raw_syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  }
  raw_syscall(SYS_close, context);
  return result;
}

long attach_in_root(long tree, const char* target, uint64_t flags) {
  long place = open_path(AT_FDCWD, target, kInRoot);
  if (place == -ENOENT && (flags & kShimMake) != 0) {
    struct stat status{};
    const long looked = raw_syscall(SYS_fstat, tree, raw_address(&status));
    if (looked < 0) return looked;
    place = S_ISDIR(status.st_mode) ? make_directory(target, 0755, kInRoot) : make_file(target);
  }
  if (place < 0) return place;
  const long result = raw_syscall(SYS_move_mount, tree, raw_address(""), place, raw_address(""),
                                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  close_file(place);
  return result;
}

// A file system at a target that is made if it is not there.
long mount_in_root(const ShimStep& step, const StepTexts& texts) {
  const auto flags = static_cast<long>(step.flags);
  if ((flags & MS_REMOUNT) != 0) {
    return mount(texts.source, texts.target, texts.type, flags, texts.data);
  }
  const long place = make_directory(texts.target, 0755, kInRoot);
  if (place < 0) return place;
  long result = raw_syscall(SYS_fchdir, place);
  if (result >= 0) result = mount(texts.source, ".", texts.type, flags, texts.data);
  raw_syscall(SYS_chdir, raw_address("/"));
  close_file(place);
  return result;
}

// The old root ends up under the new one, and is taken off it.
long pivot(const char* target) {
  long result = raw_syscall(SYS_chdir, raw_address(target));
  if (result >= 0) result = raw_syscall(SYS_pivot_root, raw_address("."), raw_address("."));
  if (result >= 0) result = raw_syscall(SYS_umount2, raw_address("."), kDetach);
  if (result >= 0) result = raw_syscall(SYS_chdir, raw_address("/"));
  return result;
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
  Steps(const Spec& spec, int users) : spec_(spec), users_(users) {
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
        if (in_root_) return mount_in_root(step, texts);
        return mount(texts.source, texts.target, texts.type, static_cast<long>(step.flags),
                     texts.data);
      case ShimStepKind::kOpenTree:
        if (step.slot >= kShimSlots) return -EPROTO;
        trees_[step.slot] = open_tree(texts.source, texts.data, step.flags, users_);
        return trees_[step.slot];
      case ShimStepKind::kAttach:
        if (step.slot >= kShimSlots) return -EPROTO;
        if (trees_[step.slot] < 0) return -EBADF;
        return in_root_ ? attach_in_root(trees_[step.slot], texts.target, step.flags)
                        : attach(trees_[step.slot], texts.target);
      case ShimStepKind::kDirectory:
        return make_only(texts.target, step.flags);
      case ShimStepKind::kAttributes:
        return set_attributes(AT_FDCWD, texts.target, AT_RECURSIVE, step.flags);
      case ShimStepKind::kHide:
        return hide(texts.target);
      case ShimStepKind::kHostname:
        return set_hostname(texts.source);
      case ShimStepKind::kLoopback:
        return bring_up_loopback();
      case ShimStepKind::kEnter:
        return raw_syscall(SYS_chdir, raw_address(texts.target));
      case ShimStepKind::kPivot:
        in_root_ = true;
        return pivot(texts.target);
      case ShimStepKind::kFile:
        return write_file(texts.target, texts.data);
      case ShimStepKind::kLink:
        return raw_syscall(SYS_symlinkat, raw_address(texts.source), AT_FDCWD,
                           raw_address(texts.target));
    }
    return -EPROTO;
  }

  // An empty directory that nobody can write to, or the null device. All directories are the same:
  // a file system is made, and unmade with the container, ten times slower than one more mount of
  // it.
  long hide(const char* path) {
    struct stat status{};
    const long found =
        raw_syscall(SYS_newfstatat, AT_FDCWD, raw_address(path), raw_address(&status), 0);
    if (found < 0) return found;
    if (!S_ISDIR(status.st_mode)) return mount("/dev/null", path, "", MS_BIND, "");
    if (emptiness_ < 0) {
      emptiness_ = make_emptiness();
      return emptiness_ < 0 ? emptiness_ : attach(emptiness_, path);
    }
    const long tree = raw_syscall(SYS_open_tree, emptiness_, raw_address(""),
                                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0) return tree;
    const long result = attach(tree, path);
    close_file(tree);
    return result;
  }

  long make_only(const char* target, uint64_t mode) const {
    const long directory = make_directory(target, mode, in_root_ ? kInRoot : 0);
    close_file(directory);
    return directory;
  }

  const Spec& spec_;
  const int users_;
  bool in_root_ = false;
  long emptiness_ = -EBADF;  // what hides directories, once there is any
  long trees_[kShimSlots];
};

}  // namespace

Failure run_steps(const Spec& spec, int users) { return Steps(spec, users).run(); }

void become_harmless(long kept) {
  if (kept > 0) raw_syscall(SYS_close_range, 0, kept - 1, 0);
  raw_syscall(SYS_close_range, kept + 1, ~0U, 0);
  raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  raw_syscall(SYS_prctl, PR_SET_NAME, raw_address("tepui-init"), 0, 0, 0);
  drop_capabilities();
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

namespace {

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
  if (failed.stage == 0) failed = run_steps(spec, -1);
  if (failed.stage == 0) {
    forget_spec(spec);
    become_harmless(says);
  }
  // From here on the command may run.
  raw_syscall(SYS_write, says, raw_address(&failed), sizeof failed);
  if (failed.stage != 0) leave(kExitLaunchFailed);
  raw_syscall(SYS_close, says);
  idle();
}

}  // namespace

Failure start_init(const Spec& spec, int cgroup, Init* init) {
  if ((spec.header.namespaces & CLONE_NEWUSER) != 0) return start_init_of_users(spec, cgroup, init);
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
