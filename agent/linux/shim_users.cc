// The part of the shim that makes a container's namespaces where one of users is among them.
//
// Who is in a user namespace is nobody outside, and never again somebody: he could put no root
// together and show no volume. So two processes share the work. Init is born in the user namespace,
// and so belong to it the other namespaces that are born with it. The builder stays root of the
// machine: in the namespaces of init it does all steps, among mounts that are the machine's, and
// what it makes belongs to root within. In the end it enters the user namespace, too, and copies
// the mounts: to those within they are as locked as if somebody else had made them. Init takes the
// copy, and the builder is gone before any command begins.

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>

#include "agent/linux/shim_base.h"

namespace tepui::shim {
namespace {

// A short text of parts, which must have room.
class Line {
 public:
  Line& add(const char* text) {
    for (; *text != 0; ++text) put(*text);
    return *this;
  }
  Line& add(uint64_t number) {
    char digits[20];
    int count = 0;
    do digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0) put(digits[--count]);
    return *this;
  }
  const char* text() const { return text_; }
  long size() const { return static_cast<long>(length_); }

 private:
  void put(char byte) {
    if (length_ + 1 < sizeof text_) text_[length_++] = byte;
  }

  char text_[96] = {};
  size_t length_ = 0;
};

long open_of(long pid, const char* file, long flags) {
  const Line path = Line().add("/proc/").add(static_cast<uint64_t>(pid)).add(file);
  return raw_syscall(SYS_openat, AT_FDCWD, raw_address(path.text()), flags | O_CLOEXEC, 0);
}

// By who has the right to give ids away: within nobody has it.
Failure map_ids(const ShimSpecHeader& header, long pid) {
  const Line map = Line().add("0 ").add(header.ids_first).add(" ").add(header.ids_count).add("\n");
  for (const char* file : {"/uid_map", "/gid_map"}) {
    const long opened = open_of(pid, file, O_WRONLY);
    if (opened < 0) return failure(ShimStage::kIds, opened);
    const long written = raw_syscall(SYS_write, opened, raw_address(map.text()), map.size());
    raw_syscall(SYS_close, opened);
    if (written < 0) return failure(ShimStage::kIds, written);
  }
  return {};
}

// A message with a descriptor, or that of the other side; the descriptor, or minus an errno.
union Attached {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

long send_descriptor(long socket, long descriptor) {
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  Attached attached{};
  attached.header.cmsg_level = SOL_SOCKET;
  attached.header.cmsg_type = SCM_RIGHTS;
  attached.header.cmsg_len = CMSG_LEN(sizeof(int));
  const int number = static_cast<int>(descriptor);
  __builtin_memcpy(CMSG_DATA(&attached.header), &number, sizeof number);
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &attached;
  message.msg_controllen = sizeof attached;
  return raw_syscall(SYS_sendmsg, socket, raw_address(&message), MSG_NOSIGNAL);
}

long receive_descriptor(long socket) {
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  Attached attached{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &attached;
  message.msg_controllen = sizeof attached;
  const long bytes = raw_syscall(SYS_recvmsg, socket, raw_address(&message), MSG_CMSG_CLOEXEC);
  if (bytes != 1 || attached.header.cmsg_len != CMSG_LEN(sizeof(int))) return -EPROTO;
  int number = -1;
  __builtin_memcpy(&number, CMSG_DATA(&attached.header), sizeof number);
  return number;
}

void say(long to, const Failure& failed) {
  raw_syscall(SYS_write, to, raw_address(&failed), sizeof failed);
}

Failure hear(long from) {
  Failure said;
  const long bytes = raw_syscall(SYS_read, from, raw_address(&said), sizeof said);
  return bytes == static_cast<long>(sizeof said) ? said : failure(ShimStage::kInit, -ECHILD);
}

// Root of the user namespace, in the cgroup that is to be the root of them.
Failure become_root_within(const ShimSpecHeader& header) {
  long result = raw_syscall(SYS_setgroups, 0, 0);
  if (result >= 0) result = raw_syscall(SYS_setresgid, 0, 0, 0);
  if (result >= 0) result = raw_syscall(SYS_setresuid, 0, 0, 0);
  if (result < 0) return failure(ShimStage::kIds, result);
  if ((header.namespaces & CLONE_NEWCGROUP) != 0) {
    result = raw_syscall(SYS_unshare, CLONE_NEWCGROUP);
  }
  return result < 0 ? failure(ShimStage::kNamespaces, result) : Failure{};
}

Failure take_mounts(long socket) {
  const long mounts = receive_descriptor(socket);
  if (mounts < 0) return failure(ShimStage::kNamespaces, mounts);
  const long result = raw_syscall(SYS_setns, mounts, CLONE_NEWNS);
  return result < 0 ? failure(ShimStage::kNamespaces, result) : Failure{};
}

[[noreturn]] void run_init(const Spec& spec, long socket) {
  char ids_are_there = 0;
  if (raw_syscall(SYS_read, socket, raw_address(&ids_are_there), 1) != 1) leave(kExitLaunchFailed);
  Failure failed = become_root_within(spec.header);
  // Whoever changes his ids forgets it.
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  say(socket, failed);
  if (failed.stage == 0) failed = take_mounts(socket);
  if (failed.stage == 0) {
    forget_spec(spec);
    become_harmless(socket);
  }
  // From here on the command may run.
  say(socket, failed);
  if (failed.stage != 0) leave(kExitLaunchFailed);
  raw_syscall(SYS_close, socket);
  idle();
}

// What this process makes from now on belongs to root within, and it may all that it might before.
long make_for_root_within(const ShimSpecHeader& header) {
  const long result = raw_syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
  if (result < 0) return result;
  raw_syscall(SYS_setfsgid, header.ids_first);
  raw_syscall(SYS_setfsuid, header.ids_first);
  return 0;
}

Failure build(const Spec& spec, const Init& init, int users) {
  const ShimSpecHeader& header = spec.header;
  const uint32_t of_init =
      header.namespaces & (CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP);
  long result = of_init == 0 ? 0 : raw_syscall(SYS_setns, init.pidfd, of_init);
  // Nothing that is mounted here may show outside.
  if (result >= 0) {
    result = raw_syscall(SYS_mount, 0, raw_address("/"), 0, MS_REC | MS_PRIVATE, 0);
  }
  if (result >= 0) result = make_for_root_within(header);
  if (result < 0) return failure(ShimStage::kNamespaces, result);
  if (const Failure failed = run_steps(spec, users); failed.stage != 0) return failed;
  result = raw_syscall(SYS_setns, users, CLONE_NEWUSER);
  if (result >= 0) result = raw_syscall(SYS_unshare, CLONE_NEWNS);
  return result < 0 ? failure(ShimStage::kNamespaces, result) : Failure{};
}

[[noreturn]] void run_builder(const Spec& spec, const Init& init, int users, long says) {
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  raw_syscall(SYS_umask, 0);
  say(says, build(spec, init, users));
  // Until the shim has the mounts, and ends this.
  while (true) raw_syscall(SYS_ppoll, 0, 0, 0, 0, sizeof(uint64_t));
}

long clone_process(uint64_t flags, int cgroup, int* pidfd) {
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | flags;
  arguments.exit_signal = SIGCHLD;
  arguments.pidfd = reinterpret_cast<uint64_t>(pidfd);
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  return raw_syscall(SYS_clone3, raw_address(&arguments), sizeof arguments);
}

void end_process(long pid) {
  raw_syscall(SYS_kill, pid, SIGKILL);
  raw_syscall(SYS_wait4, pid, 0, __WALL, 0);
}

// Has a builder make the mounts, and hands them to init.
Failure hand_mounts(const Spec& spec, const Init& init, int cgroup, long socket) {
  const long users = open_of(init.pid, "/ns/user", O_RDONLY);
  if (users < 0) return failure(ShimStage::kNamespaces, users);
  // The processes that a /proc shows are those of who mounts it, by his birth.
  if ((spec.header.namespaces & CLONE_NEWPID) != 0) {
    const long joined = raw_syscall(SYS_setns, init.pidfd, CLONE_NEWPID);
    if (joined < 0) return failure(ShimStage::kJoin, joined);
  }
  int ends[2] = {-1, -1};
  if (const long result = raw_syscall(SYS_pipe2, raw_address(ends), O_CLOEXEC); result < 0) {
    return failure(ShimStage::kNamespaces, result);
  }
  int pidfd = -1;
  const long builder = clone_process(CLONE_NEWNS, cgroup, &pidfd);
  if (builder == 0) run_builder(spec, init, static_cast<int>(users), ends[1]);
  raw_syscall(SYS_close, ends[1]);
  raw_syscall(SYS_close, users);
  Failure failed = builder < 0 ? failure(ShimStage::kNamespaces, builder) : hear(ends[0]);
  raw_syscall(SYS_close, ends[0]);
  if (failed.stage == 0) {
    const long mounts = open_of(builder, "/ns/mnt", O_RDONLY);
    const long sent = mounts < 0 ? mounts : send_descriptor(socket, mounts);
    if (mounts >= 0) raw_syscall(SYS_close, mounts);
    if (sent < 0) failed = failure(ShimStage::kNamespaces, sent);
  }
  if (builder > 0) {
    end_process(builder);
    raw_syscall(SYS_close, pidfd);
  }
  return failed;
}

Failure prepare(const Spec& spec, const Init& init, int cgroup, long socket) {
  if (const Failure failed = map_ids(spec.header, init.pid); failed.stage != 0) return failed;
  const char ids_are_there = 1;
  raw_syscall(SYS_write, socket, raw_address(&ids_are_there), 1);
  if (const Failure failed = hear(socket); failed.stage != 0) return failed;
  if (const Failure failed = hand_mounts(spec, init, cgroup, socket); failed.stage != 0) {
    return failed;
  }
  return hear(socket);
}

}  // namespace

Failure start_init_of_users(const Spec& spec, int cgroup, Init* init) {
  // The mounts are not without a user namespace, and the other way round: so the agent has it.
  if ((spec.header.namespaces & CLONE_NEWNS) == 0 || spec.header.ids_count == 0) {
    return failure(ShimStage::kSpec, -EPROTO);
  }
  int ends[2] = {-1, -1};
  if (const long result =
          raw_syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw_address(ends));
      result < 0) {
    return failure(ShimStage::kNamespaces, result);
  }
  const uint32_t later = CLONE_NEWNS | CLONE_NEWCGROUP;
  init->pid = clone_process(spec.header.namespaces & ~later, cgroup, &init->pidfd);
  if (init->pid == 0) {
    raw_syscall(SYS_close, ends[0]);
    run_init(spec, ends[1]);
  }
  raw_syscall(SYS_close, ends[1]);
  if (init->pid < 0) return failure(ShimStage::kNamespaces, init->pid);
  const Failure failed = prepare(spec, *init, cgroup, ends[0]);
  raw_syscall(SYS_close, ends[0]);
  if (failed.stage != 0) end_process(init->pid);
  return failed;
}

}  // namespace tepui::shim
