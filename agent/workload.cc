#include "agent/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/launch_spec.h"
#include "agent/total.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

UpdateStreams::Retry retry_of(const AgentTunables& tunables) {
  return {.min = tunables.update_retry_min, .max = tunables.update_retry_max};
}

// A task that was never launched: frameworks that do not know of partitions hear LOST.
TaskState dropped_state(const FrameworkInfo& framework) {
  return framework.has(FrameworkCapability::kPartitionAware) ? TaskState::kDropped
                                                             : TaskState::kLost;
}

}  // namespace

Workload::Workload(const AgentConfig& config, Rng rng, Recorder& recorder, AgentEffects& effects)
    : config_(config),
      recorder_(recorder),
      effects_(effects),
      rng_(rng),
      streams_(retry_of(config.tunables), rng_.fork()) {}

// ------------------------------------------------------------------------------ conversation

void Workload::on_registered(Now now) {
  registered_ = true;
  streams_.resume(now.mono);
  tell_exits();
}

void Workload::on_unregistered() {
  registered_ = false;
  streams_.pause();
  answers_.clear();
}

void Workload::on_session_over() {
  registered_ = false;
  streams_.pause();
  answers_.clear();
  untold_exits_.clear();  // the next registration does not name them
  for (auto& [id, framework] : frameworks_) {
    framework.wanted_again = false;
    if (framework.idle()) forget(framework);
  }
  std::erase_if(frameworks_, [](const auto& entry) { return entry.second.idle(); });
}

void Workload::describe(ReregisterAgent& message) const {
  for (const auto& [id, framework] : frameworks_) {
    if (framework.shutting_down || (framework.tasks.empty() && framework.own.empty())) continue;
    message.frameworks.push_back(framework.info);
    for (const auto& [executor_id, executor] : framework.own) {
      message.executors.push_back({.framework_id = id,
                                   .role = executor.role,
                                   .executor = executor.info,
                                   .container_id = executor.container_id});
    }
    for (const auto& [task_id, entry] : framework.tasks) {
      Task& task = message.tasks.emplace_back(entry.task);
      const UpdateStreams::Forwarded forwarded = streams_.forwarded(id, task_id);
      task.update_state = forwarded.state;
      task.update_uuid = forwarded.uuid;
    }
  }
}

void Workload::on_launch_tasks(Now now, const LaunchTasks& message) {
  learn(message.frameworks);
  for (const LaunchTasks::Item& item : message.tasks) accept(now, item);
  start_launches(now);
}

void Workload::learn(const std::vector<FrameworkInfo>& frameworks) {
  for (const FrameworkInfo& info : frameworks) {
    if (const Result<void> valid = validate_id(info.id.value, "framework id"); !valid) {
      drop("launch", valid.error().message);
      continue;
    }
    AgentFramework& framework = frameworks_[info.id];
    const bool changed = framework.number != 0 && framework.info != info;
    framework.info = info;
    framework.wanted_again = framework.shutting_down;
    if (changed) remember(framework);
  }
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
  const std::shared_ptr<const ExecutorInfo> executor =
      item.task.spec != nullptr ? item.task.spec->executor : nullptr;
  AgentFramework* framework = find_framework(item.framework_id);
  if (framework == nullptr || framework->shutting_down) {
    // The one that may still be dying here is not the one that the master counts.
    if (executor != nullptr) tell_executor_exited(item.framework_id, executor->id, {});
    return answer_for_stranger(now, item.framework_id, id, not_for(framework));
  }
  // The stream of the task that is here already tells its fate; a status for the newcomer could
  // only be taken for that one's.
  if (framework->tasks.contains(id) || streams_.contains(item.framework_id, id)) {
    return drop("launch_tasks", fmt::format("task '{}' of framework '{}' is here already", id.value,
                                            item.framework_id.value));
  }
  const ExecutorId executor_id{executor != nullptr ? executor->id.value : id.value};
  if (const std::optional<Outcome> refused = refusal(*framework, item)) {
    if (executor != nullptr && find_executor(*framework, executor_id) == nullptr) {
      tell_executor_exited(item.framework_id, executor_id, {});
    }
    AgentTask& task = add_task(now, *framework, item, {.executor_id = executor_id});
    return finish(now, *framework, task, *refused);
  }
  if (executor == nullptr) {
    charge(add_task(now, *framework, item,
                    {.executor_id = executor_id, .container_id = {to_text(make_uuid())}}));
    enqueue(item.framework_id, *find_task(item.framework_id, id));
    return;
  }
  OwnExecutor& own = take_executor(*framework, executor, item.role);
  charge(add_task(now, *framework, item,
                  {.executor_id = executor_id, .container_id = own.container_id, .custom = true}));
  hand_over(*framework, own, {.tasks = {id}});
}

Outcome Workload::not_for(const AgentFramework* framework) {
  const bool known = framework != nullptr;
  return Outcome{.state = known ? dropped_state(framework->info) : TaskState::kLost,
                 .reason = known ? TaskReason::kFrameworkRemoved : TaskReason::kInvalidFrameworkId,
                 .source = TaskSource::kAgent,
                 .message = known ? "The agent is shutting down this framework"
                                  : "The agent was not told of this framework"};
}

