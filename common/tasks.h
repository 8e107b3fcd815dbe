#pragma once
// Tasks: what a framework asks to run, and the one table of states that a task can be in.
//
// Numbers are those of Apache Mesos' v1 API. A TaskSpec is immutable and shared: a scheduler that
// launches a thousand equal commands sends, stores and decodes the command once.
//
// Pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/checks.h"
#include "common/commands.h"
#include "common/container_info.h"
#include "common/ids.h"
#include "common/resources.h"
#include "common/result.h"
#include "common/shared.h"
#include "common/time.h"

namespace tepui {

struct ExecutorInfo;  // common/executors.h

enum class TaskState : uint8_t {
  kStarting = 0,
  kRunning = 1,
  kFinished = 2,
  kFailed = 3,
  kKilled = 4,
  kLost = 5,
  kStaging = 6,
  kError = 7,
  kKilling = 8,
  kDropped = 9,
  kUnreachable = 10,
  kGone = 11,
  kGoneByOperator = 12,
  kUnknown = 13,
};
inline constexpr int kTaskStateCount = 14;

enum class TaskSource : uint8_t { kMaster = 0, kAgent = 1, kExecutor = 2 };

enum class TaskReason : uint8_t {
  kCommandExecutorFailed = 0,
  kExecutorTerminated = 1,
  kExecutorUnregistered = 2,
  kFrameworkRemoved = 3,
  kGcError = 4,
  kInvalidFrameworkId = 5,
  kInvalidOffers = 6,
  kMasterDisconnected = 7,
  kContainerLimitationMemory = 8,
  kReconciliation = 9,
  kAgentDisconnected = 10,
  kAgentRemoved = 11,
  kAgentRestarted = 12,
  kAgentUnknown = 13,
  kTaskInvalid = 14,
  kTaskUnauthorized = 15,
  kTaskUnknown = 16,
  kContainerPreempted = 17,
  kResourcesUnknown = 18,
  kContainerLimitation = 19,
  kContainerLimitationDisk = 20,
  kContainerLaunchFailed = 21,
  kContainerUpdateFailed = 22,
  kExecutorRegistrationTimeout = 23,
  kExecutorReregistrationTimeout = 24,
  kTaskGroupInvalid = 25,
  kTaskGroupUnauthorized = 26,
  kIoSwitchboardExited = 27,
  kTaskCheckStatusUpdated = 28,
  kTaskHealthCheckStatusUpdated = 29,
  kTaskKilledDuringLaunch = 30,
  kAgentRemovedByOperator = 31,
  kAgentReregistered = 32,
  kMaxCompletionTimeReached = 33,
  kAgentDraining = 34,
  kNone = 255,
};
inline constexpr int kTaskReasonCount = 35;

// "TASK_RUNNING", "REASON_TASK_INVALID", "SOURCE_AGENT"; "" for a number outside the enum and for
// TaskReason::kNone.
std::string_view to_text(TaskState state);
std::string_view to_text(TaskReason reason);
std::string_view to_text(TaskSource source);
std::optional<TaskState> parse_task_state(std::string_view text);

// FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR.
bool is_terminal(TaskState state);

// The one transition table. From a terminal state nothing follows, except LOST: a task that was
// lost with its agent may turn out to live (semantics of agents that come back). Nothing leads to
// STAGING or to UNKNOWN. Any other non-terminal state may follow any other.
bool may_follow(TaskState from, TaskState to);

struct KillPolicy {
  Duration grace_ns{};
  bool operator==(const KillPolicy&) const = default;
};

struct Port {
  uint32_t number = 0;
  std::string name;
  std::string protocol;
  bool operator==(const Port&) const = default;
};

// Carried and shown unchanged, for service discovery.
struct DiscoveryInfo {
  std::string name;
  std::string visibility;  // "framework", "cluster", "external"
  std::string environment;
  std::string location;
  std::string version;
  std::vector<Port> ports;
  Labels labels;
  bool operator==(const DiscoveryInfo&) const = default;
};

// What all instances of a task have in common.
struct TaskSpec {
  Resources resources;  // requests
  ResourceLimits limits;
  CommandInfo command;                          // of a task without an executor of its own
  std::optional<KillPolicy> kill_policy;        // absent: the agent's default (3 s)
  std::optional<Duration> max_completion_time;  // counted from launch
  Labels labels;
  std::optional<DiscoveryInfo> discovery;
  std::string group;  // tasks of one group belong together; carried for task groups
  std::string data;   // opaque bytes of the framework
  std::shared_ptr<const ExecutorInfo> executor;  // who runs it; null: a command task
  // Of tasks with a command; a custom executor does with them as it likes.
  std::optional<HealthCheckInfo> health_check;
  std::optional<CheckInfo> check;
  std::optional<ContainerInfo> container;  // absent: the machine's files, the agent's defaults
};

// A task as it is launched. The spec is owned by all the tasks, messages and tables that name it.
struct TaskInfo {
  TaskId id;
  std::string name;
  std::shared_ptr<const TaskSpec> spec;
};

struct TaskStatus {
  TaskId task_id;
  TaskState state = TaskState::kStaging;
  TaskSource source = TaskSource::kMaster;
  TaskReason reason = TaskReason::kNone;
  // Nil: made by the master, or an agent's word about a task that it does not have; not to be
  // acknowledged, never repeated.
  Uuid uuid;
  AgentId agent_id;
  ContainerId container_id;
  WallTime timestamp{};
  WallTime unreachable_time{};         // zero: not unreachable
  std::optional<int32_t> exit_status;  // as wait(2) decodes it: exit code of a normal exit
  std::optional<int32_t> signal;       // signal that ended the command
  std::string message;
  std::optional<bool> healthy;       // as the health check last said
  std::optional<CheckStatus> check;  // what the check last saw
  ExecutorId executor_id;            // empty: a command task
  std::string data;                  // opaque bytes of the executor
};

// What does not change of a task that was launched. Mostly there are several of a kind on an agent,
// and a master knows tasks by the hundred thousand.
struct TaskKind {
  std::string name;
  std::string role;  // the allocation role of the resources
  Resources resources;
  ResourceLimits limits;
  Labels labels;
  std::string user;
  std::string group;
  std::optional<DiscoveryInfo> discovery;
  ExecutorId executor_id;  // empty: a command task
  bool operator==(const TaskKind&) const = default;
};

// A task as masters and agents remember and exchange it.
struct Task {
  TaskId id;
  FrameworkId framework_id;
  AgentId agent_id;
  Shared<TaskKind> kind;
  TaskState state = TaskState::kStaging;         // the latest known: terminal frees the resources
  TaskState update_state = TaskState::kStaging;  // the last one forwarded to the framework
  Uuid update_uuid;                              // of update_state, nil if it needs no ack
  ContainerId container_id;
  WallTime launched_at{};
  TaskStatus last_status;
};

// Checks what a machine can check before the resources are weighed, in the order that Mesos does:
// id syntax, kill policy, completion time, checks, resources (not empty, no revocable mixed with
// regular of one name, persistence ids unique), a command or an executor, limits (each at least its
// request). The error is the message of the TASK_ERROR status.
Result<void> validate(const TaskInfo& task);

}  // namespace tepui
