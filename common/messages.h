#pragma once
// Every message of every conversation as a plain struct. This is what the cores read and write;
// bytes exist only in the *_wire.cc files and in docs/wire.md.
//
// A conversation is between one client and one server over one session: scheduler and master, agent
// and master, executor and agent, operator and master, operator and agent. Each begins with Hello.
//
// Batches come as vectors. Index fields (agent, role, shape) refer to the tables named beside them.
//
// Pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/executor_messages.h"
#include "common/frameworks.h"
#include "common/ids.h"
#include "common/maintenance.h"
#include "common/operations.h"
#include "common/operator_messages.h"
#include "common/quota.h"
#include "common/resources.h"
#include "common/session_messages.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

// ------------------------------------------------------------------------- scheduler to master

struct Subscribe {
  FrameworkInfo info;  // info.id empty: a new framework
};

struct Teardown {};

struct Filters {
  // Absent: 5 s. Zero: no filter. Negative: 5 s. More than 365 days: 365 days.
  std::optional<Duration> refuse;
};

struct OfferOperation {
  enum class Type : uint8_t { kLaunch = 1, kConvert = 2, kLaunchGroup = 3 };
  Type type = Type::kLaunch;
  std::vector<TaskInfo> tasks;  // kLaunch, kLaunchGroup: all of them or none
  Operation operation;          // kConvert: changes what kind of resources these are
  std::shared_ptr<const ExecutorInfo> executor;  // kLaunchGroup: who runs the group
};

struct Accept {
  std::vector<OfferId> offers;  // all of one agent, role and framework
  std::vector<OfferOperation> operations;
  Filters filters;
};
struct Accepts {
  std::vector<Accept> accepts;
};

struct Decline {
  std::vector<OfferId> offers;
  Filters filters;
};

struct Suppress {
  std::vector<std::string> roles;  // empty: all
};
struct Revive {
  std::vector<std::string> roles;  // empty: all
};

struct Kill {
  TaskId task_id;
  AgentId agent_id;  // empty: wherever it is
  std::optional<KillPolicy> kill_policy;
};

struct Acknowledge {
  struct Item {
    AgentId agent_id;
    TaskId task_id;
    Uuid uuid;
  };
  std::vector<Item> items;
};

struct Reconcile {
  struct Item {
    TaskId task_id;
    AgentId agent_id;  // empty: not known
  };
  std::vector<Item> items;  // empty: implicit, all of the framework's tasks
};

// Of statuses of operations, by their uuid.
struct AcknowledgeOperations {
  struct Item {
    AgentId agent_id;
    OperationId operation_id;
    Uuid uuid;
  };
  std::vector<Item> items;
};

struct ReconcileOperations {
  struct Item {
    OperationId operation_id;
    AgentId agent_id;  // empty: not known
  };
  std::vector<Item> items;  // empty: implicit, all of the framework's operations with an id
};

// Inverse offers ask to leave a machine before it goes out of service. The answer is advice to the
// operator; nothing is killed for it.
struct AcceptInverseOffers {
  std::vector<OfferId> offers;
  Filters filters;  // when to be asked again
};
struct DeclineInverseOffers {
  std::vector<OfferId> offers;
  Filters filters;
};

using SchedulerToMaster =
    std::variant<Hello, Subscribe, Teardown, Accepts, Decline, Suppress, Revive, Kill, Acknowledge,
                 Reconcile, Heartbeat, Goodbye, AcceptInverseOffers, DeclineInverseOffers,
                 AcknowledgeOperations, ReconcileOperations, UpdateFramework, MessageExecutor,
                 ShutdownExecutor>;

// ------------------------------------------------------------------------- master to scheduler

struct Subscribed {
  FrameworkId framework_id;
  std::string master_id;
  uint64_t epoch = 0;
  Duration heartbeat_interval{};
};

// What does not change about an agent, sent once per session with its first offer. `agent` is the
// number by which later offers of this session name it; numbers are never reused in a session.
struct AgentFacts {
  uint32_t agent = 0;
  AgentId id;
  std::string hostname;
  std::string address;
  std::vector<Attribute> attributes;
  Domain domain;
  std::optional<Unavailability> unavailability;  // maintenance is planned
};

struct OfferItem {
  OfferId id;
  uint32_t agent = 0;  // AgentFacts::agent of this or an earlier batch of the session
  uint32_t role = 0;   // index into OfferBatch::roles
  uint32_t shape = 0;  // index into OfferBatch::shapes
};

struct OfferBatch {
  std::vector<AgentFacts> agents;
  std::vector<std::string> roles;
  std::vector<Resources> shapes;
  std::vector<OfferItem> offers;
};

struct Rescind {
  std::vector<OfferId> offers;
};

struct Updates {
  std::vector<TaskStatus> statuses;  // a nil uuid: not to be acknowledged
};

// An agent is gone, or an executor on it (best effort).
struct Failure {
  AgentId agent_id;
  ExecutorId executor_id;              // empty: the agent itself
  std::optional<int32_t> exit_status;  // of the executor, as far as it is known
  std::optional<int32_t> signal;
};

