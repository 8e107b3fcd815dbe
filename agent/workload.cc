#include "agent/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "agent/launch_spec.h"
#include "agent/total.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

constexpr int kSignalTerminate = 15;

UpdateStreams::Retry retry_of(const AgentTunables& tunables) {
  return {.min = tunables.update_retry_min, .max = tunables.update_retry_max};
}

// A task that was never launched: frameworks that do not know of partitions hear LOST.
TaskState dropped_state(const FrameworkInfo& framework) {
  return framework.has(FrameworkCapability::kPartitionAware) ? TaskState::kDropped
                                                             : TaskState::kLost;
}

Outcome killed_before_launch() {
  return Outcome{.state = TaskState::kKilled,
                 .reason = TaskReason::kTaskKilledDuringLaunch,
                 .source = TaskSource::kAgent,
                 .message = "Killed before it was launched"};
}

}  // namespace

Workload::Workload(const AgentConfig& config, Rng rng, AgentEffects& effects)
    : config_(config),
      effects_(effects),
      rng_(rng),
      streams_(retry_of(config.tunables), rng_.fork()) {}

// ------------------------------------------------------------------------------ conversation

void Workload::on_registered(Now now) { streams_.resume(now.mono); }

void Workload::on_unregistered() {
  streams_.pause();
  answers_.clear();
}

void Workload::on_session_over() {
  streams_.pause();
  answers_.clear();
  for (auto& [id, framework] : frameworks_) framework.wanted_again = false;
  std::erase_if(frameworks_, [](const auto& entry) { return entry.second.idle(); });
}

void Workload::describe(ReregisterAgent& message) const {
  for (const auto& [id, framework] : frameworks_) {
    if (framework.shutting_down || framework.tasks.empty()) continue;
    message.frameworks.push_back(framework.info);
    for (const auto& [task_id, entry] : framework.tasks) {
      Task& task = message.tasks.emplace_back(entry.task);
      const UpdateStreams::Forwarded forwarded = streams_.forwarded(id, task_id);
      task.update_state = forwarded.state;
      task.update_uuid = forwarded.uuid;
    }
  }
}

void Workload::on_launch_tasks(Now now, const LaunchTasks& message) {
  for (const FrameworkInfo& info : message.frameworks) {
    if (const Result<void> valid = validate_id(info.id.value, "framework id"); !valid) {
      drop("launch_tasks", valid.error().message);
      continue;
    }
    AgentFramework& framework = frameworks_[info.id];
    framework.info = info;
    framework.wanted_again = framework.shutting_down;
  }
  for (const LaunchTasks::Item& item : message.tasks) accept(now, item);
  start_launches(now);
}

void Workload::accept(Now now, const LaunchTasks::Item& item) {
  const TaskId& id = item.task.id;
  // Without these there is nothing to answer about, or no path that is safe to make.
  if (const Result<void> valid = validate_id(id.value, "task id"); !valid) {
    return drop("launch_tasks", valid.error().message);
  }
  if (const Result<void> valid = validate_id(item.framework_id.value, "framework id"); !valid) {
    return drop("launch_tasks", valid.error().message);
  }
  AgentFramework* framework = find_framework(item.framework_id);
  if (framework == nullptr || framework->shutting_down) {
    const bool known = framework != nullptr;
    return answer_for_stranger(
        now, item.framework_id, id,
        Outcome{.state = known ? dropped_state(framework->info) : TaskState::kLost,
                .reason = known ? TaskReason::kFrameworkRemoved : TaskReason::kInvalidFrameworkId,
                .source = TaskSource::kAgent,
                .message = known ? "The agent is shutting down this framework"
                                 : "The agent was not told of this framework"});
  }
  // The stream of the task that is here already tells its fate; a status for the newcomer could
  // only be taken for that one's.
  if (framework->tasks.contains(id) || streams_.contains(item.framework_id, id)) {
    return drop("launch_tasks", fmt::format("task '{}' of framework '{}' is here already", id.value,
                                            item.framework_id.value));
  }
  AgentTask& task = framework->tasks[id];
  task.spec = item.task.spec != nullptr ? item.task.spec : std::make_shared<const TaskSpec>();
  const std::string& own_user = task.spec->command.user;
  task.task = Task{.id = id,
                   .name = item.task.name,
                   .framework_id = item.framework_id,
                   .agent_id = config_.info.id,
                   .role = item.role,
                   .resources = task.spec->resources,
                   .limits = task.spec->limits,
                   .labels = task.spec->labels,
                   .launched_at = now.wall,
                   .user = own_user.empty() ? framework->info.user : own_user,
                   .group = task.spec->group,
                   .discovery = task.spec->discovery};
  if (const std::optional<Outcome> refused = refusal(*framework, item)) {
    return finish(now, *framework, task, *refused);
  }
  task.charged = true;
  charged_ += task.task.resources;
  queue_.emplace_back(item.framework_id, id);
}

