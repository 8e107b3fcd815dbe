#include "agent/fetch/confine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "agent/linux/files.h"
#include "agent/linux/seccomp_profile.h"
#include "common/commands.h"
#include "common/limits.h"

namespace tepui {

namespace {

using Kind = FetchJob::Kind;

Result<void> check(long result, std::string_view doing) {
  if (result < 0) return std::unexpected(system_error(errno, doing));
  return {};
}

bool is_directory(int fd) {
  struct stat status{};
  return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

// A detached copy of the mount at what a descriptor or path names; nothing above it is in it, and
// of mounts below only with AT_RECURSIVE.
Result<Fd> copy_tree(int fd, const char* path, unsigned recursive) {
  Fd copy(open_tree(fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive));
  if (!copy) return std::unexpected(system_error(errno, fmt::format("copying the mount {}", path)));
  return copy;
}

Result<void> attach(int tree, const std::string& where, uint64_t attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  TRY(check(mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change),
            "limiting the mount " + where));
  for (size_t end = where.find('/', 1); end != where.npos; end = where.find('/', end + 1)) {
    mkdir(where.substr(0, end).c_str(), 0755);
  }
  mkdir(where.c_str(), 0755);
  return check(move_mount(tree, "", AT_FDCWD, where.c_str(), MOVE_MOUNT_F_EMPTY_PATH),
               "mounting " + where);
}

struct HandedDirectory {
  int number = -1;
  Fd tree;
  const char* place = "";
  bool writable = false;
};

// /proc exists everywhere, and is not needed here.
Result<void> change_root(const FetchJob& job, const std::vector<HandedDirectory>& handed) {
  constexpr uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const std::string root = "/proc";
  std::vector<std::string> seen = {"/lib", "/lib64", "/usr"};
  // Names, certificates, and where systemd keeps the list of name servers.
  if (job.kind == Kind::kFetch) seen.insert(seen.end(), {"/etc", "/run/systemd/resolve"});
  std::vector<std::pair<std::string, Fd>> trees;
  for (const std::string& path : seen) {
    Result<Fd> tree = copy_tree(AT_FDCWD, path.c_str(), AT_RECURSIVE);
    if (tree) {
      trees.emplace_back(path, *std::move(tree));
    } else if (tree.error().code != ENOENT) {
      return std::unexpected(std::move(tree).error());
    }
  }
  TRY(check(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "making mounts private"));
  TRY(check(mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k"),
            "mounting a root"));
  for (const auto& [path, tree] : trees) {
    TRY(attach(tree.get(), root + path, kHarmless | MOUNT_ATTR_RDONLY));
  }
  for (const HandedDirectory& one : handed) {
    TRY(attach(one.tree.get(), root + one.place,
               kHarmless | MOUNT_ATTR_NOEXEC | (one.writable ? 0 : MOUNT_ATTR_RDONLY)));
  }
  TRY(check(chdir(root.c_str()), "entering the root"));
  TRY(check(syscall(SYS_pivot_root, ".", "."), "changing the root"));
  TRY(check(umount2(".", MNT_DETACH), "leaving the machine's root"));
  TRY(check(chdir("/"), "entering the root"));
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  TRY(check(mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only), "closing the root"));
  for (const HandedDirectory& one : handed) {
    const Fd again(open(one.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!again || dup2(again.get(), one.number) < 0) {
      return std::unexpected(system_error(errno, "opening a directory again"));
    }
  }
  return {};
}

Result<void> enter_namespaces(const FetchJob& job) {
  std::vector<HandedDirectory> handed;
  if (job.kind == Kind::kPlace || job.kind == Kind::kUnpack) {
    handed.push_back({.number = kFetchOutput, .tree = {}, .place = "/output", .writable = true});
  }
  if (is_directory(kFetchInput)) {
    handed.push_back({.number = kFetchInput, .tree = {}, .place = "/input"});
  }
  // Before the namespace: they are mounts of this one.
  for (HandedDirectory& one : handed) one.tree = TRY(copy_tree(one.number, "", 0));
  int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP;
  if (job.kind != Kind::kFetch || local_path(job.uri) != std::string_view()) {
    flags |= CLONE_NEWNET;
  }
  TRY(check(unshare(flags), "making namespaces"));
  return change_root(job, handed);
}

// The child goes on. The parent is nothing but its end.
Result<void> become_first_process() {
  const pid_t child = fork();
  TRY(check(child, "starting a process in the namespaces"));
  if (child == 0) return {};
  for (int fd = STDIN_FILENO; fd <= kFetchInput; ++fd) close(fd);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) kill(getpid(), WTERMSIG(status));
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

Result<void> die_with_parent() {
  TRY(check(prctl(PR_SET_PDEATHSIG, SIGKILL), "asking to die with the agent"));
  // It may have died before: then nobody reads what is said here.
  pollfd listener{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  if (poll(&listener, 1, 0) > 0 && (listener.revents & POLLERR) != 0) _exit(1);
  return {};
}

Result<void> limit(const FetchJob& job) {
  const std::pair<int, uint64_t> bounds[] = {
      {RLIMIT_CORE, 0},
      {RLIMIT_NOFILE, 256},
      {RLIMIT_AS, limits::kFetchMemoryBytesMax},
      {RLIMIT_CPU, limits::kFetchCpuSecsMax},
      {RLIMIT_FSIZE, job.bytes_max},
  };
  for (const auto& [resource, most] : bounds) {
    const rlimit both{.rlim_cur = most, .rlim_max = most};
    TRY(check(setrlimit(static_cast<__rlimit_resource>(resource), &both), "limiting this process"));
  }
  // Writing beyond the limit is an error that can be told.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  return {};
}

Result<void> keep_capabilities(CapabilitySet kept) {
  for (int i = 0; i < kCapabilityCount; ++i) {
    if ((kept >> i & 1) != 0) continue;
    // One that this kernel does not know, nobody has.
    if (prctl(PR_CAPBSET_DROP, i) != 0 && errno != EINVAL) {
      return std::unexpected(system_error(errno, "limiting capabilities"));
    }
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  for (int i = 0; i < 2; ++i) {
    data[i].effective = data[i].permitted = static_cast<uint32_t>(kept >> (32 * i));
  }
  return check(syscall(SYS_capset, &header, data), "giving up capabilities");
}

Result<void> become_user(const FetchJob& job) {
  if (job.kind == Kind::kUnpack) {
    // Files in an image belong to whom it says.
    return keep_capabilities(
        TRY(parse_capabilities({"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"})));
  }
  TRY(check(setgroups(job.groups.size(), job.groups.data()), "setting groups"));
  TRY(check(setresgid(job.gid, job.gid, job.gid), "setting the group"));
  TRY(check(setresuid(job.uid, job.uid, job.uid), "setting the user"));
  if (job.uid != 0) return {};
  return keep_capabilities(0);
}

Result<void> filter_calls(const std::string& filter) {
  sock_fprog program{.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
                     .filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()))};
  return check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "filtering system calls");
}

}  // namespace

