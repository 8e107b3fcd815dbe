// The part of Workload that runs groups of tasks: all of them or none, and when one does not
// finish, the others are killed.
//
// The default executor is played here: each of its tasks has a container of its own inside that of
// the executor, which holds no process. So a group needs nothing that could die but its tasks.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/total.h"
#include "agent/workload.h"
#include "common/check.h"

namespace tepui {

std::optional<Outcome> Workload::group_refusal(const AgentFramework& framework,
                                               const LaunchGroup& message) const {
  const bool aware = framework.info.has(FrameworkCapability::kPartitionAware);
  const auto refused = [](TaskState state, TaskReason reason, std::string why) {
    return Outcome{
        .state = state, .reason = reason, .source = TaskSource::kAgent, .message = std::move(why)};
  };
  const TaskState dropped = aware ? TaskState::kDropped : TaskState::kLost;
  if (shutting_down_) {
    return refused(dropped, TaskReason::kAgentRemoved, "The agent is shutting down");
  }
  if (draining_) {
    return refused(dropped, TaskReason::kAgentDraining, "The agent is being drained");
  }
  const auto invalid = [&refused](std::string why) {
    return refused(TaskState::kError, TaskReason::kTaskGroupInvalid, std::move(why));
  };
  if (const auto valid = validate_group(*message.executor, message.tasks); !valid) {
    return invalid(valid.error().message);
  }
  Resources wanted;
  for (const TaskInfo& task : message.tasks) {
    wanted += task.spec->resources;
    const auto mounts = volume_mounts(task.spec->resources, config_.work_dir, task.spec->container);
    if (!mounts) return invalid(mounts.error().message);
  }
  std::optional<Outcome> executor =
      executor_refusal(framework, *message.executor, message.executor_runs, wanted);
  if (executor) {
    if (executor->reason == TaskReason::kTaskInvalid) {
      executor->reason = TaskReason::kTaskGroupInvalid;
    }
    return executor;
  }
  if (can_take(config_.info.resources, charged_, wanted)) return std::nullopt;
  return refused(dropped, TaskReason::kResourcesUnknown,
                 fmt::format("The group needs {}, but of the agent's {} only {} is free",
                             to_text(wanted), to_text(config_.info.resources),
                             to_text(config_.info.resources.minus(charged_))));
}

void Workload::on_launch_group(Now now, const LaunchGroup& message) {
  learn(message.frameworks);
  AgentFramework* framework = find_framework(message.framework_id);
  if (framework == nullptr || framework->shutting_down) {
    tell_executor_exited(message.framework_id, message.executor->id, {});
    for (const TaskInfo& task : message.tasks) {
      answer_for_stranger(now, message.framework_id, task.id, not_for(framework));
    }
    return;
  }
  for (const TaskInfo& task : message.tasks) {
    if (!framework->tasks.contains(task.id) && !streams_.contains(message.framework_id, task.id)) {
      continue;
    }
    return drop("launch_group", fmt::format("task '{}' of framework '{}' is here already",
                                            task.id.value, message.framework_id.value));
  }
  const std::optional<Outcome> refused = group_refusal(*framework, message);
  if (!refused) {
    start_group(now, *framework, message);
  } else {
    refuse_group(now, *framework, message, *refused);
  }
  start_launches(now);
}

void Workload::refuse_group(Now now, AgentFramework& framework, const LaunchGroup& message,
                            const Outcome& outcome) {
  if (find_executor(framework, message.executor->id) == nullptr) {
    tell_executor_exited(message.framework_id, message.executor->id, {});
  }
  for (const TaskInfo& info : message.tasks) {
    if (framework.tasks.contains(info.id)) continue;  // twice in the group
    AgentTask& task = add_task(
        now, framework, {.framework_id = message.framework_id, .role = message.role, .task = info},
        {.executor_id = message.executor->id});
    finish(now, framework, task, outcome);
  }
}

void Workload::start_group(Now now, AgentFramework& framework, const LaunchGroup& message) {
  OwnExecutor& executor = take_executor(framework, message.executor, message.role);
  const bool custom = executor.is_custom();
  const std::string group = to_text(make_uuid());
  OwnExecutor::Batch batch{.tasks = {}, .group = true};
  for (const TaskInfo& info : message.tasks) {
    const ContainerId own{custom ? executor.container_id.value : to_text(make_uuid())};
    AgentTask& task = add_task(
        now, framework, {.framework_id = message.framework_id, .role = message.role, .task = info},
        {.executor_id = message.executor->id,
         .container_id = own,
         .parent = custom ? ContainerId{} : executor.container_id,
         .group = group,
         .custom = custom});
    charge(task);
    executor.tasks.insert(info.id);
    batch.tasks.push_back(info.id);
    if (!custom) enqueue(message.framework_id, task);
  }
  remember_group(framework, batch.tasks);
  if (custom) hand_over(framework, executor, std::move(batch));
}

// The tasks of a group that are still there, apart from `but`, are killed: all of them where the
// agent plays the executor, and otherwise those that the executor has not heard of.
void Workload::kill_group(Now now, AgentFramework& framework, const ExecutorId& id,
                          const std::string& group, const TaskId& but) {
  const OwnExecutor* executor = find_executor(framework, id);
  if (executor == nullptr) return;
  const bool custom = executor->is_custom();
  std::vector<TaskId> members;
  for (const TaskId& task : executor->tasks) {
    const AgentTask& member = framework.tasks.at(task);
    if (member.group != group || task == but || member.termination.requested()) continue;
    if (!custom || member.phase == AgentTask::Phase::kQueued) members.push_back(task);
  }
  for (const TaskId& task : members) {
    const auto member = framework.tasks.find(task);
    if (member == framework.tasks.end()) continue;
    request_kill(now, framework, member->second, KillCause::kGroupEnded, {});
  }
}

}  // namespace tepui
