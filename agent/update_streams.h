#pragma once
// UpdateStreams delivers every status of every task to the master, at least once and in order: one
// stream per (framework, task).
//
// Invariant: at most one status of a stream is unacknowledged on the wire, and it is the oldest of
// its stream. It is repeated, after a wait that doubles, until it is acknowledged by its uuid. The
// acknowledged terminal status closes the stream; nothing may follow a terminal status.
//
// A status does not leave before it is durable, nor before the acknowledgement of the one before it
// is: what a crash takes away was never said, and what follows it was not said either.
//
// While there is no registered master the streams are paused; when they resume, the heads leave a
// little spread in groups, so that the agents of a cluster do not all speak at once after a
// failover.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/rng.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

class UpdateStreams {
 public:
  struct Retry {
    Duration min{};
    Duration max{};
  };
  enum class Ack : uint8_t { kTaken, kClosed, kUnexpected };
  // What the master was last told of a task. The uuid is nil when that status was acknowledged.
  struct Forwarded {
    TaskState state = TaskState::kStaging;
    Uuid uuid;
  };

  UpdateStreams(Retry retry, Rng rng);
  void set_retry(Retry retry) { retry_ = retry; }

  // False, and nothing changes: the stream ended with a terminal status, or has this uuid already.
  // The status will be durable with `serial`.
  bool append(Instant now, const FrameworkId& framework, TaskStatus status, uint64_t serial);
  // The acknowledgement will be durable with `serial`.
  Ack acknowledge(Instant now, const FrameworkId& framework, const TaskId& task, Uuid uuid,
                  uint64_t serial);
  // What is remembered of a stream; `waiting` is not empty or not terminal.
  void restore(const FrameworkId& framework, const TaskId& task, Forwarded forwarded,
               const std::vector<TaskStatus>& waiting);
  // Everything up to `serial` is durable.
  void on_durable(Instant now, uint64_t serial);
  // Drops the streams of a framework that nobody waits for any more.
  void forget(const FrameworkId& framework);

  void pause();
  void resume(Instant now);

  // At most `max` statuses that are due, oldest deadline first; each counts as sent.
  std::vector<StatusUpdates::Item> take_due(Instant now, size_t max);
  Instant next_due() const;  // kNever: paused, or nothing is unacknowledged

  bool contains(const FrameworkId& framework, const TaskId& task) const;
  Forwarded forwarded(const FrameworkId& framework, const TaskId& task) const;
  // The oldest status that waits for its acknowledgement, and the newest.
  const TaskStatus* head(const FrameworkId& framework, const TaskId& task) const;
  const TaskStatus* newest(const FrameworkId& framework, const TaskId& task) const;
  size_t pending() const { return pending_; }  // statuses, of all streams
  Result<void> audit() const;

 private:
  using Key = std::pair<FrameworkId, TaskId>;
  struct Waiting {
    TaskStatus status;
    uint64_t serial = 0;  // leaves when this is durable
  };
  struct Stream {
    uint64_t serial = 0;
    std::deque<Waiting> waiting;  // front: the head
    Forwarded forwarded;
    bool terminal = false;  // a terminal status was appended
    Instant due = kNever;
    Duration wait{};
    const Key* key = nullptr;  // in streams_
  };

  Stream& open(const FrameworkId& framework, const TaskId& task);
  bool is_durable(const Waiting& waiting) const { return waiting.serial <= durable_; }
  // There is a new head.
  void begin(Instant now, Stream& stream);
  void set_due(Stream& stream, Instant due);

  Retry retry_;
  Rng rng_;
  bool paused_ = true;
  uint64_t next_serial_ = 0;
  size_t pending_ = 0;
  uint64_t durable_ = 0;
  std::map<Key, Stream> streams_;
  // Heads that are not durable, by what they wait for. Streams of some are gone.
  std::deque<std::pair<uint64_t, Key>> held_;
  // By deadline; the serial keeps streams that are due together in the order they were opened.
  std::map<std::pair<Instant, uint64_t>, Stream*> due_;
};

}  // namespace tepui