std::optional<Outcome> Workload::refusal(const AgentFramework& framework,
                                         const LaunchTasks::Item& item) const {
  const auto dropped = [&](TaskReason reason, std::string message) {
    return Outcome{.state = dropped_state(framework.info),
                   .reason = reason,
                   .source = TaskSource::kAgent,
                   .message = std::move(message)};
  };
  if (shutting_down_) return dropped(TaskReason::kAgentRemoved, "The agent is shutting down");
  if (draining_) return dropped(TaskReason::kAgentDraining, "The agent is being drained");
  const auto invalid = [](std::string message) {
    return Outcome{.state = TaskState::kError,
                   .reason = TaskReason::kTaskInvalid,
                   .source = TaskSource::kAgent,
                   .message = std::move(message)};
  };
  if (item.task.spec == nullptr) return invalid("The task has no description");
  if (Result<void> valid = validate(item.task); !valid) return invalid(valid.error().message);
  const Resources& wanted = item.task.spec->resources;
  if (const auto mounts = volume_mounts(wanted, config_.work_dir); !mounts) {
    return invalid(mounts.error().message);
  }
  if (!can_take(config_.info.resources, charged_, wanted)) {
    return dropped(TaskReason::kResourcesUnknown,
                   fmt::format("The task needs {}, but of the agent's {} only {} is free",
                               to_text(wanted), to_text(config_.info.resources),
                               to_text(config_.info.resources.minus(charged_))));
  }
  return std::nullopt;
}

void Workload::on_kill_task(Now now, const KillTask& message) {
  AgentFramework* framework = find_framework(message.framework_id);
  AgentTask* task = find_task(message.framework_id, message.task_id);
  if (task == nullptr) {
    return drop("kill_task", fmt::format("task '{}' is not here", message.task_id.value));
  }
  std::optional<Duration> grace;
  if (message.kill_policy) grace = message.kill_policy->grace_ns;
  request_kill(now, *framework, *task, KillCause::kRequested, grace);
  start_launches(now);
}

void Workload::on_acknowledge(Now now, const AcknowledgeUpdates& message) {
  for (const AcknowledgeUpdates::Item& item : message.items) {
    const UpdateStreams::Ack ack =
        streams_.acknowledge(now.mono, item.framework_id, item.task_id, item.uuid);
    if (ack == UpdateStreams::Ack::kUnexpected) {
      drop("acknowledge_updates",
           fmt::format("no status {} of task '{}' waits for an acknowledgement", to_text(item.uuid),
                       item.task_id.value));
      continue;
    }
    effects_.on_event(event::TaskStatusAcknowledged{
        .framework_id = &item.framework_id, .task_id = &item.task_id, .uuid = item.uuid});
    if (ack != UpdateStreams::Ack::kClosed) continue;
    // A framework that is shut down may still run a task that was told to be gone.
    const AgentTask* task = find_task(item.framework_id, item.task_id);
    if (task == nullptr || task->phase != AgentTask::Phase::kEnded) continue;
    frameworks_.at(item.framework_id).tasks.erase(item.task_id);
  }
}

void Workload::on_shutdown_framework(Now now, const ShutdownFramework& message) {
  AgentFramework* framework = find_framework(message.framework_id);
  if (framework == nullptr) {
    return drop("shutdown_framework",
                fmt::format("framework '{}' is not here", message.framework_id.value));
  }
  framework->wanted_again = false;
  if (framework->shutting_down) return;
  // The master has given the resources back already; they are held until the commands have ended.
  std::vector<TaskId> live;
  for (auto& [id, task] : framework->tasks) {
    if (task.charged) charged_ -= task.task.resources;
    task.charged = false;
    if (task.phase != AgentTask::Phase::kEnded) live.push_back(id);
  }
  framework->shutting_down = true;
  streams_.forget(message.framework_id);
  std::erase_if(framework->tasks,
                [](const auto& entry) { return entry.second.phase == AgentTask::Phase::kEnded; });
  for (const TaskId& id : live) {
    request_kill(now, *framework, framework->tasks.at(id), KillCause::kFrameworkRemoved, {});
  }
  forget_if_done(message.framework_id);
  start_launches(now);
}

