// The part of Workload that runs the executors of frameworks: custom ones, each a container of its
// own, from their launch to their end. What they say is in workload_sessions.cc, groups of the
// default executor in workload_groups.cc.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "agent/corrections.h"
#include "agent/launch_spec.h"
#include "agent/total.h"
#include "agent/workload.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

// Whether both mean the same; that one may leave out its framework makes no difference.
bool is_same(const ExecutorInfo& a, const ExecutorInfo& b) {
  ExecutorInfo other = b;
  other.framework_id = a.framework_id;
  return a == other;
}

// Of a task whose executor has ended under it.
Outcome left_behind(const OwnExecutor& executor, const AgentTask& task, const ExitRecord& record,
                    const FrameworkInfo& framework) {
  if (task.termination.requested()) return outcome_of(record, task, framework);
  Outcome outcome{.state = TaskState::kFailed,
                  .reason = executor.fate,
                  .source = TaskSource::kAgent,
                  .message = "The executor " + describe_end(record)};
  if (executor.fate == TaskReason::kExecutorRegistrationTimeout) {
    outcome.message = "The executor did not register in time";
  } else if (executor.fate == TaskReason::kExecutorReregistrationTimeout) {
    const bool aware = framework.has(FrameworkCapability::kPartitionAware);
    outcome.state = aware ? TaskState::kGone : TaskState::kLost;
    outcome.message = "The executor did not come back in time after a restart of the agent";
  } else if (executor.fate == TaskReason::kContainerPreempted) {
    outcome = preempted(record, framework.has(FrameworkCapability::kPartitionAware),
                        executor.why);
  } else if (executor.fate == TaskReason::kContainerUpdateFailed) {
    outcome.message = fmt::format("The container of the executor could not be resized: {}",
                                  executor.why.substr(0, limits::kStatusMessageBytesMax / 2));
  } else if (record.oom_killed) {
    outcome.reason = TaskReason::kContainerLimitationMemory;
    outcome.message = "The executor exceeded the memory limit of its container";
  }
  return outcome;
}

}  // namespace

OwnExecutor* Workload::find_executor(AgentFramework& framework, const ExecutorId& id) {
  const auto found = framework.own.find(id);
  return found == framework.own.end() ? nullptr : &found->second;
}

void Workload::tell_executor_exited(const FrameworkId& framework, const ExecutorId& executor,
                                    const ExitRecord& record) {
  untold_exits_.push_back({.serial = recorder_.last(),
                           .message = {.framework_id = framework,
                                       .executor_id = executor,
                                       .exit_status = record.exit_status,
                                       .signal = record.signal}});
  tell_exits();
}

// What was its own is given to others then: an agent that is restarted must not count it again. A
// registration names those that live, but it may be under way already with this one.
void Workload::tell_exits() {
  while (registered_ && !untold_exits_.empty() &&
         untold_exits_.front().serial <= recorder_.durable()) {
    effects_.send(std::move(untold_exits_.front().message));
    untold_exits_.pop_front();
  }
}

// Why the executor cannot take more tasks; `wanted` grows by what it would take itself.
std::optional<Outcome> Workload::executor_refusal(const AgentFramework& framework,
                                                  const ExecutorInfo& executor, bool must_run,
                                                  Resources& wanted) const {
  const auto found = framework.own.find(executor.id);
  const auto refused = [](TaskState state, TaskReason reason, std::string message) {
    return Outcome{.state = state,
                   .reason = reason,
                   .source = TaskSource::kAgent,
                   .message = std::move(message)};
  };
  const bool aware = framework.info.has(FrameworkCapability::kPartitionAware);
  const TaskState dropped = aware ? TaskState::kDropped : TaskState::kLost;
  if (found == framework.own.end()) {
    wanted += executor.resources;
    if (!must_run) return std::nullopt;
    return refused(dropped, TaskReason::kExecutorTerminated,
                   fmt::format("The executor '{}' has ended", executor.id.value));
  }
  if (found->second.state == OwnExecutor::State::kTerminating) {
    return refused(dropped, TaskReason::kExecutorTerminated,
                   fmt::format("The executor '{}' is ending", executor.id.value));
  }
  if (is_same(*found->second.info, executor)) return std::nullopt;
  return refused(
      TaskState::kError, TaskReason::kTaskInvalid,
      fmt::format("executor '{}' lives here with another description", executor.id.value));
}

