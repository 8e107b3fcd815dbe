#pragma once
// What an agent runs: framework -> executor -> container {id, parent} -> tasks. A command task is
// the one task of a built-in executor that has the task's id; this core and the shim play it.
//
// Plain structs; Workload keeps them consistent. Pure.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/corrections.h"
#include "agent/task_checks.h"
#include "agent/termination.h"
#include "common/executors.h"
#include "common/frameworks.h"
#include "common/ids.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

struct AgentTask {
  enum class Phase : uint8_t {
    kQueued,     // accepted, waits for its launch (TASK_STAGING)
    kLaunching,  // launch() was called
    kRunning,
    kEnded,  // has its terminal status, which is not acknowledged yet
  };

  uint64_t number = 0;  // among the records
  Task task;
  std::shared_ptr<const TaskSpec> spec;
  ExecutorId executor_id;
  Phase phase = Phase::kQueued;
  std::string sandbox;    // from its launch on
  uint64_t accepted = 0;  // durable with this serial; it is launched then
  // Statuses that were recorded, and of them those that were acknowledged, by number.
  uint64_t statuses = 0;
  uint64_t acknowledged = 0;
  std::optional<TaskStatus> acknowledged_status;  // the newest
  Termination termination;
  uint64_t remembered = 0;       // that it is to end: durable with this serial; it is told then
  Instant complete_by = kNever;  // max_completion_time
  Instant wake = kNever;         // its entry in Workload's deadlines
  bool custom = false;           // an executor of the framework runs it
  ContainerId parent;            // its container is inside this one: a member of a default group
  std::string group;             // of those launched together; empty: by itself
  bool charged = false;          // counts against what the agent has
  bool held = false;             // its container takes what the agent has
  TaskChecks checks;
  uint64_t check_probe = 0;  // that is out; 0: none
  uint64_t health_probe = 0;
  std::string preempted_why;  // what the QoS controller said, while this life lasts

  // An earlier life of the agent has seen it run. Otherwise nothing shows whether its container
  // began.
  bool ran() const {
    return task.state != TaskState::kStaging && task.state != TaskState::kStarting;
  }
  uint64_t& probe(TaskChecks::Kind kind) {
    return kind == TaskChecks::Kind::kCheck ? check_probe : health_probe;
  }
};

// One look at a task.
struct Probe {
  FrameworkId framework_id;
  TaskId task_id;
  TaskChecks::Kind kind = TaskChecks::Kind::kCheck;
  ContainerId container_id;  // of a command
};

struct Executor {
  ExecutorId id;
  ContainerId container_id;
  std::set<TaskId> tasks;
};

// An executor that a framework asked for. A custom one has a container and speaks to the agent; the
// default one is played by the agent, has no container and is there as long as its tasks are.
struct OwnExecutor {
  enum class State : uint8_t {
    kQueued,       // its container waits to be launched
    kRegistering,  // it has to subscribe by the deadline
    kRunning,
    kTerminating,  // it has to end by the deadline
  };
  // Tasks that are to be handed to it together.
  struct Batch {
    std::vector<TaskId> tasks;
    bool group = false;
  };

  uint64_t number = 0;  // among the records
  std::shared_ptr<const ExecutorInfo> info;
  std::string role;
  ContainerId container_id;
  State state = State::kQueued;
  uint64_t accepted = 0;    // durable with this serial; it is launched then
  bool launched = false;    // its container runs
  bool adopted = false;     // an earlier life of the agent launched it
  std::set<TaskId> tasks;   // not ended
  std::deque<Batch> queue;  // of them, those it has not heard of
  SessionId session;        // null: it is not connected
  Instant deadline = kNever;
  TaskReason fate = TaskReason::kExecutorTerminated;  // of its tasks when it ends
  std::string why;                                    // of that, where there is more to say
  bool charged = false;
  bool held = false;

  bool is_custom() const { return info->type == ExecutorInfo::Type::kCustom; }
};

struct AgentFramework {
  FrameworkInfo info;
  uint64_t number = 0;  // among the records; 0: it is not remembered
  // Torn down: what still runs is being killed, and nobody hears of it.
  bool shutting_down = false;
  // Meanwhile the master of this session has launched tasks of it: one before had removed it, this
  // one took it back.
  bool wanted_again = false;
  std::map<ExecutorId, Executor> executors;
  std::map<TaskId, AgentTask> tasks;
  std::map<ExecutorId, OwnExecutor> own;

  bool idle() const { return executors.empty() && tasks.empty() && own.empty(); }
};

struct Container {
  enum class State : uint8_t { kLaunching, kRunning, kDestroying };

  ContainerId id;
  ContainerId parent;  // empty: a container of its own
  State state = State::kLaunching;
  FrameworkId framework_id;
  ExecutorId executor_id;
  TaskId task_id;
  bool own = false;      // it is that of a custom executor
  bool fetches = false;  // its launch needs something fetched
  uint64_t probe = 0;    // it runs the command of a check: the number of that probe
  int64_t pid = 0;
  bool adopted = false;  // an earlier life of the agent launched it
  Corrections corrections;
};

}  // namespace tepui