Result<Fd> open_as_user(const FetchJob& job, const std::string& path) {
  const bool is_root = geteuid() == 0;
  if (is_root) {
    TRY(check(setgroups(job.groups.size(), job.groups.data()), "setting groups"));
    setfsgid(job.gid);
    setfsuid(job.uid);  // without the capabilities that are about files
  }
  // A pipe or a device would not be waited for.
  Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  const int code = errno;
  if (is_root) {
    setfsuid(0);
    setfsgid(0);
  }
  if (!file) return std::unexpected(system_error(code, "opening it"));
  struct stat status{};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail("it is not a regular file");
  }
  return file;
}

Result<void> confine(const FetchJob& job) {
  const bool is_root = geteuid() == 0;
  TRY(die_with_parent());
  if (is_root) {
    TRY(enter_namespaces(job));
    TRY(become_first_process());
  }
  umask(022);
  // Made in a file, as long as one may be written.
  const std::string filter = TRY(SeccompProfiles().filter(0));
  TRY(limit(job));
  if (is_root) TRY(become_user(job));
  // Changing the user made the kernel forget it.
  TRY(die_with_parent());
  TRY(check(prctl(PR_SET_DUMPABLE, 0), "closing this process to others"));
  TRY(check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "promising not to gain privileges"));
  return filter_calls(filter);
}

}  // namespace tepui
