#include "common/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>

#include "common/limits.h"

namespace tepui {

namespace {

enum class Slot : uint8_t {
  kElected,
  kSlaveRegistrations,
  kSlaveReregistrations,
  kSlaveRemovals,
  kSlaveRemovalsUnhealthy,
  kSlaveUnreachableCompleted,
  kSlavesBroken,
  kOutstandingOffers,
  kOffersSent,
  kOffersAccepted,
  kOffersDeclined,
  kOffersRescinded,
  kOffersTimedOut,
  kOffersDiscarded,
  kValidStatusUpdates,
  kInvalidStatusUpdates,
  kInvalidAcknowledgements,
  kDroppedMessages,
  kPeersRejected,
  kAllocationRuns,
  kRegistryWrites,
  kRegistryBytes,
  kRegistryFailures,
  // The agent's from here on.
  kAgentRegistered,
  kAgentTasksRecovered,
  kAgentMasterLost,
  kAgentContainersLaunched,
  kAgentContainersStarted,
  kAgentContainersExited,
  kAgentContainersDestroyed,
  kAgentContainerLaunchErrors,
  kAgentStatusesCreated,
  kAgentStatusesAcknowledged,
  kAgentDegradations,
  kAgentDroppedMessages,
  kAgentPeersRejected,
};

struct SlotKey {
  Slot slot;
  std::string_view key;
};

constexpr SlotKey kMasterKeys[] = {
    {Slot::kElected, "master/elected"},
    {Slot::kSlaveRegistrations, "master/slave_registrations"},
    {Slot::kSlaveReregistrations, "master/slave_reregistrations"},
    {Slot::kSlaveRemovals, "master/slave_removals"},
    {Slot::kSlaveRemovalsUnhealthy, "master/slave_removals/reason_unhealthy"},
    {Slot::kSlaveUnreachableCompleted, "master/slave_unreachable_completed"},
    {Slot::kSlavesBroken, "master/slaves_broken"},
    {Slot::kOutstandingOffers, "master/outstanding_offers"},
    {Slot::kOffersSent, "master/offers/sent"},
    {Slot::kOffersAccepted, "master/offers/accepted"},
    {Slot::kOffersDeclined, "master/offers/declined"},
    {Slot::kOffersRescinded, "master/offers/rescinded"},
    {Slot::kOffersTimedOut, "master/offers/timed_out"},
    {Slot::kOffersDiscarded, "master/offers/discarded"},
    {Slot::kValidStatusUpdates, "master/valid_status_updates"},
    {Slot::kInvalidStatusUpdates, "master/invalid_status_updates"},
    {Slot::kInvalidAcknowledgements, "master/invalid_status_update_acknowledgements"},
    {Slot::kDroppedMessages, "master/dropped_messages"},
    {Slot::kPeersRejected, "master/peers_rejected"},
    {Slot::kAllocationRuns, "allocator/mesos/allocation_runs"},
    {Slot::kRegistryWrites, "registrar/writes"},
    {Slot::kRegistryBytes, "registrar/bytes_written"},
    {Slot::kRegistryFailures, "registrar/failures"},
};

constexpr SlotKey kAgentKeys[] = {
    {Slot::kAgentRegistered, "slave/registered"},
    {Slot::kAgentTasksRecovered, "slave/tasks_recovered"},
    {Slot::kAgentMasterLost, "slave/masters_lost"},
    {Slot::kAgentContainersLaunched, "slave/containers_launched"},
    {Slot::kAgentContainersStarted, "slave/containers_started"},
    {Slot::kAgentContainersExited, "slave/containers_exited"},
    {Slot::kAgentContainersDestroyed, "slave/containers_destroyed"},
    {Slot::kAgentContainerLaunchErrors, "slave/container_launch_errors"},
    {Slot::kAgentStatusesCreated, "slave/valid_status_updates"},
    {Slot::kAgentStatusesAcknowledged, "slave/status_updates_acknowledged"},
    {Slot::kAgentDegradations, "slave/degradations"},
    {Slot::kAgentDroppedMessages, "slave/dropped_messages"},
    {Slot::kAgentPeersRejected, "slave/peers_rejected"},
};

constexpr size_t kSlotCount = std::size(kMasterKeys) + std::size(kAgentKeys);
static_assert(kSlotCount == static_cast<size_t>(Slot::kAgentPeersRejected) + 1);

// What Mesos calls the messages that it has too.
struct MessageKey {
  std::string_view name;
  std::string_view key;
};
constexpr MessageKey kMesosMessages[] = {
    {"accept", "launch_tasks"},
    {"accepts", "launch_tasks"},
    {"acknowledge", "status_update_acknowledgement"},
    {"decline", "decline_offers"},
    {"kill", "kill_task"},
    {"reconcile", "reconcile_tasks"},
    {"register_agent", "register_slave"},
    {"reregister_agent", "reregister_slave"},
    {"revive", "revive_offers"},
    {"subscribe", "register_framework"},
    {"suppress", "suppress_offers"},
    {"teardown", "unregister_framework"},
    {"unregister_agent", "unregister_slave"},
};

std::string_view mesos_name(std::string_view name) {
  for (const MessageKey& message : kMesosMessages) {
    if (message.name == name) return message.key;
  }
  return name;
}

// "TASK_RUNNING" as "task_running".
std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lowered;
}

std::string_view prefix(Metrics::Side side) {
  return side == Metrics::Side::kMaster ? "master" : "slave";
}

Slot slot_of(event::OfferEnd how) {
  switch (how) {
    case event::OfferEnd::kAccepted:
      return Slot::kOffersAccepted;
    case event::OfferEnd::kDeclined:
      return Slot::kOffersDeclined;
    case event::OfferEnd::kRescinded:
      return Slot::kOffersRescinded;
    case event::OfferEnd::kTimedOut:
      return Slot::kOffersTimedOut;
    case event::OfferEnd::kDiscarded:
      return Slot::kOffersDiscarded;
  }
  return Slot::kOffersDiscarded;
}

int64_t& at(std::vector<int64_t>& slots, Slot slot) { return slots[static_cast<size_t>(slot)]; }

void row(std::vector<MetricRow>& rows, std::string key, int64_t value) {
  rows.push_back({.key = std::move(key), .value = static_cast<double>(value)});
}

}  // namespace

