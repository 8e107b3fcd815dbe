// The part of the shim that keeps what the command writes within bounds: a process that takes it
// from two pipes to the files in the sandbox, and begins a new file where one is full.
//
// It is in the container's cgroup, so that a task pays for its own flood, and it is the task's user
// without any capability: the sandbox is the task's, and what lies there may be a trap. Outside of
// the container's namespaces nobody within gets hold of it.
//
// What the disk does not take is lost; the command never waits for a full disk.

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cerrno>
#include <csignal>

#include "agent/linux/shim_base.h"

namespace tepui::shim {
namespace {

constexpr size_t kPartBytes = 32 << 10;
// Of each stream, when the command has ended: what a pipe holds, and no endless flood of others.
constexpr size_t kLastBytesMax = 1 << 20;

// The descriptors of the logger.
enum LoggerFd : int { kOutPipe, kOutFile, kErrorsFile, kErrorsPipe, kControl, kDirectory, kFdEnd };

class FileName {
 public:
  // "stdout", "stdout.1", …
  FileName(const char* base, uint32_t age) {
    size_t length = 0;
    for (; base[length] != 0; ++length) text_[length] = base[length];
    if (age == 0) return;
    text_[length++] = '.';
    char digits[10];
    int count = 0;
    for (; age > 0; age /= 10) digits[count++] = static_cast<char>('0' + age % 10);
    while (count > 0) text_[length++] = digits[--count];
  }
  const char* text() const { return text_; }

 private:
  char text_[24] = {};
};

class Stream {
 public:
  Stream(const char* name, int from, int to, const ShimSpecHeader& header)
      : name_(name), from_(from), to_(to), header_(header) {}

  int from() const { return from_; }

  // What is in the pipe now, up to kPartBytes; how much that was, or minus an errno.
  long move() {
    char part[kPartBytes];
    const long bytes = raw_syscall(SYS_read, from_, raw_address(part), sizeof part);
    if (bytes == 0) from_ = -1;  // nobody can write any more
    if (bytes > 0) put(part, static_cast<size_t>(bytes));
    return bytes;
  }

 private:
  void put(const char* data, size_t bytes) {
    while (bytes > 0) {
      uint64_t size = file_bytes();
      if (size >= header_.output_bytes_max) {
        begin_anew();
        size = file_bytes();
      }
      size_t part = bytes;
      if (size < header_.output_bytes_max && header_.output_bytes_max - size < part) {
        part = header_.output_bytes_max - size;
      }
      const long written = raw_syscall(SYS_write, to_, raw_address(data), part);
      if (written <= 0) return;
      data += written;
      bytes -= static_cast<size_t>(written);
    }
  }

  // Checks of the task write to the same file.
  uint64_t file_bytes() const {
    struct stat status{};
    const long found = raw_syscall(SYS_fstat, to_, raw_address(&status));
    return found < 0 ? 0 : static_cast<uint64_t>(status.st_size);
  }

  void begin_anew() {
    for (uint32_t age = header_.output_files - 1; age > 0; --age) {
      raw_syscall(SYS_renameat2, kDirectory, raw_address(FileName(name_, age - 1).text()),
                  kDirectory, raw_address(FileName(name_, age).text()), 0);
    }
    const long file = header_.output_files > 1 ? create() : -EEXIST;
    if (file < 0) {
      raw_syscall(SYS_ftruncate, to_, 0);
      return;
    }
    raw_syscall(SYS_dup3, file, to_, O_CLOEXEC);
    raw_syscall(SYS_close, file);
  }

  long create() const {
    const auto open = [this] {
      return raw_syscall(SYS_openat, kDirectory, raw_address(name_),
                         O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
    };
    const long file = open();
    if (file != -EEXIST) return file;
    raw_syscall(SYS_unlinkat, kDirectory, raw_address(name_), 0);
    return open();
  }

  const char* name_;
  int from_;
  const int to_;
  const ShimSpecHeader& header_;
};

// Until nobody can write any more, or the shim says that the command has ended, or has ended
// itself.
void log(const ShimSpecHeader& header) {
  Stream streams[] = {{"stdout", kOutPipe, kOutFile, header},
                      {"stderr", kErrorsPipe, kErrorsFile, header}};
  bool is_over = false;
  while (!is_over && (streams[0].from() >= 0 || streams[1].from() >= 0)) {
    pollfd waits[] = {{.fd = streams[0].from(), .events = POLLIN, .revents = 0},
                      {.fd = streams[1].from(), .events = POLLIN, .revents = 0},
                      {.fd = kControl, .events = POLLIN, .revents = 0}};
    if (raw_syscall(SYS_ppoll, raw_address(waits), 3, 0, 0, sizeof(uint64_t)) < 0) continue;
    is_over = waits[2].revents != 0;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].revents != 0) streams[i].move();
    }
  }
  for (Stream& stream : streams) {
    for (size_t moved = 0; stream.from() >= 0 && moved < kLastBytesMax;) {
      const long bytes = stream.move();
      if (bytes <= 0) break;
      moved += static_cast<size_t>(bytes);
    }
  }
}

