#include "agent/linux/fetch_helper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "agent/linux/child_descriptors.h"
#include "agent/linux/clone_into.h"
#include "agent/linux/files.h"

namespace tepui {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr int kFdEnd = kFetchInput + 1;

// What the child needs. It lives in the agent's memory and must only make system calls.
struct Start {
  std::array<int, kFdEnd> fds{};
  const char* program = nullptr;
  char* const* arguments = nullptr;
  const sigset_t* signals = nullptr;
  volatile int code = 0;  // errno of the child's failure
};

void become_helper(void* argument) {
  auto* start = static_cast<Start*>(argument);
  place_descriptors(start->fds);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, start->signals, nullptr, 8);
  char* environment[] = {nullptr};
  execve(start->program, start->arguments, environment);
  start->code = errno;
}

Result<Fd> make_job_file(const FetchJob& job) {
  const std::string bytes = encode(job);
  Fd file(memfd_create("tepui-fetch-job", MFD_CLOEXEC));
  if (!file ||
      write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return std::unexpected(system_error(errno, "writing the job for tepui-fetch"));
  }
  return file;
}

void reap(const Fd& pidfd, siginfo_t& ended) {
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &ended, WEXITED) != 0 && errno == EINTR) {
  }
}

Result<Fd> start_helper(const FetchCall& call, int job, int answers) {
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return std::unexpected(system_error(errno, "opening /dev/null"));
  char name[] = "tepui-fetch";
  char* arguments[] = {name, nullptr};
  sigset_t none;
  sigset_t all;
  sigset_t before;
  sigemptyset(&none);
  sigfillset(&all);
  Start start{.fds = {job, answers, null.get(), call.output, call.input},
              .program = call.program.c_str(),
              .arguments = arguments,
              .signals = &none};
  auto stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  int pidfd = -1;
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = clone_into(CloneRequest{.cgroup = call.cgroup,
                                           .pidfd = &pidfd,
                                           .stack = stack.get(),
                                           .stack_bytes = kStackBytes,
                                           .run = become_helper,
                                           .argument = &start});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return std::unexpected(system_error(static_cast<int>(-pid), "cloning a process"));
  Fd watched(pidfd);
  if (start.code != 0) {
    siginfo_t ended{};
    reap(watched, ended);
    return std::unexpected(system_error(start.code, "executing " + call.program));
  }
  return watched;
}

// Until the last report or the end of the process, whichever is first.
Result<std::optional<FetchAnswer>> listen(const FetchCall& call, int answers) {
  FetchReports reports;
  std::array<char, 1 << 16> bytes;
  while (true) {
    pollfd waits[] = {{.fd = answers, .events = POLLIN, .revents = 0},
                      {.fd = call.cancellation.fd(), .events = POLLIN, .revents = 0}};
    if (poll(waits, std::size(waits), -1) < 0 && errno != EINTR) {
      return std::unexpected(system_error(errno, "waiting for tepui-fetch"));
    }
    if (call.cancellation.cancelled()) return fail("it was cancelled", ECANCELED);
    if (waits[0].revents == 0) continue;
    const ssize_t count = read(answers, bytes.data(), bytes.size());
    if (count < 0) return std::unexpected(system_error(errno, "listening to tepui-fetch"));
    if (count == 0) return std::nullopt;
    reports.add({bytes.data(), static_cast<size_t>(count)});
    while (std::optional<FetchReport> report = TRY(reports.next())) {
      if (const auto* progress = std::get_if<FetchProgress>(&*report)) {
        if (call.bytes != nullptr) *call.bytes = progress->bytes;
      } else {
        return std::get<FetchAnswer>(*std::move(report));
      }
    }
  }
}

Error describe_end(const siginfo_t& ended) {
  if (ended.si_code == CLD_KILLED || ended.si_code == CLD_DUMPED) {
    return {.message = ended.si_status == SIGXCPU
                           ? std::string("it takes more than the time that it may take")
                           : fmt::format("tepui-fetch was killed by signal {}", ended.si_status)};
  }
  return {.message = "tepui-fetch ended without an answer"};
}

}  // namespace

Result<std::unique_ptr<Cancellation>> Cancellation::create() {
  Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return std::unexpected(system_error(errno, "creating an eventfd"));
  return std::unique_ptr<Cancellation>(new Cancellation(std::move(event)));
}

void Cancellation::cancel() {
  cancelled_ = true;
  eventfd_write(event_.get(), 1);
}

Result<FetchAnswer> run_fetch(const FetchCall& call) {
  const Fd job = TRY(make_job_file(call.job));
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(system_error(errno, "making a pipe"));
  const Fd answers(ends[0]);
  Fd answers_end(ends[1]);
  const Fd pidfd = TRY(start_helper(call, job.get(), answers_end.get()));
  answers_end = Fd();
  Result<std::optional<FetchAnswer>> answer = listen(call, answers.get());
  // Whoever has answered has nothing to do any more but to end.
  constexpr int kEndMs = 5000;
  pollfd end{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  if (!answer || poll(&end, 1, kEndMs) == 0) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
  siginfo_t ended{};
  reap(pidfd, ended);
  if (!answer) return std::unexpected(std::move(answer).error());
  if (!*answer) return std::unexpected(describe_end(ended));
  if (!(*answer)->error.empty()) {
    return fail(std::move((*answer)->error), static_cast<int>((*answer)->code));
  }
  return **std::move(answer);
}

}  // namespace tepui
