#pragma once
// Reactor is the event loop of one thread, on one io_uring: operations, alarms and deferred calls
// of their owners. It decides nothing.
//
// One turn, run_once: calls asked for with before_submit; submit and wait, at most until the next
// alarm or the given deadline; read the clock; calls asked for with next_turn; completions; calls
// asked for with when_heard; alarms. Completions have limits::kTurnUrgent of time, and both
// together kTurnInput: what is left waits, in order, for the next turn, which then does not wait.
// After a turn, the caller lets its core work. No call-back ever runs inside a verb. Nothing is
// allocated in a turn, except where an operation is destroyed while active.
//
// Created, used and destroyed by one thread. What uses the reactor is destroyed before it.

#include <liburing.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/io/alarm.h"
#include "common/io/clock.h"
#include "common/io/deferred.h"
#include "common/io/fd.h"
#include "common/io/operation.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

class ReceiveBuffers;

class Reactor {
 public:
  struct Options {
    uint32_t entries = 512;  // requests collected before the kernel is asked to take them
    Clock* clock = nullptr;  // the machine's, if none is given
  };
  static Result<std::unique_ptr<Reactor>> create();
  static Result<std::unique_ptr<Reactor>> create(Options options);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // One turn. kNever waits until something happens, an instant that has passed does not wait.
  void run_once(Instant deadline);
  // The time of this turn.
  Now now() const { return now_; }
  // Counts the turns.
  uint64_t turn() const { return turn_; }
  // Whether enough was done in this turn, and what is left should wait for the next. Cheap: it
  // looks at the clock once in a while only.
  bool turn_is_full();

  void set(Alarm& alarm, Instant when) { alarms_.set(alarm, when); }
  void cancel(Alarm& alarm) { alarms_.cancel(alarm); }
  void before_submit(Deferred& deferred) { before_submit_.add(deferred); }
  void next_turn(Deferred& deferred) { next_turn_.add(deferred); }
  // Work that may take a while and that others should not wait for.
  void when_heard(Deferred& deferred) { when_heard_.add(deferred); }

  // The verbs. Each starts an operation that is not active.
  void accept(RingOperation& operation, int listener);  // repeats
  void connect(RingOperation& operation, int socket, const sockaddr* address, socklen_t size);
  void receive(RingOperation& operation, int socket, ReceiveBuffers& buffers);  // repeats
  void send(RingOperation& operation, int socket, std::span<const std::byte> bytes);
  void send_message(RingOperation& operation, int socket, const msghdr& message);
  // An offset of -1 is the file's own position, or none (sockets, eventfd).
  void read(RingOperation& operation, int fd, std::span<std::byte> into, int64_t offset);
  void write(RingOperation& operation, int fd, std::span<const std::byte> bytes, int64_t offset);
  void sync_data(RingOperation& operation, int fd);  // fdatasync
  // The sync runs after the write, and is cancelled if the write fails or is short.
  void write_and_sync(RingOperation& written, RingOperation& synced, int fd,
                      std::span<const std::byte> bytes, int64_t offset);
  void open(RingOperation& operation, const char* path, int flags, mode_t mode);
  void poll(RingOperation& operation, int fd, uint32_t events);
  void poll_repeatedly(RingOperation& operation, int fd, uint32_t events);
  // Without a completion. The kernel closes it after what was started before.
  void close(Fd fd);

  // Asks for the end of an active operation; it completes, mostly with -ECANCELED.
  void cancel(RingOperation& operation);

 private:
  friend class RingOperation;
  friend class ReceiveBuffers;

  // What came for an operation while another one was being waited for.
  struct SetAside {
    RingOperation* operation;
    Completion completion;
  };

  explicit Reactor(Options options);

  io_uring_sqe* request(RingOperation& operation);
  io_uring_sqe* request();
  void submit_full_queue();
  void submit_and_wait(Instant deadline);
  void begin_part(Duration turn_max);
  void complete_all();
  void complete(RingOperation* operation, const Completion& completion);
  void set_aside_ready();
  // Cancels an operation and waits for it; other completions are kept for the next turn.
  void abandon(RingOperation& operation);

  SystemClock system_clock_;
  Clock& clock_;
  io_uring ring_{};
  bool ring_open_ = false;
  Now now_{};
  uint64_t turn_ = 0;
  Duration turn_max_{};  // at this point of it
  bool turn_is_full_ = false;
  uint32_t looks_ = 0;
  uint16_t buffer_groups_ = 0;
  Alarms alarms_;
  DeferredList before_submit_;
  DeferredList next_turn_;
  DeferredList when_heard_;
  std::vector<SetAside> set_aside_;
};

}  // namespace tepui