struct OperationUpdates {
  std::vector<OperationStatus> statuses;  // a nil uuid: not to be acknowledged
};

struct InverseOfferBatch {
  struct Item {
    OfferId id;
    AgentId agent_id;
    Unavailability unavailability;
  };
  std::vector<Item> offers;
};
struct RescindInverseOffers {
  std::vector<OfferId> offers;
};

using MasterToScheduler =
    std::variant<HelloReply, Subscribed, OfferBatch, Rescind, Updates, Failure, ErrorMessage,
                 Heartbeat, Goodbye, InverseOfferBatch, RescindInverseOffers, OperationUpdates,
                 FrameworkUpdated, ExecutorMessage>;

// ----------------------------------------------------------------------------- agent to master

// In both registrations, info.resources is the total as the agent has it now: what was configured,
// with the reservations and volumes that operations made of it.
struct RegisterAgent {
  AgentInfo info;                          // info.id empty
  std::vector<AgentOperation> operations;  // applied, their statuses not acknowledged
};

struct ReregisterAgent {
  AgentInfo info;  // info.id as the master gave it
  std::vector<FrameworkInfo> frameworks;
  std::vector<Task> tasks;                 // all that are not both terminal and acknowledged
  std::vector<AgentOperation> operations;  // applied, their statuses not acknowledged
  std::vector<AgentExecutor> executors;    // all that live, but those of command tasks
};

// The same for a master that may know most of it: the info is a hash (common/fingerprint.h),
// and tasks of a kind are told together. Where the master does not know the agent so, it asks for
// the whole.
struct ReregisterCompactly {
  AgentId id;
  uint64_t info_hash = 0;
  // This session has asked before and got no answer. Nothing else is in it: only a master that
  // never saw the request needs more, and asks for it.
  bool repeated = false;
  std::vector<FrameworkId> frameworks;
  std::vector<Task> tasks;
  std::vector<AgentOperation> operations;
  std::vector<AgentExecutor> executors;
  // What describes the frameworks, in their order, for a master that has not heard of one. Agents
  // of builds that did not have this field describe none.
  std::vector<FrameworkInfo> framework_infos;
};

struct StatusUpdates {
  struct Item {
    FrameworkId framework_id;
    TaskStatus status;
    // The newest state of the task; the status may be an older one that waits for its turn.
    TaskState latest_state = TaskState::kStaging;
  };
  std::vector<Item> items;
};

struct Pong {};

// The agent leaves for good; its tasks are dead.
struct UnregisterAgent {};

// What became of operations; repeated until acknowledged.
struct OperationReports {
  std::vector<AgentOperation> items;
};

// The agent has more or less to lend: `revocable` replaces all that was revocable of its total.
struct UpdateAgent {
  Resources revocable;
};

using AgentToMaster = std::variant<Hello, RegisterAgent, ReregisterAgent, StatusUpdates, Pong,
                                   UnregisterAgent, Goodbye, OperationReports, UpdateAgent,
                                   ExecutorExited, RelayToFramework, ReregisterCompactly>;

// ----------------------------------------------------------------------------- master to agent

struct Registered {
  AgentId agent_id;
  std::string master_id;
  uint64_t epoch = 0;
  Duration ping_timeout{};  // no ping for so long: the agent reconnects and registers again
  bool reregistered = false;
};

struct LaunchTasks {
  struct Item {
    FrameworkId framework_id;
    std::string role;
    TaskInfo task;
    // The master believes that the task's executor lives: it must not be started for this task.
    bool executor_runs = false;
  };
  std::vector<FrameworkInfo> frameworks;  // those this session has not told the agent of yet
  std::vector<Item> tasks;
};

struct KillTask {
  FrameworkId framework_id;
  TaskId task_id;
  std::optional<KillPolicy> kill_policy;
};

struct AcknowledgeUpdates {
  struct Item {
    FrameworkId framework_id;
    TaskId task_id;
    Uuid uuid;
  };
  std::vector<Item> items;
};

struct ShutdownFramework {
  FrameworkId framework_id;
};

// Tasks that the master knows on this agent and that the agent did not name when it registered
// again. The agent answers each it does not have with GONE or LOST, so that nothing stays behind.
struct ReconcileTasks {
  struct Item {
    FrameworkId framework_id;
    TaskId task_id;
    bool partition_aware = false;
  };
  std::vector<Item> items;
};

struct Ping {
  bool connected = true;  // false: the master holds the agent for disconnected, so register again
};

// The master refuses this agent for good: kill everything and exit.
struct ShutdownAgent {
  std::string message;
};

// To be applied in order, and before the launches that follow.
struct ApplyOperations {
  std::vector<AgentOperation> items;
};

struct AcknowledgeOperationReports {
  struct Item {
    Uuid operation;
    Uuid status;
  };
  std::vector<Item> items;
};

