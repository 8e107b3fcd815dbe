#pragma once
// What an agent must remember to take up its work again when its process ends: typed records, each
// of which is durable after all that were appended before it. A record says what is so from now on;
// it replaces the one of the same kind and number before it, or takes it away.
//
// Frameworks and tasks have numbers of their own here, given in the order in which they came and
// never again in the life of a memory.
//
// Plain structs. Pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/termination.h"
#include "common/executors.h"
#include "common/frameworks.h"
#include "common/ids.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

// Where the containers of an agent are, and for how long at most.
struct AgentGround {
  std::string boot_id;  // of the kernel: when it changes, no container is left
  std::string runtime_dir;
  std::string cgroup_root;
  bool operator==(const AgentGround&) const = default;
};

namespace record {

// As what the agent is registered. Its resources are those that were configured, before operations
// made something of them.
struct Identity {
  AgentInfo info;
  AgentGround ground;
};
// The agent is nobody any more: who starts next registers anew.
struct IdentityForgotten {};

struct Framework {
  uint64_t number = 0;
  FrameworkInfo info;
  bool shutting_down = false;
};
struct FrameworkForgotten {
  uint64_t number = 0;
};

// A task that was accepted, as it was then; durable before its container is launched.
struct Task {
  uint64_t number = 0;
  uint64_t framework = 0;
  tepui::Task task;
  std::shared_ptr<const TaskSpec> spec;
  ExecutorId executor_id;
  std::string sandbox;  // empty: the task was refused, and has no container
  bool custom = false;  // an executor of its framework runs it
  ContainerId parent;
  std::string group;
};

// The tasks of a group, durable together or not at all. Read back they are single tasks.
struct TaskGroup {
  std::vector<Task> tasks;
};

// An executor that a framework asked for; durable before its container is launched.
struct Executor {
  uint64_t number = 0;
  uint64_t framework = 0;
  std::shared_ptr<const ExecutorInfo> info;
  std::string role;
  ContainerId container_id;
};
struct ExecutorForgotten {
  uint64_t number = 0;
};
// All that is remembered of it, with statuses `first_status` to `last_status`.
struct TaskForgotten {
  uint64_t task = 0;
  uint64_t first_status = 0;
  uint64_t last_status = 0;
};

// How the task is doing, apart from its statuses.
struct Course {
  uint64_t task = 0;
  std::optional<TaskStatus> acknowledged;  // the newest one
  KillCause kill_cause = KillCause::kNone;
  bool killed_during_launch = false;
  // Boot times, which a restarted agent reads from the same clock.
  Instant kill_at = kNever;      // kNever and a cause: at once
  Instant complete_by = kNever;  // max_completion_time
};

// A status that waits for its acknowledgement. Numbers of a task rise by one, from one.
struct Status {
  uint64_t task = 0;
  uint64_t number = 0;
  TaskStatus status;
};
// It was acknowledged; the course has it now.
struct Acknowledged {
  uint64_t number = 0;
  Course course;
};

}  // namespace record

using AgentRecord = std::variant<record::Identity, record::IdentityForgotten, record::Framework,
                                 record::FrameworkForgotten, record::Task, record::TaskForgotten,
                                 record::Course, record::Status, record::Acknowledged,
                                 record::Executor, record::ExecutorForgotten, record::TaskGroup>;

}  // namespace tepui
