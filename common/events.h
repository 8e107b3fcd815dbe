#pragma once
// The one typed stream of events that a core emits. Log lines, metrics, the reader, watchers, the
// simulation's hash and its checkers all consume it; nothing else leaves a core for people.
//
// An event is small and borrows: pointers and views are valid only during the call of the sink. A
// consumer that keeps something copies it.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/frameworks.h"
#include "common/ids.h"
#include "common/maintenance.h"
#include "common/operations.h"
#include "common/quota.h"
#include "common/resources.h"
#include "common/tasks.h"

namespace tepui {

namespace event {

// ---------------------------------------------------------------- master
struct Elected {
  uint64_t epoch;
  std::string_view master_id;
};
struct Deposed {
  std::string_view why;
};
struct AgentAdded {
  const AgentInfo* info;
  bool reregistered;
};
// Its total changed: operations made something else of it, or it lends more or less.
struct AgentUpdated {
  const AgentInfo* info;
};
struct AgentDisconnected {
  const AgentId* id;
};
struct AgentUnreachable {
  const AgentId* id;
  std::string_view why;
};
struct AgentRemoved {
  const AgentId* id;
  std::string_view why;
};
// The books of this agent did not balance; it is isolated until it registers again.
struct AgentBroken {
  const AgentId* id;
  std::string_view why;
};
struct FrameworkAdded {
  const FrameworkInfo* info;
  bool resubscribed;
};
struct FrameworkRecovered {
  const FrameworkInfo* info;
};  // known from agents only, so far
struct FrameworkUpdated {
  const FrameworkInfo* info;
};
struct FrameworkDisconnected {
  const FrameworkId* id;
};
struct FrameworkRemoved {
  const FrameworkId* id;
  std::string_view why;
};
struct TaskAdded {
  const Task* task;
  bool recovered;
};  // recovered: told by an agent
// The task after the change, and the status that changed it.
struct TaskUpdated {
  const Task* task;
  const TaskStatus* status;
};
// The task leaves the active table (terminal and acknowledged, or its framework is gone).
struct TaskRemoved {
  const Task* task;
};
struct OfferMade {
  OfferId id;
  const FrameworkId* framework_id;
  const AgentId* agent_id;
  std::string_view role;
  const Resources* resources;
};
enum class OfferEnd : uint8_t { kAccepted, kDeclined, kRescinded, kTimedOut, kDiscarded };
struct OfferEnded {
  OfferId id;
  OfferEnd how;
};
struct AllocationRan {
  uint64_t round;
  uint32_t agents;
  uint32_t offers;
};
struct RoleChanged {
  std::string_view role;
  int64_t weight_milli;
};
struct QuotaChanged {
  std::string_view role;
  const Quota* quota;  // the default: it has none any more
};
// An operator deactivated, drains or reactivated the agent.
struct AgentStanding {
  const AgentId* id;
  bool deactivated;
  std::string_view draining;  // "draining", "drained", or empty
};
// The machine of the agent is in the maintenance schedule, or not any more (null).
struct AgentPlanned {
  const AgentId* id;
  const Unavailability* unavailability;
};
struct MachineChanged {
  std::string_view hostname;
  std::string_view mode;  // "scheduled", "down"; empty: it left the schedule
  const Unavailability* unavailability;
  bool drain;
};
struct InverseOfferAnswered {
  const FrameworkId* framework_id;
  const AgentId* agent_id;
  bool accepted;
  WallTime at{};
};
// An operation was begun, refused, applied or lost; the agent is empty if it was refused, the
// framework if it is an operator's.
struct OperationUpdated {
  const AgentId* agent_id;
  const FrameworkId* framework_id;
  const Operation* operation;
  const OperationStatus* status;
};
struct RegistryWritten {
  uint64_t token;
  size_t bytes;
  uint32_t keys;
};
struct RegistryFailed {
  std::string_view error;
};

// ---------------------------------------------------------------- agent
struct AgentRegistered {
  const AgentId* id;
  uint64_t epoch;
  bool reregistered;
};
struct MasterLost {
  std::string_view why;
};
struct ContainerLaunching {
  const ContainerId* id;
  const TaskId* task_id;
};
struct ContainerStarted {
  const ContainerId* id;
  int64_t pid;
};
struct ContainerLaunchFailed {
  const ContainerId* id;
  std::string_view why;
};
struct ContainerExited {
  const ContainerId* id;
  int32_t exit_status;
  int32_t signal;
};
struct ContainerDestroyed {
  const ContainerId* id;
};
// An agent's own view of a task: every status it creates.
struct TaskStatusCreated {
  const FrameworkId* framework_id;
  const TaskStatus* status;
};
struct TaskStatusAcknowledged {
  const FrameworkId* framework_id;
  const TaskId* task_id;
  Uuid uuid;
};
struct AgentDegraded {
  std::string_view why;
};

// ---------------------------------------------------------------- both, and schedulers
struct PeerRejected {
  SessionId session;
  std::string_view why;
};
struct MessageReceived {
  std::string_view name;
};  // "accept", "decline", …
struct MessageDropped {
  std::string_view name;
  std::string_view why;
};  // valid, but too late

}  // namespace event

using Event =
    std::variant<event::Elected, event::Deposed, event::AgentAdded, event::AgentDisconnected,
                 event::AgentUnreachable, event::AgentRemoved, event::AgentBroken,
                 event::FrameworkAdded, event::FrameworkRecovered, event::FrameworkUpdated,
                 event::FrameworkDisconnected, event::FrameworkRemoved, event::TaskAdded,
                 event::TaskUpdated, event::TaskRemoved, event::OfferMade, event::OfferEnded,
                 event::AllocationRan, event::RoleChanged, event::RegistryWritten,
                 event::RegistryFailed, event::AgentRegistered, event::MasterLost,
                 event::ContainerLaunching, event::ContainerStarted, event::ContainerLaunchFailed,
                 event::ContainerExited, event::ContainerDestroyed, event::TaskStatusCreated,
                 event::TaskStatusAcknowledged, event::AgentDegraded, event::PeerRejected,
                 event::MessageReceived, event::MessageDropped, event::QuotaChanged,
                 event::AgentStanding, event::AgentPlanned, event::MachineChanged,
                 event::InverseOfferAnswered, event::AgentUpdated, event::OperationUpdated>;

// Called synchronously by the core, on its thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) = 0;
};

enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

// An event as a log line: a name and fields. Error: a human must act. Warning: survived. Info: a
// change of state. Debug: what happens thousands of times a second (offers, updates, messages).
struct LogRecord {
  Severity severity = Severity::kInfo;
  std::string_view name;  // "task.updated", static
  std::vector<std::pair<std::string_view, std::string>> fields;
};
LogRecord describe(const Event& event);
// The same severity without the work of a description.
Severity severity_of(const Event& event);

}  // namespace tepui