// Kill all tasks, and take no new ones until all have ended.
struct DrainAgent {
  std::optional<Duration> max_grace;  // the most that a task's own grace period may be
};

// The answer to ReregisterCompactly: this session must say all, as ReregisterAgent.
struct ReregisterFully {};

using MasterToAgent =
    std::variant<HelloReply, Registered, LaunchTasks, KillTask, AcknowledgeUpdates,
                 ShutdownFramework, ReconcileTasks, Ping, ShutdownAgent, ErrorMessage, Goodbye,
                 DrainAgent, ApplyOperations, AcknowledgeOperationReports, LaunchGroup,
                 RelayToExecutor, StopExecutor, ReregisterFully>;

// ------------------------------------------------------------------------ operator and server

enum class Table : uint8_t {
  kAgents = 0,
  kFrameworks = 1,
  kTasks = 2,
  kRoles = 3,
  kOffers = 4,
  kMetrics = 5,
  kMaintenance = 6,
};
inline constexpr int kTableCount = 7;

struct AgentRow {
  AgentInfo info;
  std::string state;  // "active", "disconnected", "unreachable", "broken"
  Resources allocated;
  Resources offered;
  WallTime registered_at{};
  uint32_t tasks = 0;
  bool deactivated = false;  // an operator wants it not to be offered
  std::string draining;      // "draining", "drained", or empty
  std::optional<Unavailability> unavailability;
};
struct FrameworkRow {
  FrameworkInfo info;
  std::string state;  // "active", "inactive", "disconnected", "recovered", "completed"
  Resources allocated;
  Resources offered;
  WallTime subscribed_at{};
  uint32_t tasks = 0;
};
struct TaskRow {
  Task task;
};
struct RoleRow {
  std::string name;
  int64_t weight_milli = 1000;
  // Dominant share without weight, in millionths.
  int64_t dominant_share_ppm = 0;
  Resources allocated;
  Resources offered;
  uint32_t frameworks = 0;
  Quota quota;
  // Of the role and all below it: what is reserved, and what of the rest runs tasks.
  Quantities consumed;
};
struct OfferRow {
  OfferId id;
  FrameworkId framework_id;
  AgentId agent_id;
  std::string role;
  Resources resources;
  WallTime made_at{};
};
struct MetricRow {
  std::string key;
  double value = 0;
};

// Rows of the table that was asked for; the others stay empty.
struct Rows {
  std::vector<AgentRow> agents;
  std::vector<FrameworkRow> frameworks;
  std::vector<TaskRow> tasks;
  std::vector<RoleRow> roles;
  std::vector<OfferRow> offers;
  std::vector<MetricRow> metrics;
  std::vector<MaintenanceRow> maintenance;
};

// `key` empty: the whole table (list); else the row with that id or name (get).
struct ListRequest {
  uint32_t request = 0;  // the answers carry the same number
  Table table = Table::kAgents;
  std::string key;
  FrameworkId framework_id;  // with kTasks: only those of this framework
  AgentId agent_id;          // with kTasks and kOffers: only those on this agent
};
// A long answer comes in several parts; the last has `more` false.
struct ListReply {
  uint32_t request = 0;
  uint64_t state_version = 0;
  bool more = false;
  Rows rows;
};

// First one ListReply per table, then a WatchEvent per change, until the session ends. A watcher
// that reads too slowly gets a new snapshot, announced by `resync`.
struct WatchRequest {
  uint32_t request = 0;
  std::vector<Table> tables;  // empty: all but metrics
};
struct WatchEvent {
  uint32_t request = 0;
  uint64_t state_version = 0;
  bool resync = false;  // what was known is void; ListReplies follow
  Rows changed;         // new or changed rows
  struct Removed {
    Table table = Table::kAgents;
    std::string key;
    std::string within;  // for tasks: the framework id
  };
  std::vector<Removed> removed;
};

// At the agent: bytes of a file in a task's sandbox.
struct ReadFile {
  uint32_t request = 0;
  FrameworkId framework_id;
  TaskId task_id;
  std::string path;     // "stdout", relative to the sandbox, no ".."
  uint64_t offset = 0;  // UINT64_MAX: only tell the size
  uint32_t length = 0;  // at most limits::kReadFileMax
};
struct FileData {
  uint32_t request = 0;
  uint64_t offset = 0;
  uint64_t size = 0;        // of the file now
  bool task_ended = false;  // no more will come
  std::string data;
};
// The answer to a command, and to any request that failed.
struct RequestDone {
  uint32_t request = 0;
  std::string error;  // empty: done
};

using OperatorToServer =
    std::variant<Hello, ListRequest, WatchRequest, OperatorKill, ReadFile, Goodbye, UpdateQuota,
                 UpdateWeights, OperateResources, UpdateMaintenanceSchedule, OperateMachines,
                 OperateAgent, TeardownFramework, Explain>;
using ServerToOperator =
    std::variant<HelloReply, ListReply, WatchEvent, FileData, RequestDone, Goodbye, Explanation>;

}  // namespace tepui
