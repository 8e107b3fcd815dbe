#include "common/io/reactor.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "common/check.h"
#include "common/io/receive_buffers.h"
#include "common/limits.h"

namespace tepui {

static_assert(IORING_CQE_F_BUFFER == 1U && IORING_CQE_F_MORE == 2U &&
              IORING_CQE_BUFFER_SHIFT == 16);

namespace {
// Completions may pile up to this many times the entries before the kernel has to keep a list.
constexpr uint32_t kCompletionsPerEntry = 16;
// A turn looks at the clock after so many steps; each takes microseconds.
constexpr uint32_t kLooksPerReading = 8;

__kernel_timespec to_timespec(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}
}  // namespace

RingOperation::~RingOperation() {
  if (reactor_ != nullptr) reactor_->abandon(*this);
}

Result<std::unique_ptr<Reactor>> Reactor::create() { return create(Options{}); }

Result<std::unique_ptr<Reactor>> Reactor::create(Options options) {
  std::unique_ptr<Reactor> reactor(new Reactor(options));
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = options.entries * kCompletionsPerEntry;
  const int failed = io_uring_queue_init_params(options.entries, &reactor->ring_, &params);
  if (failed < 0) {
    return fail(fmt::format("cannot set up io_uring (Linux 6.1 or newer is needed, and "
                            "/proc/sys/kernel/io_uring_disabled must be 0): {}",
                            strerror(-failed)),
                -failed);
  }
  reactor->ring_open_ = true;
  // Saves a look-up per system call. Without it everything works as well.
  io_uring_register_ring_fd(&reactor->ring_);
  return reactor;
}

Reactor::Reactor(Options options)
    : clock_(options.clock != nullptr ? *options.clock : system_clock_), now_(clock_.read()) {}

Reactor::~Reactor() {
  if (ring_open_) io_uring_queue_exit(&ring_);
}

void Reactor::run_once(Instant deadline) {
  before_submit_.run();
  submit_and_wait(deadline);
  now_ = clock_.read();
  ++turn_;
  next_turn_.run();
  begin_part(limits::kTurnUrgent);
  complete_all();
  begin_part(limits::kTurnInput);
  when_heard_.run_until([this] { return turn_is_full(); });
  alarms_.ring(now_.mono);
}

void Reactor::begin_part(Duration turn_max) {
  turn_max_ = turn_max;
  turn_is_full_ = false;
  looks_ = 0;
}

bool Reactor::turn_is_full() {
  if (++looks_ % kLooksPerReading == 0 && clock_.read().mono - now_.mono >= turn_max_) {
    turn_is_full_ = true;
  }
  return turn_is_full_;
}

void Reactor::submit_and_wait(Instant deadline) {
  const bool work_waits = !next_turn_.empty() || !before_submit_.empty() || !set_aside_.empty() ||
                          !when_heard_.empty() || io_uring_cq_ready(&ring_) > 0;
  const Instant until = std::min(deadline, alarms_.next());
  int failed = 0;
  if (work_waits) {
    failed = io_uring_submit_and_get_events(&ring_);
  } else if (until == kNever) {
    failed = io_uring_submit_and_wait(&ring_, 1);
  } else if (const Duration wait = until - clock_.read().mono; wait <= Duration::zero()) {
    failed = io_uring_submit_and_get_events(&ring_);
  } else {
    __kernel_timespec timeout = to_timespec(wait);
    io_uring_cqe* first = nullptr;
    failed = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
  }
  // EBUSY and EAGAIN: the kernel has no room until completions are taken, which happens next.
  CHECK(failed >= 0 || failed == -ETIME || failed == -EINTR || failed == -EBUSY ||
        failed == -EAGAIN);
}

void Reactor::complete_all() {
  // What was set aside, which is little, came first. Only what is here now, and of the ring only as
  // long as the turn permits: the next turn has its own. A call may destroy the owner of another
  // operation, which takes that one's completions out of the list.
  for (size_t left = set_aside_.size(); left > 0 && !set_aside_.empty(); --left) {
    const SetAside next = set_aside_.front();
    set_aside_.erase(set_aside_.begin());
    complete(next.operation, next.completion);
  }
  if (!set_aside_.empty()) return;
  for (uint32_t left = io_uring_cq_ready(&ring_); left > 0; --left) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring_, &cqe) != 0 || cqe == nullptr) break;
    auto* operation = reinterpret_cast<RingOperation*>(cqe->user_data);
    const Completion completion{.result = cqe->res, .flags = cqe->flags};
    io_uring_cqe_seen(&ring_, cqe);
    complete(operation, completion);
    if (turn_is_full()) return;
  }
}