Metrics::Metrics(Side side) : side_(side), slots_(kSlotCount) {}

void Metrics::on_event(const Event& event) {
  std::visit([this](const auto& e) { on(e); }, event);
}

void Metrics::on(const event::Elected&) { at(slots_, Slot::kElected) = 1; }

// What a master knew is void; what it counted stays.
void Metrics::on(const event::Deposed&) {
  at(slots_, Slot::kElected) = 0;
  at(slots_, Slot::kOutstandingOffers) = 0;
  tasks_.clear();
  agents_.clear();
  frameworks_.clear();
}

void Metrics::on(const event::AgentAdded& e) {
  ++at(slots_, e.reregistered ? Slot::kSlaveReregistrations : Slot::kSlaveRegistrations);
  agents_.insert_or_assign(e.info->id, PeerState::kActive);
}

void Metrics::on(const event::AgentDisconnected& e) {
  agents_.insert_or_assign(*e.id, PeerState::kDisconnected);
}

void Metrics::on(const event::AgentUnreachable& e) {
  ++at(slots_, Slot::kSlaveUnreachableCompleted);
  ++at(slots_, Slot::kSlaveRemovals);
  ++at(slots_, Slot::kSlaveRemovalsUnhealthy);
  agents_.insert_or_assign(*e.id, PeerState::kUnreachable);
}

void Metrics::on(const event::AgentRemoved& e) {
  const auto known = agents_.find(*e.id);
  const bool counted = known != agents_.end() && known->second == PeerState::kUnreachable;
  if (!counted) ++at(slots_, Slot::kSlaveRemovals);
  if (known != agents_.end()) agents_.erase(known);
}

void Metrics::on(const event::AgentBroken& e) {
  ++at(slots_, Slot::kSlavesBroken);
  agents_.insert_or_assign(*e.id, PeerState::kInactive);
}

