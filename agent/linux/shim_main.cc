// tepui-shim supervises the command of one container: starts it, born in the container's cgroup, in
// a session of its own; reaps it; leaves a record of how it ended; and outlives the agent.
//
// The report goes into a pipe, for the agent that waits, and into a file, for one that does not
// live yet: the agent may end at any moment.
//
// Invariants: either the report says that the launch failed and no command runs, or it says
// "started" and an exit record follows, written when the command itself ends, whatever it left
// running. The shim itself stays outside of the container's cgroup, so cgroup.kill spares it.
//
// Without a cgroup the shim is how a container is killed: SIGTERM makes it kill all descendants,
// and it ends only when none is left.
//
// Built without any library, not even that of C: a machine runs one shim per container, and the
// start of a process is mostly the mapping of its pages. So: system calls as they are (minus an
// errno is a failure), no heap, no global state.

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include "agent/linux/clone_into.h"
#include "agent/linux/shim_base.h"

// The compiler may call these two for copies and clears of its own.
extern "C" void* memcpy(void* to, const void* from, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
  }
  return to;
}
extern "C" void* memset(void* to, int value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<char*>(to)[i] = static_cast<char>(value);
  return to;
}

namespace tepui::shim {
namespace {

constexpr int kExitRecordLost = 2;
constexpr size_t kChildStackBytes = 16 << 10;
// The kernel's set of signals: one bit each.
using SignalSet = uint64_t;
constexpr SignalSet signal_bit(int number) { return SignalSet{1} << (number - 1); }

// What the child tells the shim through their common memory.
struct Launch {
  const Spec* spec = nullptr;
  int namespaces = -1;  // to join
  uint32_t namespace_flags = 0;
  volatile uint32_t stage = 0;
  volatile int code = 0;
};

long open_runtime(const char* file, int flags) {
  return raw_syscall(SYS_openat, kShimRuntimeFd, raw_address(file), flags | O_CLOEXEC, 0600);
}

ShimReport make_report(uint32_t stage, int code, long pid) {
  ShimReport report{};
  report.stage = stage;
  report.code = code;
  report.pid = static_cast<int32_t>(pid);
  timespec now{};
  raw_syscall(SYS_clock_gettime, CLOCK_BOOTTIME, raw_address(&now));
  report.reported_at_boot_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  struct stat errors{};
  // A pipe: a logger changes the files.
  if (raw_syscall(SYS_fstat, 2, raw_address(&errors)) == 0 && S_ISREG(errors.st_mode)) {
    report.stderr_inode = errors.st_ino;
  }
  report.checksum =
      shim_checksum(reinterpret_cast<const unsigned char*>(&report), kShimReportChecked);
  return report;
}

// Over the one before, whose space it has. Not synced: it is for this boot of the machine only.
long keep_report(const ShimReport& report) {
  const long file = open_runtime(kShimReportFile, O_CREAT | O_WRONLY);
  if (file < 0) return file;
  const long written = raw_syscall(SYS_pwrite64, file, raw_address(&report), sizeof report, 0);
  raw_syscall(SYS_close, file);
  return written;
}

// Nobody may listen any more; SIGPIPE is blocked.
void keep_and_send(const ShimReport& report) {
  keep_report(report);
  raw_syscall(SYS_write, kShimReportFd, raw_address(&report), sizeof report);
}

[[noreturn]] void fail_launch(Failure failed) {
  keep_and_send(make_report(failed.stage, failed.code, 0));
  leave(kExitLaunchFailed);
}

// Runs in the child, in the shim's memory and on its own stack.
void run_command(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  const Failure failed = become_command(*launch->spec, launch->namespaces, launch->namespace_flags);
  launch->code = failed.code;
  launch->stage = failed.stage;
  leave(kExitLaunchFailed);
}

// The lock says to any later agent that this shim lives, and which pid it is. The record's space
// is taken now: a disk that fills up later cannot cost the record.
long prepare_runtime() {
  auto check = [](long result) {
    if (result < 0) fail_launch(failure(ShimStage::kRuntime, result));
    return result;
  };
  const long lock = check(open_runtime(kShimLockFile, O_CREAT | O_RDWR));
  struct flock whole{};
  whole.l_type = F_WRLCK;
  check(raw_syscall(SYS_fcntl, lock, F_SETLK, raw_address(&whole)));
  const long draft = check(open_runtime(kExitRecordDraft, O_CREAT | O_EXCL | O_WRONLY));
  const long taken = raw_syscall(SYS_fallocate, draft, 0, 0, sizeof(ExitRecordData));
  if (taken != -EOPNOTSUPP) check(taken);
  raw_syscall(SYS_close, draft);
  check(keep_report(make_report(static_cast<uint32_t>(ShimStage::kPending), 0, 0)));
  return lock;
}

// Whole or not at all for whoever looks. Not synced: it must outlive the shim and the agent, not
// the machine. After a reboot nobody reads it, for what ran before is gone, and what is reported of
// a task is in the agent's log before it is.
bool write_record(const ExitRecordData& record) {
  const long draft = open_runtime(kExitRecordDraft, O_WRONLY);
  if (draft < 0) return false;
  const bool written =
      raw_syscall(SYS_write, draft, raw_address(&record), sizeof record) == long{sizeof record} &&
      raw_syscall(SYS_renameat2, kShimRuntimeFd, raw_address(kExitRecordDraft), kShimRuntimeFd,
                  raw_address(kExitRecordFile), 0) == 0;
  raw_syscall(SYS_close, draft);
  return written;
}

int64_t microseconds(const timeval& time) {
  return int64_t{time.tv_sec} * 1'000'000 + int64_t{time.tv_usec};
}

// The command stays a zombie: as long as the shim lives, nobody else can get its pid, so that a
// signal the agent sends meanwhile cannot reach a stranger.
ExitRecordData make_record(long pid) {
  siginfo_t info{};
  rusage usage{};
  raw_syscall(SYS_waitid, P_PID, pid, raw_address(&info), WEXITED | WNOWAIT | __WALL,
              raw_address(&usage));
  ExitRecordData record{};
  const ExitKind kind = info.si_code == CLD_EXITED ? ExitKind::kExited : ExitKind::kSignaled;
  record.kind = static_cast<uint32_t>(kind);
  record.value = info.si_status;
  record.pid = static_cast<int32_t>(pid);
  timespec now{};
  raw_syscall(SYS_clock_gettime, CLOCK_REALTIME, raw_address(&now));
  record.ended_at_unix_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  record.user_us = microseconds(usage.ru_utime);
  record.system_us = microseconds(usage.ru_stime);
  record.memory_peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  record.checksum =
      shim_checksum(reinterpret_cast<const unsigned char*>(&record), kExitRecordChecked);
  return record;
}

// "/proc/PID/task/PID/children" into `path`, which has room for it.
void name_children_file(long pid, char* path) {
  char digits[24];
  int count = 0;
  for (long rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  for (const char* at = "/proc/#/task/#/children"; *at != 0; ++at) {
    if (*at != '#') {
      *path++ = *at;
      continue;
    }
    for (int i = count; i > 0; --i) *path++ = digits[i - 1];
  }
  *path = 0;
}

// Kills the children of `pid` and, after each, its children: nobody gets to see his children die
// and to end by himself. Orphans become children of the shim, so that repeating it from the shim
// reaches everybody.
void kill_descendants(long pid, int depth) {
  constexpr int kDepthMax = 32;
  char path[96];
  name_children_file(pid, path);
  const long file = raw_syscall(SYS_openat, AT_FDCWD, raw_address(path), O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return;
  char text[1024];
  const long bytes = raw_syscall(SYS_read, file, raw_address(text), sizeof text);
  raw_syscall(SYS_close, file);
  // A list longer than the buffer may end in half a number, which no space follows and which is
  // not used; the rest is met the next time.
  long child = 0;
  for (long i = 0; i < bytes; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      child = child * 10 + (text[i] - '0');
      continue;
    }
    if (child > 1) {
      raw_syscall(SYS_kill, child, SIGKILL);
      if (depth < kDepthMax) kill_descendants(child, depth + 1);
    }
    child = 0;
  }
}

// Returns when no descendant is left.
void bury_descendants() {
  const long self = raw_syscall(SYS_getpid);
  while (true) {
    kill_descendants(self, 0);
    const timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
    raw_syscall(SYS_nanosleep, raw_address(&moment), 0);
    long pid = 0;
    do {
      pid = raw_syscall(SYS_wait4, -1, 0, WNOHANG | __WALL, 0);
    } while (pid > 0);
    if (pid == -ECHILD) return;
  }
}

// Reaps orphans until the command has ended. True if the shim was told to kill everything.
bool supervise(long command) {
  const SignalSet awaited = signal_bit(SIGCHLD) | signal_bit(SIGTERM);
  bool told_to_kill = false;
  while (true) {
    siginfo_t ended{};
    while (raw_syscall(SYS_waitid, P_ALL, 0, raw_address(&ended),
                       WEXITED | WNOHANG | WNOWAIT | __WALL, 0) == 0 &&
           ended.si_pid != 0) {
      if (ended.si_pid == command) return told_to_kill;
      raw_syscall(SYS_wait4, ended.si_pid, 0, WNOHANG | __WALL, 0);
      ended.si_pid = 0;
    }
    if (raw_syscall(SYS_rt_sigtimedwait, raw_address(&awaited), 0, 0, sizeof awaited) == SIGTERM) {
      told_to_kill = true;
      kill_descendants(raw_syscall(SYS_getpid), 0);
    }
  }
}

// The process that holds the namespaces of the container, if it has any of its own.
Init prepare_namespaces(Launch* launch, bool has_cgroup) {
  const ShimSpecHeader& header = launch->spec->header;
  Init init;
  if (header.namespaces != 0) {
    const Failure failed = start_init(*launch->spec, has_cgroup ? kShimCgroupFd : -1, &init);
    if (failed.stage != 0) fail_launch(failed);
    launch->namespaces = init.pidfd;
    launch->namespace_flags = header.namespaces;
  } else if (header.joins != 0) {
    launch->namespaces = kShimJoinFd;
    launch->namespace_flags = header.joins;
  }
  // Of pids it shows only in the children of who joins.
  if ((launch->namespace_flags & CLONE_NEWPID) != 0) {
    const long joined = raw_syscall(SYS_setns, launch->namespaces, CLONE_NEWPID);
    if (joined < 0) fail_launch(failure(ShimStage::kJoin, joined));
  }
  return init;
}

long start_command(Launch* launch, bool has_cgroup) {
  const long stack = raw_syscall(SYS_mmap, 0, kChildStackBytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (is_error(stack)) fail_launch(failure(ShimStage::kClone, stack));
  const long pid = clone_into(CloneRequest{
      .cgroup = has_cgroup ? kShimCgroupFd : -1,
      .pidfd = nullptr,
      .stack = reinterpret_cast<char*>(stack),  // NOLINT(performance-no-int-to-ptr): the kernel's
      .stack_bytes = kChildStackBytes,
      .run = run_command,
      .argument = launch});
  if (pid < 0) fail_launch(failure(ShimStage::kClone, pid));
  if (launch->stage != 0) fail_launch({.stage = launch->stage, .code = launch->code});
  raw_syscall(SYS_munmap, stack, kChildStackBytes);
  return pid;
}

// What only the launch needed: a shim that waits holds next to nothing. The lock stays.
void let_go(const Spec& spec, const Launch& launch, long lock) {
  forget_spec(spec);
  const long null =
      raw_syscall(SYS_openat, AT_FDCWD, raw_address("/dev/null"), O_RDWR | O_CLOEXEC, 0);
  for (int fd = 0; fd <= 2; ++fd) {
    if (null >= 0) raw_syscall(SYS_dup3, null, fd, 0);
  }
  if (launch.namespaces >= 0) raw_syscall(SYS_close, launch.namespaces);
  raw_syscall(SYS_close, null);
  for (int fd = kShimSpecFd; fd < kShimFdEnd; ++fd) {
    // The number of one that was never there may be that of the lock.
    if (fd != kShimRuntimeFd && fd != lock) raw_syscall(SYS_close, fd);
  }
}

int supervise_container() {
  const SignalSet all = ~SignalSet{0};
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw_address(&all), 0, sizeof all);
  raw_syscall(SYS_close_range, kShimSpecFd, ~0U, CLOSE_RANGE_CLOEXEC);
  raw_syscall(SYS_setsid);
  raw_syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const bool has_cgroup = raw_syscall(SYS_fcntl, kShimCgroupFd, F_GETFD) >= 0;
  Spec spec;
  if (const Failure failed = read_spec(&spec); failed.stage != 0) fail_launch(failed);
  const long lock = prepare_runtime();
  Launch launch{.spec = &spec, .stage = 0, .code = 0};
  Logger logger;
  if (spec.header.output_bytes_max != 0) {
    // Before the shim's children are born into other pids.
    const Failure failed = start_logger(spec, has_cgroup ? kShimCgroupFd : -1, &logger);
    if (failed.stage != 0) fail_launch(failed);
  }
  const Init init = prepare_namespaces(&launch, has_cgroup);
  const long command = start_command(&launch, has_cgroup);
  keep_and_send(make_report(static_cast<uint32_t>(ShimStage::kStarted), 0, command));
  let_go(spec, launch, lock);
  const bool told_to_kill = supervise(command);
  end_logger(logger);
  const bool recorded = write_record(make_record(command));
  if (!has_cgroup || told_to_kill) {
    // With it go all of its namespace, whatever they are children of.
    if (init.pid > 0) raw_syscall(SYS_kill, init.pid, SIGKILL);
    bury_descendants();
  }
  return recorded ? 0 : kExitRecordLost;
}

}  // namespace
}  // namespace tepui::shim

// Where the kernel starts the program. It needs none of what the stack holds.
extern "C" [[noreturn, gnu::used]] void tepui_shim_main() {
  tepui::shim::leave(tepui::shim::supervise_container());
}
#if defined(__x86_64__)
asm(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall tepui_shim_main\n");
#elif defined(__aarch64__)
asm(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tb tepui_shim_main\n");
#endif
