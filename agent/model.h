#pragma once
// What an agent runs: framework -> executor -> container {id, parent} -> tasks. A command task is
// the one task of a built-in executor that has the task's id; this core and the shim play it.
//
// Plain structs; Workload keeps them consistent. Pure.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/termination.h"
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
  Instant complete_by = kNever;  // max_completion_time
  Instant wake = kNever;         // its entry in Workload's deadlines
  bool charged = false;          // counts against what the agent has
  bool held = false;             // its container takes what the agent has
};

struct Executor {
  ExecutorId id;
  ContainerId container_id;
  std::set<TaskId> tasks;
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

  bool idle() const { return executors.empty() && tasks.empty(); }
};

struct Container {
  enum class State : uint8_t { kLaunching, kRunning, kDestroying };

  ContainerId id;
  ContainerId parent;  // empty: a container of its own
  State state = State::kLaunching;
  FrameworkId framework_id;
  ExecutorId executor_id;
  TaskId task_id;
  int64_t pid = 0;
};

}  // namespace tepui
