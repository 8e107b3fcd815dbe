#pragma once
// The conversation of an executor with its agent, and what schedulers, masters and agents say about
// executors. Free messages between framework and executor (`data`) are delivered at most once.
//
// The agent listens on a unix socket; TEPUI_AGENT_SOCKET of the executor's environment names it. By
// its container's id an executor shows that it is the one that this agent has started.
//
// Part of common/messages.h. Pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/executors.h"
#include "common/frameworks.h"
#include "common/ids.h"
#include "common/session_messages.h"
#include "common/tasks.h"

namespace tepui {

// --------------------------------------------------------------------------- executor to agent

// Also again, after the agent was restarted: what the executor has not been told to be safe yet.
struct SubscribeExecutor {
  FrameworkId framework_id;
  ExecutorId executor_id;
  ContainerId container_id;
  std::vector<TaskStatus> updates;  // not acknowledged, in order
  std::vector<TaskId> tasks;        // received, of which no update was acknowledged
};

// `status.uuid` is drawn by the executor; agent, source and executor are the agent's to say.
struct UpdateTask {
  TaskStatus status;
};

struct MessageFramework {
  std::string data;
};

using ExecutorToAgent =
    std::variant<Hello, SubscribeExecutor, UpdateTask, MessageFramework, Goodbye>;

// --------------------------------------------------------------------------- agent to executor

struct ExecutorSubscribed {
  std::shared_ptr<const ExecutorInfo> executor;
  FrameworkInfo framework;
  AgentInfo agent;
};

// Those that belong together come together.
struct RunTasks {
  std::vector<TaskInfo> tasks;
  bool group = false;  // a task group: all or nothing
};

struct StopTask {
  TaskId task_id;
  std::optional<KillPolicy> kill_policy;
};

// The agent has made the update durable, as far as the framework wants that.
struct UpdateTaken {
  TaskId task_id;
  Uuid uuid;
};

struct FrameworkMessage {
  std::string data;
};

// Kill all tasks and exit, within the grace period.
struct EndExecutor {};

using AgentToExecutor =
    std::variant<HelloReply, ExecutorSubscribed, RunTasks, StopTask, UpdateTaken, FrameworkMessage,
                 EndExecutor, ErrorMessage, Goodbye>;

// ------------------------------------------------------------- scheduler to master, and onwards

struct MessageExecutor {
  AgentId agent_id;
  ExecutorId executor_id;
  std::string data;
};

struct ShutdownExecutor {
  AgentId agent_id;
  ExecutorId executor_id;
};

// Tasks of one group, for one executor: all of them are launched or none.
struct LaunchGroup {
  std::vector<FrameworkInfo> frameworks;  // its own, unless this session has told the agent of it
  FrameworkId framework_id;
  std::string role;
  std::shared_ptr<const ExecutorInfo> executor;
  std::vector<TaskInfo> tasks;
  bool executor_runs = false;  // as in LaunchTasks
};

struct RelayToExecutor {
  FrameworkId framework_id;
  ExecutorId executor_id;
  std::string data;
};

struct StopExecutor {
  FrameworkId framework_id;
  ExecutorId executor_id;
};

// ------------------------------------------------------------- agent to master, and onwards

// An executor that lives on an agent, as the agent tells when it registers again.
struct AgentExecutor {
  FrameworkId framework_id;
  std::string role;  // the allocation role of its resources
  std::shared_ptr<const ExecutorInfo> executor;
  ContainerId container_id;
};

// Its resources are free. Not repeated: a registration tells who lives.
struct ExecutorExited {
  FrameworkId framework_id;
  ExecutorId executor_id;
  std::optional<int32_t> exit_status;
  std::optional<int32_t> signal;
};

struct RelayToFramework {
  FrameworkId framework_id;
  ExecutorId executor_id;
  std::string data;
};

struct ExecutorMessage {
  AgentId agent_id;
  ExecutorId executor_id;
  std::string data;
};

}  // namespace tepui