void Metrics::on(const event::FrameworkAdded& e) {
  frameworks_.insert_or_assign(e.info->id, PeerState::kActive);
}
void Metrics::on(const event::FrameworkRecovered& e) {
  frameworks_.insert_or_assign(e.info->id, PeerState::kDisconnected);
}
void Metrics::on(const event::FrameworkDisconnected& e) {
  frameworks_.insert_or_assign(*e.id, PeerState::kDisconnected);
}
void Metrics::on(const event::FrameworkRemoved& e) { frameworks_.erase(*e.id); }

void Metrics::on(const event::TaskAdded& e) {
  tasks_.set(e.task->framework_id, e.task->id, e.task->state);
}

void Metrics::on(const event::TaskUpdated& e) {
  ++at(slots_, Slot::kValidStatusUpdates);
  const Task& task = *e.task;
  const std::optional<TaskState> before = tasks_.set(task.framework_id, task.id, task.state);
  // A terminal task is told again for every status that was still on its way.
  if (is_terminal(task.state) && before != task.state) on_task_ended(task.state, *e.status);
}

void Metrics::on(const event::TaskRemoved& e) { tasks_.erase(e.task->framework_id, e.task->id); }

// The status that told of the end can be an older one; then source and reason are not the end's.
void Metrics::on_task_ended(TaskState state, const TaskStatus& status) {
  ++ended_[static_cast<size_t>(state)];
  const auto source = static_cast<size_t>(status.source);
  const auto reason = static_cast<size_t>(status.reason);
  if (status.state != state || source >= kSources || reason >= kReasons) return;
  ++ended_by_reason_[(static_cast<size_t>(state) * kSources + source) * kReasons + reason];
}

void Metrics::on(const event::OfferMade&) {
  ++at(slots_, Slot::kOffersSent);
  ++at(slots_, Slot::kOutstandingOffers);
}

void Metrics::on(const event::OfferEnded& e) {
  ++at(slots_, slot_of(e.how));
  --at(slots_, Slot::kOutstandingOffers);
}

void Metrics::on(const event::AllocationRan&) { ++at(slots_, Slot::kAllocationRuns); }

void Metrics::on(const event::RegistryWritten& e) {
  ++at(slots_, Slot::kRegistryWrites);
  at(slots_, Slot::kRegistryBytes) += static_cast<int64_t>(e.bytes);
}

void Metrics::on(const event::RegistryFailed&) { ++at(slots_, Slot::kRegistryFailures); }

void Metrics::on(const event::AgentRegistered&) { at(slots_, Slot::kAgentRegistered) = 1; }

void Metrics::on(const event::AgentRecovered& e) {
  at(slots_, Slot::kAgentTasksRecovered) = e.tasks;
}

void Metrics::on(const event::MasterLost&) {
  at(slots_, Slot::kAgentRegistered) = 0;
  ++at(slots_, Slot::kAgentMasterLost);
}

void Metrics::on(const event::ContainerLaunching&) { ++at(slots_, Slot::kAgentContainersLaunched); }
void Metrics::on(const event::ContainerStarted&) { ++at(slots_, Slot::kAgentContainersStarted); }
void Metrics::on(const event::ContainerLaunchFailed&) {
  ++at(slots_, Slot::kAgentContainerLaunchErrors);
}
void Metrics::on(const event::ContainerExited&) { ++at(slots_, Slot::kAgentContainersExited); }
void Metrics::on(const event::ContainerDestroyed&) {
  ++at(slots_, Slot::kAgentContainersDestroyed);
}

// An agent forgets a task with its end, so its tally holds living tasks only.
void Metrics::on(const event::TaskStatusCreated& e) {
  ++at(slots_, Slot::kAgentStatusesCreated);
  const TaskStatus& status = *e.status;
  if (is_terminal(status.state)) {
    tasks_.erase(*e.framework_id, status.task_id);
    on_task_ended(status.state, status);
  } else {
    tasks_.set(*e.framework_id, status.task_id, status.state);
  }
}

void Metrics::on(const event::TaskStatusAcknowledged&) {
  ++at(slots_, Slot::kAgentStatusesAcknowledged);
}

void Metrics::on(const event::AgentDegraded&) { ++at(slots_, Slot::kAgentDegradations); }

void Metrics::on(const event::PeerRejected&) {
  ++at(slots_, side_ == Side::kMaster ? Slot::kPeersRejected : Slot::kAgentPeersRejected);
}