void Workload::on_reconcile(Now now, const ReconcileTasks& message) {
  for (const ReconcileTasks::Item& item : message.items) {
    const AgentFramework* framework = find_framework(item.framework_id);
    const bool known = framework != nullptr && !framework->shutting_down &&
                       framework->tasks.contains(item.task_id);
    if (known || streams_.contains(item.framework_id, item.task_id)) continue;
    answer_for_stranger(now, item.framework_id, item.task_id,
                        Outcome{.state = item.partition_aware ? TaskState::kGone : TaskState::kLost,
                                .reason = TaskReason::kReconciliation,
                                .source = TaskSource::kAgent,
                                .message = "The agent does not have this task"});
  }
}

// ------------------------------------------------------------------------------- containers

void Workload::start_launches(Now now) {
  while (!queue_.empty() && launching_ < limits::kLaunchesInFlightMax) {
    const Key key = queue_.front();
    AgentTask* task = find_task(key.first, key.second);
    if (task == nullptr || task->phase != AgentTask::Phase::kQueued) {
      queue_.pop_front();
      continue;
    }
    // What a removed framework still holds comes free within its grace. For what is revocable
    // nobody waits: there may be less of it by now than tasks were given.
    const Resources regular = (held_ + task->task.resources).non_revocable();
    if (!can_hold(config_.info.resources.non_revocable(), regular)) return;
    queue_.pop_front();
    begin_launch(now, frameworks_.at(key.first), *task);
  }
}

void Workload::begin_launch(Now now, AgentFramework& framework, AgentTask& task) {
  const ContainerId id{to_text(make_uuid())};
  const ExecutorId executor_id{task.task.id.value};
  task.task.container_id = id;
  task.phase = AgentTask::Phase::kLaunching;
  task.held = true;
  held_ += task.task.resources;
  ++launching_;
  framework.executors[executor_id] =
      Executor{.id = executor_id, .container_id = id, .tasks = {task.task.id}};
  containers_[id] = Container{.id = id,
                              .parent = {},
                              .framework_id = task.task.framework_id,
                              .executor_id = executor_id,
                              .task_id = task.task.id};
  publish(now, framework, task, TaskState::kStarting);
  effects_.on_event(event::ContainerLaunching{.id = &id, .task_id = &task.task.id});
  const LaunchSpec spec = make_launch_spec({.config = config_,
                                            .framework = framework.info,
                                            .task = task.task,
                                            .spec = *task.spec,
                                            .executor_id = executor_id});
  task.sandbox = spec.sandbox;
  effects_.launch(spec);
}

void Workload::on_launched(Now now, const ContainerId& id, int64_t pid) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kLaunching) {
    return drop("launched", fmt::format("container {} is not being launched", id.value));
  }
  Container& container = found->second;
  container.state = Container::State::kRunning;
  container.pid = pid;
  --launching_;
  effects_.on_event(event::ContainerStarted{.id = &id, .pid = pid});
  AgentFramework& framework = frameworks_.at(container.framework_id);
  AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  task->phase = AgentTask::Phase::kRunning;
  if (task->termination.requested()) {
    take(*task, task->termination.on_launched());
  } else {
    publish(now, framework, *task, TaskState::kRunning);
    const std::optional<Duration>& at_most = task->spec->max_completion_time;
    if (at_most) task->complete_by = later(now.mono, *at_most);
  }
  refresh_deadline(*task);
  start_launches(now);
}

void Workload::on_launch_failed(Now now, const ContainerId& id, const Error& error) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kLaunching) {
    return drop("launch_failed", fmt::format("container {} is not being launched", id.value));
  }
  Container container = found->second;
  --launching_;
  effects_.on_event(event::ContainerLaunchFailed{.id = &id, .why = error.message});
  Outcome outcome{.state = TaskState::kFailed,
                  .reason = TaskReason::kContainerLaunchFailed,
                  .source = TaskSource::kAgent,
                  .message = error.message.substr(0, limits::kStatusMessageBytesMax)};
  const AgentTask* task = task_of(container);
  if (task != nullptr && task->termination.requested()) outcome = killed_before_launch();
  containers_.erase(found);
  end_container(now, container, outcome);
}

void Workload::on_exit(Now now, const ContainerId& id, const ExitRecord& record) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state == Container::State::kDestroying) {
    return drop("exit", fmt::format("container {} does not run", id.value));
  }
  Container& container = found->second;
  if (container.state == Container::State::kLaunching) --launching_;
  container.state = Container::State::kDestroying;
  effects_.on_event(event::ContainerExited{.id = &id,
                                           .exit_status = record.exit_status.value_or(-1),
                                           .signal = record.signal.value_or(0)});
  const AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  end_container(now, container, outcome_of(record, task->termination, *task->spec));
  effects_.destroy(id);
}