struct Pipes {
  int out[2] = {-1, -1};
  int errors[2] = {-1, -1};
  int control[2] = {-1, -1};
};

[[noreturn]] void run_logger(const Spec& spec, const Pipes& pipes) {
  const int mine[kFdEnd] = {pipes.out[0], 1, 2, pipes.errors[0], pipes.control[0], kShimOutputFd};
  int high[kFdEnd];
  for (int i = 0; i < kFdEnd; ++i) {
    high[i] = static_cast<int>(raw_syscall(SYS_fcntl, mine[i], F_DUPFD_CLOEXEC, 64));
  }
  for (int i = 0; i < kFdEnd; ++i) raw_syscall(SYS_dup3, high[i], i, O_CLOEXEC);
  raw_syscall(SYS_close_range, kFdEnd, ~0U, 0);
  raw_syscall(SYS_umask, 022);
  const ShimSpecHeader header = spec.header;
  if (become_user_outside(spec).stage != 0) leave(kExitLaunchFailed);
  forget_spec(spec);
  drop_capabilities();
  raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  raw_syscall(SYS_prctl, PR_SET_NAME, raw_address("tepui-logger"), 0, 0, 0);
  log(header);
  leave(0);
}

long make_pipes(Pipes* pipes) {
  int* const all[] = {pipes->out, pipes->errors, pipes->control};
  for (int* ends : all) {
    const long made = raw_syscall(SYS_pipe2, raw_address(ends), O_CLOEXEC);
    if (made < 0) return made;
  }
  raw_syscall(SYS_fcntl, pipes->out[0], F_SETFL, O_NONBLOCK);
  return raw_syscall(SYS_fcntl, pipes->errors[0], F_SETFL, O_NONBLOCK);
}

}  // namespace

Failure start_logger(const Spec& spec, int cgroup, Logger* logger) {
  Pipes pipes;
  if (const long made = make_pipes(&pipes); made < 0) return failure(ShimStage::kLogger, made);
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  logger->pid = raw_syscall(SYS_clone3, raw_address(&arguments), sizeof arguments);
  if (logger->pid == 0) run_logger(spec, pipes);
  if (logger->pid < 0) return failure(ShimStage::kLogger, logger->pid);
  // Above all that is closed when the launch is over.
  logger->control =
      static_cast<int>(raw_syscall(SYS_fcntl, pipes.control[1], F_DUPFD_CLOEXEC, kShimFdEnd));
  raw_syscall(SYS_dup3, pipes.out[1], 1, 0);
  raw_syscall(SYS_dup3, pipes.errors[1], 2, 0);
  const int* const all[] = {pipes.out, pipes.errors, pipes.control};
  for (const int* ends : all) {
    raw_syscall(SYS_close, ends[0]);
    raw_syscall(SYS_close, ends[1]);
  }
  return {};
}

void end_logger(const Logger& logger) {
  if (logger.pid <= 0) return;
  raw_syscall(SYS_close, logger.control);
  constexpr int kPatienceSeconds = 10;
  const uint64_t child = uint64_t{1} << (SIGCHLD - 1);
  for (int i = 0; i < kPatienceSeconds; ++i) {
    if (raw_syscall(SYS_wait4, logger.pid, 0, WNOHANG, 0) != 0) return;
    const timespec second{.tv_sec = 1, .tv_nsec = 0};
    raw_syscall(SYS_rt_sigtimedwait, raw_address(&child), 0, raw_address(&second), sizeof child);
  }
  raw_syscall(SYS_kill, logger.pid, SIGKILL);
}

}  // namespace tepui::shim
