#pragma once
// How an accepted task becomes a LaunchSpec: its sandbox path, its environment, the user and the
// directory of its command, its isolation plan.
//
// Pure.

#include <optional>
#include <string>
#include <string_view>

#include "agent/agent.h"
#include "agent/effects.h"
#include "common/container_info.h"
#include "common/frameworks.h"
#include "common/tasks.h"

namespace tepui {

// Whether its launch waits for files or an image that must be fetched or unpacked first.
bool needs_fetching(const CommandInfo& command, const std::optional<ContainerInfo>& container);

struct LaunchInput {
  const AgentConfig& config;
  const FrameworkInfo& framework;
  const Task& task;  // with agent and container id
  const TaskSpec& spec;
  const ExecutorId& executor_id;
};

// `agents/<agent>/frameworks/<f>/executors/<e>/runs/<c>`: the scheme that log shippers know.
std::string sandbox_path(const Task& task, const ExecutorId& executor);

// Later entries win: PATH, what Mesos tells an executor, the command's own variables. Sorted by
// name, each name once.
LaunchSpec make_launch_spec(const LaunchInput& input);

struct ExecutorLaunchInput {
  const AgentConfig& config;
  const FrameworkInfo& framework;
  const ExecutorInfo& executor;
  const std::string& role;
  const ContainerId& container_id;
  IsolationPlan plan;
};
// The same for a custom executor.
LaunchSpec make_executor_spec(ExecutorLaunchInput input);

// Makes the launch of a task one of a command beside it: in the same sandbox and environment,
// inside the task's container, and subject to its limits.
void make_probe_spec(LaunchSpec& spec, const CommandInfo& command, const ContainerId& id);

}  // namespace tepui