AgentTask& Workload::add_task(Now now, AgentFramework& framework, const LaunchTasks::Item& item,
                              Seat seat) {
  AgentTask& task = framework.tasks[item.task.id];
  const bool is_command = !seat.custom && seat.group.empty();
  task.executor_id = seat.executor_id;
  task.custom = seat.custom;
  task.parent = std::move(seat.parent);
  task.group = std::move(seat.group);
  task.spec = item.task.spec != nullptr ? item.task.spec : std::make_shared<const TaskSpec>();
  const std::string& own_user = task.spec->command.user;
  task.task = Task{.id = item.task.id,
                   .framework_id = item.framework_id,
                   .agent_id = config_.info.id,
                   .kind = TaskKind{.name = item.task.name,
                                    .role = item.role,
                                    .resources = task.spec->resources,
                                    .limits = task.spec->limits,
                                    .labels = task.spec->labels,
                                    .user = own_user.empty() ? framework.info.user : own_user,
                                    .group = task.spec->group,
                                    .discovery = task.spec->discovery,
                                    .executor_id = is_command ? ExecutorId{} : task.executor_id},
                   .container_id = std::move(seat.container_id),
                   .launched_at = now.wall};
  if (framework.number == 0) remember(framework);
  // A group is remembered as a whole.
  if (task.group.empty()) remember(framework, task);
  return task;
}

void Workload::charge(AgentTask& task) {
  task.charged = true;
  charged_ += task.task.kind->resources;
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
  Resources wanted = item.task.spec->resources;
  if (const auto mounts = volume_mounts(wanted, config_.work_dir, item.task.spec->container);
      !mounts) {
    return invalid(mounts.error().message);
  }
  if (const auto& executor = item.task.spec->executor; executor != nullptr) {
    auto refused = executor_refusal(framework, *executor, item.executor_runs, wanted);
    if (refused) return refused;
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
    const TaskStatus* head = streams_.head(item.framework_id, item.task_id);
    AgentTask* task = find_task(item.framework_id, item.task_id);
    if (head == nullptr || head->uuid != item.uuid || task == nullptr) {
      drop("acknowledge_updates",
           fmt::format("no status {} of task '{}' waits for an acknowledgement", to_text(item.uuid),
                       item.task_id.value));
      continue;
    }
    const bool is_last = is_terminal(head->state);
    const uint64_t serial = is_last ? forget(*task) : remember_acknowledged(*task, *head);
    streams_.acknowledge(now.mono, item.framework_id, item.task_id, item.uuid, serial);
    effects_.on_event(event::TaskStatusAcknowledged{
        .framework_id = &item.framework_id, .task_id = &item.task_id, .uuid = item.uuid});
    if (is_last) frameworks_.at(item.framework_id).tasks.erase(item.task_id);
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
    if (task.charged) charged_ -= task.task.kind->resources;
    task.charged = false;
    if (task.phase != AgentTask::Phase::kEnded) live.push_back(id);
  }
  for (auto& [id, executor] : framework->own) {
    if (executor.charged) charged_ -= executor.info->resources;
    executor.charged = false;
  }
  framework->shutting_down = true;
  if (framework->number != 0) remember(*framework);
  streams_.forget(message.framework_id);
  std::erase_if(framework->tasks, [this](const auto& entry) {
    if (entry.second.phase != AgentTask::Phase::kEnded) return false;
    forget(entry.second);
    return true;
  });
  for (const TaskId& id : live) {
    const auto task = framework->tasks.find(id);
    if (task == framework->tasks.end()) continue;
    request_kill(now, *framework, task->second, KillCause::kFrameworkRemoved, {});
  }
  stop_executors(now, *framework, {});
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
  for (LaunchLane* lane : {&plain_, &fetching_}) launch_executors(*lane);
  if (std::exchange(wait_for_room_, false)) send_queues();
  for (LaunchLane* lane : {&plain_, &fetching_}) launch_tasks(now, *lane);
}

void Workload::launch_tasks(Now now, LaunchLane& lane) {
  while (!lane.tasks.empty() && !lane.is_full()) {
    const Key key = lane.tasks.front();
    AgentTask* task = find_task(key.first, key.second);
    if (task == nullptr || task->phase != AgentTask::Phase::kQueued) {
      lane.tasks.pop_front();
      continue;
    }
    if (task->accepted > recorder_.durable()) return;
    if (!has_room(task->task.kind->resources)) return;
    lane.tasks.pop_front();
    begin_launch(now, frameworks_.at(key.first), *task);
  }
}

void Workload::enqueue(const FrameworkId& framework, const AgentTask& task) {
  lane_of(task).tasks.emplace_back(framework, task.task.id);
}

bool Workload::fetches(const AgentTask& task) {
  return needs_fetching(task.spec->command, task.spec->container);
}