void Reactor::complete(RingOperation* operation, const Completion& completion) {
  if (operation == nullptr) return;
  if (!completion.more()) operation->reactor_ = nullptr;
  operation->complete_(*operation, completion);
}

io_uring_sqe* Reactor::request() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    submit_full_queue();
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

io_uring_sqe* Reactor::request(RingOperation& operation) {
  CHECK(!operation.active());
  operation.reactor_ = this;
  operation.gives_descriptor_ = false;
  return request();
}

void Reactor::submit_full_queue() {
  const int taken = io_uring_submit(&ring_);
  if (taken == -EBUSY || taken == -EAGAIN) {
    set_aside_ready();
    return;
  }
  CHECK(taken >= 0 || taken == -EINTR);
}

void Reactor::set_aside_ready() {
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
    if (auto* operation = reinterpret_cast<RingOperation*>(cqe->user_data); operation != nullptr) {
      set_aside_.push_back({operation, {.result = cqe->res, .flags = cqe->flags}});
    }
    io_uring_cqe_seen(&ring_, cqe);
  }
}

void Reactor::abandon(RingOperation& operation) {
  cancel(operation);
  bool ended = false;
  while (!ended) {
    std::erase_if(set_aside_, [&operation, &ended](const SetAside& each) {
      if (each.operation != &operation) return false;
      if (!each.completion.more()) ended = true;
      if (operation.gives_descriptor_) Fd(each.completion.result).reset();
      return true;
    });
    if (ended) break;
    const int failed = io_uring_submit_and_wait(&ring_, 1);
    CHECK(failed >= 0 || failed == -EINTR || failed == -EBUSY || failed == -EAGAIN);
    set_aside_ready();
  }
  operation.reactor_ = nullptr;
}

void Reactor::cancel(RingOperation& operation) {
  if (!operation.active()) return;
  CHECK(operation.reactor_ == this);
  io_uring_sqe* sqe = request();
  io_uring_prep_cancel(sqe, &operation, 0);
  io_uring_sqe_set_data(sqe, nullptr);
}

void Reactor::accept(RingOperation& operation, int listener) {
  io_uring_sqe* sqe = request(operation);
  operation.gives_descriptor_ = true;
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::connect(RingOperation& operation, int socket, const sockaddr* address,
                      socklen_t size) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_connect(sqe, socket, address, size);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::receive(RingOperation& operation, int socket, ReceiveBuffers& buffers) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_recv_multishot(sqe, socket, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffers.group();
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::send(RingOperation& operation, int socket, std::span<const std::byte> bytes) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_send(sqe, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::send_message(RingOperation& operation, int socket, const msghdr& message) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_sendmsg(sqe, socket, &message, MSG_NOSIGNAL);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::read(RingOperation& operation, int fd, std::span<std::byte> into, int64_t offset) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_read(sqe, fd, into.data(), static_cast<unsigned>(into.size()),
                     static_cast<uint64_t>(offset));
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::write(RingOperation& operation, int fd, std::span<const std::byte> bytes,
                    int64_t offset) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_write(sqe, fd, bytes.data(), static_cast<unsigned>(bytes.size()),
                      static_cast<uint64_t>(offset));
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::sync_data(RingOperation& operation, int fd) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::write_and_sync(RingOperation& written, RingOperation& synced, int fd,
                             std::span<const std::byte> bytes, int64_t offset) {
  // A link does not reach across two submissions.
  while (io_uring_sq_space_left(&ring_) < 2) submit_full_queue();
  io_uring_sqe* first = request(written);
  io_uring_prep_write(first, fd, bytes.data(), static_cast<unsigned>(bytes.size()),
                      static_cast<uint64_t>(offset));
  io_uring_sqe_set_flags(first, IOSQE_IO_LINK);
  io_uring_sqe_set_data(first, &written);
  sync_data(synced, fd);
}

void Reactor::open(RingOperation& operation, const char* path, int flags, mode_t mode) {
  io_uring_sqe* sqe = request(operation);
  operation.gives_descriptor_ = true;
  io_uring_prep_openat(sqe, AT_FDCWD, path, flags | O_CLOEXEC, mode);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::poll(RingOperation& operation, int fd, uint32_t events) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_poll_add(sqe, fd, events);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::poll_repeatedly(RingOperation& operation, int fd, uint32_t events) {
  io_uring_sqe* sqe = request(operation);
  io_uring_prep_poll_multishot(sqe, fd, events);
  io_uring_sqe_set_data(sqe, &operation);
}

void Reactor::close(Fd fd) {
  if (!fd) return;
  io_uring_sqe* sqe = request();
  io_uring_prep_close(sqe, fd.release());
  io_uring_sqe_set_data(sqe, nullptr);
}

}  // namespace tepui