OwnExecutor& Workload::take_executor(AgentFramework& framework,
                                     const std::shared_ptr<const ExecutorInfo>& info,
                                     const std::string& role) {
  if (OwnExecutor* known = find_executor(framework, info->id)) return *known;
  OwnExecutor& executor = framework.own[info->id];
  executor.info = info;
  executor.role = role;
  executor.container_id = ContainerId{to_text(make_uuid())};
  executor.charged = true;
  charged_ += info->resources;
  if (framework.number == 0) remember(framework);
  remember(framework, executor);
  if (executor.is_custom()) lane_of(executor).executors.emplace_back(framework.info.id, info->id);
  return executor;
}

void Workload::hand_over(AgentFramework& framework, OwnExecutor& executor,
                         OwnExecutor::Batch batch) {
  executor.tasks.insert(batch.tasks.begin(), batch.tasks.end());
  executor.queue.push_back(std::move(batch));
  send_queue(framework, executor);
}

// ------------------------------------------------------------------------------------- launch

void Workload::launch_executors(LaunchLane& lane) {
  while (!lane.executors.empty() && !lane.is_full()) {
    const auto [framework_id, id] = lane.executors.front();
    AgentFramework* framework = find_framework(framework_id);
    OwnExecutor* executor = framework == nullptr ? nullptr : find_executor(*framework, id);
    if (executor == nullptr || executor->state != OwnExecutor::State::kQueued) {
      lane.executors.pop_front();
      continue;
    }
    if (executor->accepted > recorder_.durable()) return;
    if (!has_room(executor->info->resources)) return;
    lane.executors.pop_front();
    enter_container(*framework, *executor);
    const TaskId name{id.value};
    effects_.on_event(event::ContainerLaunching{.id = &executor->container_id, .task_id = &name});
    effects_.launch(spec_of(*framework, *executor));
  }
}

void Workload::enter_container(const AgentFramework& framework, OwnExecutor& executor) {
  executor.state = OwnExecutor::State::kRegistering;
  executor.held = true;
  held_ += executor.info->resources;
  LaunchLane& lane = lane_of(executor);
  ++lane.launching;
  containers_[executor.container_id] = Container{.id = executor.container_id,
                                                 .parent = {},
                                                 .framework_id = framework.info.id,
                                                 .executor_id = executor.info->id,
                                                 .task_id = {},
                                                 .own = true,
                                                 .fetches = &lane == &fetching_};
}

IsolationInput Workload::input_of(const AgentFramework& framework,
                                  const OwnExecutor& executor) const {
  Resources resources = executor.info->resources;
  for (const TaskId& id : executor.tasks) {
    const auto task = framework.tasks.find(id);
    if (task != framework.tasks.end()) resources += task->second.task.kind->resources;
  }
  return {.resources = std::move(resources),
          .limits = {},
          .labels = executor.info->labels,
          .settings = config_.tunables.isolation,
          .controllers = config_.info.controllers};
}

LaunchSpec Workload::spec_of(const AgentFramework& framework, const OwnExecutor& executor) const {
  return make_executor_spec({.config = config_,
                             .framework = framework.info,
                             .executor = *executor.info,
                             .role = executor.role,
                             .container_id = executor.container_id,
                             .plan = plan_isolation(input_of(framework, executor))});
}

void Workload::resize(const AgentFramework& framework, const OwnExecutor& executor) {
  if (!executor.launched) return;
  const auto container = containers_.find(executor.container_id);
  if (container != containers_.end()) return write_plan(container->second);
  effects_.resize(executor.container_id, plan_isolation(input_of(framework, executor)));
}

bool Workload::on_executor_launched(Now now, Container& container, int64_t pid) {
  if (!container.own) return false;
  container.state = Container::State::kRunning;
  container.pid = pid;
  --lane_of(container).launching;
  effects_.on_event(event::ContainerStarted{.id = &container.id, .pid = pid});
  AgentFramework& framework = frameworks_.at(container.framework_id);
  OwnExecutor& executor = framework.own.at(container.executor_id);
  executor.launched = true;
  resize(framework, executor);  // for what came meanwhile
  if (executor.state == OwnExecutor::State::kTerminating) {
    // Unless it was told to end, and has time for that.
    if (executor.deadline == kNever) effects_.kill(container.id);
  } else if (executor.session.is_null()) {
    const AgentTunables& tunables = config_.tunables;
    set_deadline(executor,
                 later(now.mono, executor.adopted ? tunables.executor_reregistration_timeout
                                                  : tunables.executor_registration_timeout));
  } else {
    send_queue(framework, executor);  // it was quicker than who tells that it runs
  }
  start_launches(now);
  return true;
}

