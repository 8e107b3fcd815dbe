#pragma once
// Feed carries the master's events to the reader thread: each event becomes a plain struct that
// owns what it says, a turn's items travel together, and the number of items under way is bounded.
// When the reader falls behind, Feed drops what comes and reports it; the shell then sends Reset,
// the whole state in slices, and goes on (docs/decisions/004).
//
// on_event and flush: the loop's thread. The items: owned by whoever holds the batch.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/events.h"
#include "common/frameworks.h"
#include "common/messages.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

namespace feed {

struct Elected {
  uint64_t epoch = 0;
  std::string master_id;
};
struct Deposed {
  std::string why;
};
struct AgentUp {
  AgentInfo info;
  bool reregistered = false;
};
struct AgentDown {
  enum class How : uint8_t { kDisconnected, kUnreachable, kRemoved, kBroken };
  How how = How::kDisconnected;
  AgentId id;
  std::string why;
};
struct FrameworkUp {
  enum class How : uint8_t { kAdded, kResubscribed, kRecovered, kUpdated };
  How how = How::kAdded;
  FrameworkInfo info;
};
struct FrameworkDown {
  FrameworkId id;
  bool removed = false;  // else only disconnected
  std::string why;
};
struct TaskUp {
  Task task;
};
// What can change of a task; the rest was told when it came up.
struct TaskChange {
  FrameworkId framework_id;
  TaskId id;
  TaskState state = TaskState::kStaging;
  TaskState update_state = TaskState::kStaging;
  Uuid update_uuid;
  ContainerId container_id;
  TaskStatus last_status;
};
struct TaskDown {
  FrameworkId framework_id;
  TaskId id;
};
// An executor lives and holds resources, or no longer does.
struct ExecutorChange {
  FrameworkId framework_id;
  AgentId agent_id;
  ExecutorId id;
  std::string role;
  Resources resources;
  bool lives = false;
};
struct OfferUp {
  OfferId id;
  FrameworkId framework_id;
  AgentId agent_id;
  std::string role;
  Resources resources;
};
struct RoleWeight {
  std::string role;
  int64_t weight_milli = 1000;
};
struct RoleQuota {
  std::string role;
  Quota quota;
};
struct AgentStanding {
  AgentId id;
  bool deactivated = false;
  std::string draining;
};
struct AgentPlanned {
  AgentId id;
  std::optional<Unavailability> unavailability;
};
struct MachineChange {
  MaintenanceRow row;  // without a mode: it left the schedule
};
struct InverseAnswer {
  MaintenanceRow::Answer answer;
};
// Answers what the reader asked for: the metrics live with the loop, which counts every event.
struct MetricsSnapshot {
  std::vector<MetricRow> rows;
};
// What is known is void; the state follows, then Complete.
struct Reset {};
struct Complete {};

using Item = std::variant<Elected, Deposed, AgentUp, AgentDown, FrameworkUp, FrameworkDown, TaskUp,
                          TaskChange, TaskDown, ExecutorChange, OfferUp, event::OfferEnded,
                          RoleWeight, RoleQuota, AgentStanding, AgentPlanned, MachineChange,
                          InverseAnswer, MetricsSnapshot, Reset, Complete>;

}  // namespace feed

struct FeedBatch {
  WallTime at{};
  std::vector<feed::Item> items;
};

class Feed final : public EventSink {
 public:
  // `items_max`: how many items may wait in the reader's mailbox.
  explicit Feed(size_t items_max) : items_max_(items_max) {}

  void on_event(const Event& event) override;
  // False: there is no room, and they are wanted as before.
  bool metrics(std::vector<MetricRow> rows);
  void reset();
  void complete();

  // Takes what the turn collected; empty if there is nothing. The reader calls consumed() with the
  // number of items when it has applied them (any thread).
  FeedBatch take(WallTime at);
  void consumed(size_t items) { waiting_.fetch_sub(items, std::memory_order_relaxed); }

  // Items were dropped since the last reset(): the reader needs the whole state.
  bool overflowed() const { return overflowed_; }
  // How many items may be added now before the feed overflows.
  size_t room() const;

 private:
  void add(feed::Item item);
  // If not, the feed has overflowed with this.
  bool has_room();

  const size_t items_max_;
  std::atomic<size_t> waiting_{0};
  bool overflowed_ = false;
  std::vector<feed::Item> turn_;
};

}  // namespace tepui
