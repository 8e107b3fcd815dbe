// tepui-shim supervises the command of one container: starts it, born in the container's cgroup, in
// a session of its own; reaps it; writes how it ended durably; and outlives the agent.
//
// Invariants: either the report says that the launch failed and no command runs, or it says
// "started" and an exit record follows, written when the command itself ends, whatever it left
// running. The shim itself stays outside of the container's cgroup, so cgroup.kill spares it.
//
// Without a cgroup the shim is how a container is killed: SIGTERM makes it kill all descendants,
// and it ends only when none is left.
//
// Static, with C library calls only, no heap: a machine runs one per container.

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "agent/linux/clone_into.h"
#include "agent/linux/shim_protocol.h"

namespace tepui {
namespace {

constexpr int kExitLaunchFailed = 1;
constexpr int kExitRecordLost = 2;
constexpr size_t kChildStackBytes = 64 << 10;
constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

struct Spec {
  ShimSpecHeader header;
  const uint32_t* groups = nullptr;
  const char* program = nullptr;
  const char* directory = nullptr;
  char** arguments = nullptr;
  char** environment = nullptr;
  const char* path = kDefaultPath;
  void* file = nullptr;
  void* pointers = nullptr;
  size_t pointer_bytes = 0;
};

// What the child tells the shim through their common memory.
struct Launch {
  const Spec* spec = nullptr;
  volatile uint32_t stage = 0;
  volatile int code = 0;
};

void* map_anonymous(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

[[noreturn]] void report(ShimStage stage, int code) {
  ShimReport message{};
  message.stage = static_cast<uint32_t>(stage);
  message.code = code;
  (void)!write(kShimReportFd, &message, sizeof message);
  _exit(kExitLaunchFailed);
}

// Takes one string off the front of [*from, end), or null if none is whole.
char* take_string(char** from, char* end) {
  char* start = *from;
  auto* zero = static_cast<char*>(memchr(start, 0, static_cast<size_t>(end - start)));
  if (zero == nullptr) return nullptr;
  *from = zero + 1;
  return start;
}

bool take_strings(char** from, char* end, uint32_t count, char** into) {
  for (uint32_t i = 0; i < count; ++i) {
    into[i] = take_string(from, end);
    if (into[i] == nullptr) return false;
  }
  into[count] = nullptr;
  return true;
}

// The file is the agent's and trusted; the checks are against an agent of another version.
void read_spec(Spec* spec) {
  struct stat status{};
  if (fstat(kShimSpecFd, &status) != 0) report(ShimStage::kSpec, errno);
  const auto bytes = static_cast<size_t>(status.st_size);
  if (bytes < sizeof spec->header) report(ShimStage::kSpec, EPROTO);
  spec->file = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, kShimSpecFd, 0);
  if (spec->file == MAP_FAILED) report(ShimStage::kSpec, errno);
  memcpy(&spec->header, spec->file, sizeof spec->header);
  const ShimSpecHeader& header = spec->header;
  size_t strings_at = sizeof header + size_t{header.group_count} * sizeof(uint32_t);
  if (header.magic != kShimSpecMagic || header.bytes != bytes || strings_at > bytes ||
      header.argument_count > bytes || header.variable_count > bytes) {
    report(ShimStage::kSpec, EPROTO);
  }
  auto* start = static_cast<char*>(spec->file);
  spec->groups = reinterpret_cast<const uint32_t*>(start + sizeof header);
  spec->pointer_bytes = (size_t{header.argument_count} + header.variable_count + 2) * sizeof(char*);
  spec->pointers = map_anonymous(spec->pointer_bytes);
  if (spec->pointers == nullptr) report(ShimStage::kSpec, ENOMEM);
  spec->arguments = static_cast<char**>(spec->pointers);
  spec->environment = spec->arguments + header.argument_count + 1;
  char* from = start + strings_at;
  char* end = start + bytes;
  spec->program = take_string(&from, end);
  spec->directory = spec->program != nullptr ? take_string(&from, end) : nullptr;
  if (spec->directory == nullptr ||
      !take_strings(&from, end, header.argument_count, spec->arguments) ||
      !take_strings(&from, end, header.variable_count, spec->environment)) {
    report(ShimStage::kSpec, EPROTO);
  }
  for (char** variable = spec->environment; *variable != nullptr; ++variable) {
    if (strncmp(*variable, "PATH=", 5) == 0) spec->path = *variable + 5;
  }
}

// The rules of execvp, with the PATH that the command will see. Returns the errno of the failure.
int execute(const Spec& spec) {
  if (strchr(spec.program, '/') != nullptr) {
    execve(spec.program, spec.arguments, spec.environment);
    return errno;
  }
  int code = ENOENT;
  char file[PATH_MAX];
  for (const char* from = spec.path;; ++from) {
    const char* colon = strchrnul(from, ':');
    const auto length = static_cast<int>(colon - from);
    const int bytes = length == 0
                          ? snprintf(file, sizeof file, "%s", spec.program)
                          : snprintf(file, sizeof file, "%.*s/%s", length, from, spec.program);
    if (bytes > 0 && static_cast<size_t>(bytes) < sizeof file) {
      execve(file, spec.arguments, spec.environment);
      if (errno != ENOENT && errno != ENOTDIR) code = errno;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return code;
    }
    from = colon;
    if (*from == 0) return code;
  }
}

// Runs in the child, in the shim's memory and on its own stack: system calls only. The raw calls
// for the ids: this is one thread, and the C library's would look for more.
void run_command(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  const Spec& spec = *launch->spec;
  auto failed = [launch](ShimStage stage, int code) {
    launch->code = code;
    launch->stage = static_cast<uint32_t>(stage);
    _exit(kExitLaunchFailed);
  };
  if (setsid() < 0) failed(ShimStage::kSession, errno);
  umask(022);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  const ShimSpecHeader& header = spec.header;
  if (header.switch_user != 0 &&
      (syscall(SYS_setgroups, header.group_count, spec.groups) != 0 ||
       syscall(SYS_setresgid, header.gid, header.gid, header.gid) != 0 ||
       syscall(SYS_setresuid, header.uid, header.uid, header.uid) != 0)) {
    failed(ShimStage::kUser, errno);
  }
  if (chdir(spec.directory) != 0) failed(ShimStage::kDirectory, errno);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  failed(ShimStage::kExec, execute(spec));
}

// The lock says to any later agent that this shim lives, and which pid it is. The record's space
// is taken now: a disk that fills up later cannot cost the record.
void prepare_runtime() {
  int lock = openat(kShimRuntimeFd, kShimLockFile, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  if (lock < 0 || fcntl(lock, F_SETLK, &whole) != 0) report(ShimStage::kRuntime, errno);
  int draft =
      openat(kShimRuntimeFd, kExitRecordDraft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (draft < 0) report(ShimStage::kRuntime, errno);
  if (fallocate(draft, 0, 0, sizeof(ExitRecordData)) != 0 && errno != EOPNOTSUPP) {
    report(ShimStage::kRuntime, errno);
  }
  close(draft);
}

bool write_record(const ExitRecordData& record) {
  int draft = openat(kShimRuntimeFd, kExitRecordDraft, O_WRONLY | O_CLOEXEC);
  if (draft < 0) return false;
  bool durable = write(draft, &record, sizeof record) == ssize_t{sizeof record} &&
                 fsync(draft) == 0 &&
                 renameat(kShimRuntimeFd, kExitRecordDraft, kShimRuntimeFd, kExitRecordFile) == 0 &&
                 fsync(kShimRuntimeFd) == 0;
  close(draft);
  return durable;
}

ExitRecordData make_record(pid_t pid, int status, const rusage& usage) {
  ExitRecordData record{};
  const bool signaled = WIFSIGNALED(status);
  record.kind = static_cast<uint32_t>(signaled ? ExitKind::kSignaled : ExitKind::kExited);
  record.value = signaled ? WTERMSIG(status) : WEXITSTATUS(status);
  record.pid = pid;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  record.ended_at_unix_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  record.user_us = int64_t{usage.ru_utime.tv_sec} * 1'000'000 + usage.ru_utime.tv_usec;
  record.system_us = int64_t{usage.ru_stime.tv_sec} * 1'000'000 + usage.ru_stime.tv_usec;
  record.memory_peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  record.checksum =
      shim_checksum(reinterpret_cast<const unsigned char*>(&record), kExitRecordChecked);
  return record;
}

// Kills the children of `pid` and, before each, its children. Orphans become children of the shim,
// so that repeating it from the shim reaches everybody.
void kill_descendants(pid_t pid, int depth) {
  constexpr int kDepthMax = 32;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[1024];
  const ssize_t bytes = read(file, text, sizeof text - 1);
  close(file);
  if (bytes <= 0) return;
  text[bytes] = 0;
  // A list longer than the buffer may end in half a number, which is not used; the rest is met the
  // next time.
  char* from = text;
  for (char* space = strchr(from, ' '); space != nullptr; space = strchr(from, ' ')) {
    const auto child = static_cast<pid_t>(strtol(from, nullptr, 10));
    from = space + 1;
    if (child <= 1) continue;
    if (depth < kDepthMax) kill_descendants(child, depth + 1);
    kill(child, SIGKILL);
  }
}

// Returns when no descendant is left.
void bury_descendants() {
  while (true) {
    kill_descendants(getpid(), 0);
    constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 1'000'000};
    nanosleep(&kMoment, nullptr);
    pid_t pid = 0;
    do {
      pid = waitpid(-1, nullptr, WNOHANG | __WALL);
    } while (pid > 0);
    if (pid < 0 && errno == ECHILD) return;
  }
}

// Reaps until the command ends, orphans on the way.
ExitRecordData supervise(pid_t command) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  while (true) {
    int status = 0;
    rusage usage{};
    pid_t pid = 0;
    while ((pid = wait4(-1, &status, WNOHANG | __WALL, &usage)) > 0) {
      if (pid == command) return make_record(pid, status, usage);
    }
    siginfo_t info{};
    if (sigwaitinfo(&awaited, &info) == SIGTERM) kill_descendants(getpid(), 0);
  }
}

pid_t start_command(Launch* launch, bool has_cgroup) {
  auto* stack = static_cast<char*>(map_anonymous(kChildStackBytes));
  if (stack == nullptr) report(ShimStage::kClone, ENOMEM);
  const long pid = clone_into(CloneRequest{.cgroup = has_cgroup ? kShimCgroupFd : -1,
                                           .pidfd = nullptr,
                                           .stack = stack,
                                           .stack_bytes = kChildStackBytes,
                                           .run = run_command,
                                           .argument = launch});
  if (pid < 0) report(ShimStage::kClone, static_cast<int>(-pid));
  if (launch->stage != 0) report(static_cast<ShimStage>(launch->stage), launch->code);
  munmap(stack, kChildStackBytes);
  return static_cast<pid_t>(pid);
}

// What only the launch needed: a shim that waits holds next to nothing.
void let_go(const Spec& spec, bool has_cgroup) {
  munmap(spec.pointers, spec.pointer_bytes);
  munmap(spec.file, spec.header.bytes);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; ++fd) {
    if (null >= 0) dup2(null, fd);
  }
  close(null);
  close(kShimSpecFd);
  close(kShimReportFd);
  if (has_cgroup) close(kShimCgroupFd);
}

int supervise_container() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  close_range(kShimSpecFd, ~0U, CLOSE_RANGE_CLOEXEC);
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const bool has_cgroup = fcntl(kShimCgroupFd, F_GETFD) >= 0;
  Spec spec;
  read_spec(&spec);
  prepare_runtime();
  Launch launch{.spec = &spec, .stage = 0, .code = 0};
  const pid_t command = start_command(&launch, has_cgroup);
  ShimReport message{};
  message.pid = command;
  (void)!write(kShimReportFd, &message, sizeof message);
  let_go(spec, has_cgroup);
  const bool durable = write_record(supervise(command));
  if (!has_cgroup) bury_descendants();
  return durable ? 0 : kExitRecordLost;
}

}  // namespace
}  // namespace tepui

int main() { return tepui::supervise_container(); }