// Its tasks would have less than they were given, or keep what others are given now.
void Workload::on_resize_failed(Now /*now*/, const ContainerId& id, const Error& error) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kRunning ||
      found->second.probe != 0) {
    return drop("resize_failed", fmt::format("container {} is not one that is resized", id.value));
  }
  // What is revocable is resized to be corrected. Where that fails it is no worse than before, and
  // whoever corrects it sees that those who suffer still do.
  if (!found->second.own || is_revocable(input_of(found->second).resources)) {
    return drop("resize_failed",
                fmt::format("container {} was not corrected: {}", id.value, error.message));
  }
  OwnExecutor& executor =
      frameworks_.at(found->second.framework_id).own.at(found->second.executor_id);
  // It ends, and when is settled.
  if (executor.state == OwnExecutor::State::kTerminating) return;
  executor.state = OwnExecutor::State::kTerminating;
  executor.fate = TaskReason::kContainerUpdateFailed;
  executor.why = error.message;
  set_deadline(executor, kNever);
  effects_.kill(id);
}

// Without a cause the container ran; with one it never did, and an empty one says nothing more.
bool Workload::on_executor_ended(Now now, Container& container, const ExitRecord& record,
                                 std::optional<std::string_view> launch_error) {
  if (!container.own) return false;
  const FrameworkId framework_id = container.framework_id;
  const ContainerId container_id = container.id;
  AgentFramework& framework = frameworks_.at(framework_id);
  OwnExecutor& executor = framework.own.at(container.executor_id);
  executor.state = OwnExecutor::State::kTerminating;
  executor.launched = false;
  set_deadline(executor, kNever);
  const std::vector<TaskId> tasks(executor.tasks.begin(), executor.tasks.end());
  for (const TaskId& id : tasks) {
    if (!executor.tasks.contains(id)) continue;  // killed with its group
    AgentTask& task = framework.tasks.at(id);
    Outcome outcome = left_behind(executor, task, record, framework.info);
    if (launch_error && !launch_error->empty() && !task.termination.requested()) {
      outcome.reason = TaskReason::kContainerLaunchFailed;
      outcome.message = launch_error->substr(0, limits::kStatusMessageBytesMax);
    }
    finish(now, framework, task, outcome);
  }
  end_executor(framework, ExecutorId(container.executor_id), record);
  if (!launch_error) {
    container.state = Container::State::kDestroying;
    to_destroy_.emplace_back(recorder_.last(), container_id);
    destroy_remembered();
  } else {
    forget_container(container_id);
  }
  forget_if_done(framework_id);
  start_launches(now);
  return true;
}

void Workload::end_executor(AgentFramework& framework, const ExecutorId& id,
                            const ExitRecord& record) {
  const auto found = framework.own.find(id);
  CHECK(found != framework.own.end());
  OwnExecutor& executor = found->second;
  const ExecutorId name = id;  // the caller's may be the executor's own
  if (executor.charged) charged_ -= executor.info->resources;
  if (executor.held) held_ -= executor.info->resources;
  set_deadline(executor, kNever);
  if (!executor.session.is_null()) {
    sessions_.erase(executor.session);
    effects_.close_executor(executor.session, "the executor has ended");
  }
  recorder_.append(record::ExecutorForgotten{.number = executor.number});
  const bool is_told = !framework.shutting_down;
  framework.own.erase(found);
  if (is_told) tell_executor_exited(framework.info.id, name, record);
}

// --------------------------------------------------------------------------------------- the end

void Workload::stop_executor(Now now, AgentFramework& framework, OwnExecutor& executor,
                             std::optional<Duration> grace_max) {
  if (!executor.is_custom()) return;
  if (executor.state == OwnExecutor::State::kTerminating) {
    // Whoever asks again for an end at once has no patience.
    if (grace_max == Duration::zero() && executor.launched) effects_.kill(executor.container_id);
    return;
  }
  const bool queued = executor.state == OwnExecutor::State::kQueued;
  executor.state = OwnExecutor::State::kTerminating;
  // What it has not heard of never began.
  std::vector<TaskId> waiting;
  for (const OwnExecutor::Batch& batch : std::exchange(executor.queue, {})) {
    waiting.insert(waiting.end(), batch.tasks.begin(), batch.tasks.end());
  }
  const ExecutorId id = executor.info->id;
  for (const TaskId& task : waiting) {
    if (!executor.tasks.contains(task)) continue;  // killed with its group
    AgentTask& one = framework.tasks.at(task);
    if (!one.termination.requested()) one.termination.request_at_launch(KillCause::kRequested);
    finish(now, framework, one, killed_before_launch());
  }
  if (queued) return end_executor(framework, id, {});
  Duration grace = executor.info->shutdown_grace.value_or(config_.tunables.executor_shutdown_grace);
  if (grace_max) grace = std::min(grace, *grace_max);
  if (executor.session.is_null() || grace <= Duration::zero()) {
    set_deadline(executor, kNever);
    if (executor.launched) {
      effects_.kill(executor.container_id);
    } else {
      effects_.cancel_launch(executor.container_id);
    }
    return;
  }
  let_run(executor.container_id);
  effects_.send_executor(executor.session, EndExecutor{});
  set_deadline(executor, later(now.mono, grace));
}