LaunchLane& Workload::lane_of(const OwnExecutor& executor) {
  return needs_fetching(executor.info->command, executor.info->container) ? fetching_ : plain_;
}

void Workload::begin_launch(Now now, AgentFramework& framework, AgentTask& task) {
  enter_container(framework, task);
  // A task of an earlier life may have come so far before.
  if (task.task.state != TaskState::kStarting) publish(now, framework, task, TaskState::kStarting);
  effects_.on_event(
      event::ContainerLaunching{.id = &task.task.container_id, .task_id = &task.task.id});
  const LaunchSpec spec = spec_of(framework, task);
  task.sandbox = spec.sandbox;
  effects_.launch(spec);
}

LaunchSpec Workload::spec_of(const AgentFramework& framework, const AgentTask& task) const {
  LaunchSpec spec = make_launch_spec({.config = config_,
                                      .framework = framework.info,
                                      .task = task.task,
                                      .spec = *task.spec,
                                      .executor_id = task.executor_id});
  spec.parent = task.parent;
  spec.makes_parent = !task.parent.empty();
  return spec;
}

void Workload::on_launched(Now now, const ContainerId& id, int64_t pid) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kLaunching) {
    return drop("launched", fmt::format("container {} is not being launched", id.value));
  }
  Container& container = found->second;
  if (on_probe_launched(container, pid) || on_executor_launched(now, container, pid)) return;
  container.state = Container::State::kRunning;
  container.pid = pid;
  --lane_of(container).launching;
  effects_.on_event(event::ContainerStarted{.id = &id, .pid = pid});
  AgentFramework& framework = frameworks_.at(container.framework_id);
  AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  task->phase = AgentTask::Phase::kRunning;
  if (container.adopted) clear_corrections(container);
  if (task->termination.requested()) {
    take(*task, task->termination.on_launched());
  } else {
    begin_checks(now, *task, &task->task.last_status);
    const std::optional<Duration>& at_most = task->spec->max_completion_time;
    if (at_most && task->complete_by == kNever) {
      task->complete_by = later(now.mono, *at_most);
      recorder_.append(course_of(*task));
    }
    // What an earlier life launched was perhaps running then.
    if (task->task.state != TaskState::kRunning) {
      publish(now, framework, *task, TaskState::kRunning);
    }
  }
  refresh_deadline(*task);
  start_launches(now);
}

void Workload::on_launch_failed(Now now, const ContainerId& id, const Error& error) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kLaunching) {
    return drop("launch_failed", fmt::format("container {} is not being launched", id.value));
  }
  if (on_probe_launch_failed(now, id)) return;
  Container container = found->second;
  --lane_of(container).launching;
  effects_.on_event(event::ContainerLaunchFailed{.id = &id, .why = error.message});
  if (on_executor_ended(now, container, {}, error.message)) return;
  Outcome outcome{.state = TaskState::kFailed,
                  .reason = TaskReason::kContainerLaunchFailed,
                  .source = TaskSource::kAgent,
                  .message = error.message.substr(0, limits::kStatusMessageBytesMax)};
  const AgentTask* task = task_of(container);
  if (task != nullptr && task->termination.requested()) outcome = killed_before_launch();
  forget_container(id);
  end_container(now, container, outcome);
}

void Workload::on_exit(Now now, const ContainerId& id, const ExitRecord& record) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state == Container::State::kDestroying) {
    return drop("exit", fmt::format("container {} does not run", id.value));
  }
  Container& container = found->second;
  if (on_probe_exit(now, container, record)) return;
  if (container.state == Container::State::kLaunching) --lane_of(container).launching;
  container.state = Container::State::kDestroying;
  effects_.on_event(event::ContainerExited{.id = &id,
                                           .exit_status = record.exit_status.value_or(-1),
                                           .signal = record.signal.value_or(0)});
  if (on_executor_ended(now, container, record, std::nullopt)) return;
  const AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  const ContainerId ended = id;  // the caller's may be the container's own
  end_container(now, container,
                outcome_of(record, *task, frameworks_.at(container.framework_id).info));
  to_destroy_.emplace_back(recorder_.last(), ended);
  destroy_remembered();
}

void Workload::end_container(Now now, Container& container, const Outcome& outcome) {
  AgentFramework& framework = frameworks_.at(container.framework_id);
  AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  if (container.parent.empty()) framework.executors.erase(container.executor_id);
  finish(now, framework, *task, outcome);
  forget_if_done(container.framework_id);
  start_launches(now);
}

void Workload::on_destroyed(Now /*now*/, const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kDestroying) {
    return drop("destroyed", fmt::format("container {} is not being destroyed", id.value));
  }
  forget_container(id);
  effects_.on_event(event::ContainerDestroyed{.id = &id});
}

void Workload::forget_container(const ContainerId& id) {
  containers_.erase(id);
  if (containers_.empty()) draining_ = false;
}

void Workload::on_tunables() { streams_.set_retry(retry_of(config_.tunables)); }

}  // namespace tepui
