#pragma once
// Metrics turns the event stream into counters and gauges, under the keys that dashboards of Apache
// Mesos read where these have one ("slave" is an agent there).
//
// What every event can count has a place from the start, so a hot event allocates nothing. Shells
// add what only they know: turn times, link counters, totals of resources.
//
// Pure, one thread.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/events.h"
#include "common/messages.h"
#include "common/task_tally.h"

namespace tepui {

class Metrics : public EventSink {
 public:
  // Whose keys: `master/…` or `slave/…`.
  enum class Side : uint8_t { kMaster, kAgent };
  explicit Metrics(Side side);

  void on_event(const Event& event) override;

  // For shells. A new key beyond limits::kMetricKeysMax is refused and counted.
  void set_gauge(std::string_view key, double value);
  void add(std::string_view key, int64_t amount);

  // Sorted by key.
  std::vector<MetricRow> snapshot() const;

 private:
  enum class PeerState : uint8_t { kActive, kInactive, kDisconnected, kUnreachable };

  void on(const event::Elected& e);
  void on(const event::Deposed& e);
  void on(const event::AgentAdded& e);
  void on(const event::AgentDisconnected& e);
  void on(const event::AgentUnreachable& e);
  void on(const event::AgentRemoved& e);
  void on(const event::AgentBroken& e);
  void on(const event::FrameworkAdded& e);
  void on(const event::FrameworkRecovered& e);
  void on(const event::FrameworkUpdated&) {}
  void on(const event::FrameworkDisconnected& e);
  void on(const event::FrameworkRemoved& e);
  void on(const event::TaskAdded& e);
  void on(const event::TaskUpdated& e);
  void on(const event::TaskRemoved& e);
  void on(const event::OfferMade& e);
  void on(const event::OfferEnded& e);
  void on(const event::AllocationRan& e);
  void on(const event::RoleChanged&) {}
  void on(const event::RegistryWritten& e);
  void on(const event::RegistryFailed& e);
  void on(const event::AgentRegistered& e);
  void on(const event::AgentRecovered& e);
  void on(const event::MasterLost& e);
  void on(const event::ContainerLaunching& e);
  void on(const event::ContainerStarted& e);
  void on(const event::ContainerLaunchFailed& e);
  void on(const event::ContainerExited& e);
  void on(const event::ContainerDestroyed& e);
  void on(const event::TaskStatusCreated& e);
  void on(const event::TaskStatusAcknowledged& e);
  void on(const event::AgentDegraded& e);
  void on(const event::PeerRejected& e);
  void on(const event::MessageReceived& e);
  void on(const event::MessageDropped& e);
  void on(const event::QuotaChanged&) {}
  void on(const event::AgentStanding&) {}
  void on(const event::AgentPlanned&) {}
  void on(const event::MachineChanged&) {}
  void on(const event::InverseOfferAnswered&) {}
  void on(const event::AgentUpdated&) {}
  void on(const event::OperationUpdated&) {}

  void on_task_ended(TaskState state, const TaskStatus& status);
  double* named(std::string_view key);
  void add_task_rows(std::vector<MetricRow>& rows) const;
  void add_peer_rows(std::vector<MetricRow>& rows) const;

  static constexpr size_t kSources = 3;
  static constexpr size_t kReasons = kTaskReasonCount;

  const Side side_;
  std::vector<int64_t> slots_;  // by Slot, see metrics.cc
  TaskTally tasks_;
  std::array<int64_t, kTaskStateCount> ended_{};  // by terminal state, since the start
  std::array<int64_t, kTaskStateCount * kSources * kReasons> ended_by_reason_{};
  std::map<AgentId, PeerState> agents_;
  std::map<FrameworkId, PeerState> frameworks_;
  std::map<std::string, int64_t, std::less<>> messages_;  // by name of the message
  std::map<std::string, double, std::less<>> named_;      // what shells report
};

}  // namespace tepui