void Workload::stop_executors(Now now, AgentFramework& framework,
                              std::optional<Duration> grace_max) {
  std::vector<ExecutorId> ids;
  for (const auto& [id, executor] : framework.own) ids.push_back(id);
  for (const ExecutorId& id : ids) {
    if (OwnExecutor* executor = find_executor(framework, id)) {
      stop_executor(now, framework, *executor, grace_max);
    }
  }
}

void Workload::on_stop_executor(Now now, const StopExecutor& message) {
  AgentFramework* framework = find_framework(message.framework_id);
  OwnExecutor* executor =
      framework == nullptr ? nullptr : find_executor(*framework, message.executor_id);
  if (executor == nullptr) {
    return drop("stop_executor",
                fmt::format("executor '{}' is not here", message.executor_id.value));
  }
  if (!executor->is_custom()) {
    const std::vector<TaskId> tasks(executor->tasks.begin(), executor->tasks.end());
    for (const TaskId& id : tasks) {
      if (AgentTask* task = find_task(message.framework_id, id)) {
        request_kill(now, *framework, *task, KillCause::kRequested, {});
      }
    }
  } else {
    stop_executor(now, *framework, *executor, {});
  }
  forget_if_done(message.framework_id);
  start_launches(now);
}

void Workload::set_deadline(OwnExecutor& executor, Instant when) {
  if (executor.deadline != kNever) deadlines_.erase({executor.deadline, executor.container_id});
  executor.deadline = when;
  if (when != kNever) deadlines_.emplace(when, executor.container_id);
}

void Workload::on_executor_due(OwnExecutor& executor) {
  set_deadline(executor, kNever);
  if (executor.state == OwnExecutor::State::kRegistering) {
    executor.fate = executor.adopted ? TaskReason::kExecutorReregistrationTimeout
                                     : TaskReason::kExecutorRegistrationTimeout;
    executor.state = OwnExecutor::State::kTerminating;
  }
  if (executor.launched) effects_.kill(executor.container_id);
}

// Of a task that a custom executor runs, or will run.
void Workload::kill_by_executor(Now now, AgentFramework& framework, AgentTask& task,
                                KillCause cause, std::optional<Duration> grace) {
  task.termination.request(now.mono, cause, Duration::max());
  recorder_.append(course_of(task));
  OwnExecutor* executor = find_executor(framework, task.executor_id);
  CHECK(executor != nullptr);
  if (executor->session.is_null()) return;  // it hears of it when it has come back
  StopTask message{.task_id = task.task.id};
  if (grace) message.kill_policy = KillPolicy{.grace_ns = *grace};
  effects_.send_executor(executor->session, message);
}

// A task of the executor has ended, and was not FINISHED unless `state` says so.
void Workload::leave_executor(Now now, AgentFramework& framework, const TaskId& task,
                              const ExecutorId& id, const std::string& group, TaskState state) {
  OwnExecutor* executor = find_executor(framework, id);
  if (executor == nullptr) return;
  executor->tasks.erase(task);
  for (OwnExecutor::Batch& batch : executor->queue) std::erase(batch.tasks, task);
  std::erase_if(executor->queue, [](const auto& batch) { return batch.tasks.empty(); });
  if (!group.empty() && state != TaskState::kFinished) kill_group(now, framework, id, group, task);
  executor = find_executor(framework, id);
  if (executor == nullptr || !executor->tasks.empty()) return;
  if (!executor->is_custom()) return end_executor(framework, id, {});
  resize(framework, *executor);
  // Nobody needs one whose tasks were all killed before it was there.
  const bool is_new = executor->state == OwnExecutor::State::kQueued ||
                      executor->state == OwnExecutor::State::kRegistering;
  if (is_new && !executor->adopted) stop_executor(now, framework, *executor, {});
}

}  // namespace tepui