void Workload::end_container(Now now, Container& container, const Outcome& outcome) {
  AgentFramework& framework = frameworks_.at(container.framework_id);
  AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  framework.executors.erase(container.executor_id);
  finish(now, framework, *task, outcome);
  forget_if_done(container.framework_id);
  start_launches(now);
}

void Workload::on_destroyed(Now /*now*/, const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kDestroying) {
    return drop("destroyed", fmt::format("container {} is not being destroyed", id.value));
  }
  containers_.erase(found);
  if (containers_.empty()) draining_ = false;
  effects_.on_event(event::ContainerDestroyed{.id = &id});
}

// ------------------------------------------------------------------------------------- kills

void Workload::request_kill(Now now, AgentFramework& framework, AgentTask& task, KillCause cause,
                            std::optional<Duration> grace) {
  switch (task.phase) {
    case AgentTask::Phase::kQueued:
      task.termination.request_at_launch(cause);
      return finish(now, framework, task, killed_before_launch());
    case AgentTask::Phase::kLaunching:
      return task.termination.request_at_launch(cause);
    case AgentTask::Phase::kEnded:
      return;
    case AgentTask::Phase::kRunning:
      break;
  }
  const std::optional<KillPolicy>& own = task.spec->kill_policy;
  if (!grace && own) grace = own->grace_ns;
  const Termination::Step step =
      task.termination.request(now.mono, cause, grace.value_or(config_.tunables.kill_grace));
  const bool told = cause == KillCause::kRequested || cause == KillCause::kDrained ||
                    cause == KillCause::kAgentShutdown;
  if (told && framework.info.has(FrameworkCapability::kTaskKillingState) &&
      task.task.state != TaskState::kKilling) {
    publish(now, framework, task, TaskState::kKilling);
  }
  take(task, step);
  refresh_deadline(task);
}

void Workload::take(const AgentTask& task, Termination::Step step) {
  switch (step) {
    case Termination::Step::kNone:
      return;
    case Termination::Step::kTerminate:
      return effects_.signal(task.task.container_id, kSignalTerminate);
    case Termination::Step::kKill:
      return effects_.kill(task.task.container_id);
  }
}

void Workload::refresh_deadline(AgentTask& task) {
  Instant wake = task.termination.deadline();
  if (!task.termination.requested()) wake = std::min(wake, task.complete_by);
  if (task.phase == AgentTask::Phase::kEnded) wake = kNever;
  if (wake == task.wake) return;
  if (task.wake != kNever) deadlines_.erase({task.wake, task.task.container_id});
  task.wake = wake;
  if (wake != kNever) deadlines_.emplace(wake, task.task.container_id);
}

void Workload::shut_down(Now now, std::optional<Duration> grace) {
  shutting_down_ = true;
  std::vector<Key> live;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [task_id, task] : framework.tasks) {
      if (task.phase != AgentTask::Phase::kEnded) live.emplace_back(id, task_id);
    }
  }
  for (const Key& key : live) {
    AgentTask* task = find_task(key.first, key.second);
    if (task == nullptr) continue;
    request_kill(now, frameworks_.at(key.first), *task, KillCause::kAgentShutdown, grace);
  }
}

void Workload::on_drain(Now now, const DrainAgent& message) {
  std::vector<Key> live;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [task_id, task] : framework.tasks) {
      if (task.phase != AgentTask::Phase::kEnded) live.emplace_back(id, task_id);
    }
  }
  for (const Key& key : live) {
    AgentTask& task = *find_task(key.first, key.second);
    const std::optional<KillPolicy>& own = task.spec->kill_policy;
    Duration grace = own ? own->grace_ns : config_.tunables.kill_grace;
    if (message.max_grace) grace = std::min(grace, *message.max_grace);
    request_kill(now, frameworks_.at(key.first), task, KillCause::kDrained, grace);
  }
  draining_ = !containers_.empty();
}

void Workload::on_tunables() { streams_.set_retry(retry_of(config_.tunables)); }

void Workload::on_time(Now now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    const ContainerId id = deadlines_.begin()->second;
    const Container& container = containers_.at(id);
    AgentTask* task = task_of(container);
    CHECK(task != nullptr);
    if (task->termination.requested()) {
      take(*task, task->termination.on_time(now.mono));
      refresh_deadline(*task);
    } else {
      task->complete_by = kNever;
      request_kill(now, frameworks_.at(container.framework_id), *task, KillCause::kCompletionTime,
                   {});
    }
  }
}

Instant Workload::next_wake() const {
  const Instant update = streams_.next_due();
  return deadlines_.empty() ? update : std::min(update, deadlines_.begin()->first);
}

}  // namespace tepui