void Metrics::on(const event::MessageReceived& e) {
  auto message = messages_.find(e.name);
  if (message == messages_.end()) message = messages_.emplace(std::string(e.name), 0).first;
  ++message->second;
}

void Metrics::on(const event::MessageDropped& e) {
  ++at(slots_, side_ == Side::kMaster ? Slot::kDroppedMessages : Slot::kAgentDroppedMessages);
  if (e.name == "status_update") ++at(slots_, Slot::kInvalidStatusUpdates);
  if (e.name == "acknowledge") ++at(slots_, Slot::kInvalidAcknowledgements);
}

// The place of a key that a shell reports; null beyond the bound.
double* Metrics::named(std::string_view key) {
  if (const auto found = named_.find(key); found != named_.end()) return &found->second;
  if (named_.size() >= limits::kMetricKeysMax) {
    named_["metrics/keys_refused"] += 1;
    return nullptr;
  }
  return &named_.emplace(std::string(key), 0).first->second;
}

void Metrics::set_gauge(std::string_view key, double value) {
  if (double* place = named(key)) *place = value;
}

void Metrics::add(std::string_view key, int64_t amount) {
  if (double* place = named(key)) *place += static_cast<double>(amount);
}

void Metrics::add_task_rows(std::vector<MetricRow>& rows) const {
  const std::string_view side = prefix(side_);
  for (size_t i = 0; i < kTaskStateCount; ++i) {
    const auto state = static_cast<TaskState>(i);
    const std::string name = lower(to_text(state));
    if (state != TaskState::kUnknown) {
      const int64_t count = is_terminal(state) ? ended_[i] : tasks_.count(state);
      row(rows, fmt::format("{}/tasks_{}", side, name.substr(5)), count);
    }
    for (size_t source = 0; source < kSources; ++source) {
      for (size_t reason = 0; reason < kReasons; ++reason) {
        const int64_t count = ended_by_reason_[(i * kSources + source) * kReasons + reason];
        if (count == 0) continue;
        row(rows,
            fmt::format("{}/{}/{}/{}", side, name, lower(to_text(static_cast<TaskSource>(source))),
                        lower(to_text(static_cast<TaskReason>(reason)))),
            count);
      }
    }
  }
}

void Metrics::add_peer_rows(std::vector<MetricRow>& rows) const {
  std::array<int64_t, 4> agents{};
  std::array<int64_t, 4> frameworks{};
  for (const auto& [id, state] : agents_) ++agents[static_cast<size_t>(state)];
  for (const auto& [id, state] : frameworks_) ++frameworks[static_cast<size_t>(state)];
  row(rows, "master/slaves_active", agents[0]);
  row(rows, "master/slaves_inactive", agents[1]);
  row(rows, "master/slaves_connected", agents[0] + agents[1]);
  row(rows, "master/slaves_disconnected", agents[2]);
  row(rows, "master/slaves_unreachable", agents[3]);
  row(rows, "master/frameworks_active", frameworks[0]);
  row(rows, "master/frameworks_inactive", frameworks[1]);
  row(rows, "master/frameworks_connected", frameworks[0] + frameworks[1]);
  row(rows, "master/frameworks_disconnected", frameworks[2]);
}

std::vector<MetricRow> Metrics::snapshot() const {
  std::vector<MetricRow> rows;
  const std::span<const SlotKey> keys =
      side_ == Side::kMaster ? std::span<const SlotKey>(kMasterKeys) : kAgentKeys;
  for (const auto& [slot, key] : keys) {
    row(rows, std::string(key), slots_[static_cast<size_t>(slot)]);
  }
  add_task_rows(rows);
  if (side_ == Side::kMaster) add_peer_rows(rows);
  std::map<std::string, int64_t> messages;  // two of our names can be one of Mesos'
  for (const auto& [name, count] : messages_) {
    messages[fmt::format("{}/messages_{}", prefix(side_), mesos_name(name))] += count;
  }
  for (const auto& [key, count] : messages) row(rows, key, count);
  for (const auto& [key, value] : named_) rows.push_back({.key = key, .value = value});
  std::sort(rows.begin(), rows.end(),
            [](const MetricRow& a, const MetricRow& b) { return a.key < b.key; });
  return rows;
}

}  // namespace tepui
