// The part of Workload that is recorded, and taken up again by a later life.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/launch_spec.h"
#include "agent/workload.h"
#include "common/check.h"

namespace tepui {

namespace {

Outcome lost_to_a_reboot(const FrameworkInfo& framework) {
  const bool aware = framework.has(FrameworkCapability::kPartitionAware);
  return Outcome{.state = aware ? TaskState::kGone : TaskState::kLost,
                 .reason = TaskReason::kAgentRestarted,
                 .source = TaskSource::kAgent,
                 .message = "The machine was rebooted",
                 .exit_status = {},
                 .signal = {}};
}

// That it was refused was remembered, and why was not.
Outcome refused_before(const FrameworkInfo& framework) {
  const bool aware = framework.has(FrameworkCapability::kPartitionAware);
  return Outcome{.state = aware ? TaskState::kDropped : TaskState::kLost,
                 .reason = TaskReason::kAgentRestarted,
                 .source = TaskSource::kAgent,
                 .message = "The agent refused the task, and was restarted before it said why",
                 .exit_status = {},
                 .signal = {}};
}

}  // namespace

// ------------------------------------------------------------------------------------ recording

void Workload::remember(AgentFramework& framework) {
  if (framework.number == 0) framework.number = next_number_++;
  recorder_.append(record::Framework{.number = framework.number,
                                     .info = framework.info,
                                     .shutting_down = framework.shutting_down});
}

record::Task Workload::record_of(const AgentFramework& framework, AgentTask& task) {
  task.number = next_number_++;
  const bool is_refused = task.task.container_id.empty();
  return {.number = task.number,
          .framework = framework.number,
          .task = task.task,
          .spec = task.spec,
          .executor_id = task.executor_id,
          .sandbox = is_refused ? "" : sandbox_path(task.task, task.executor_id),
          .custom = task.custom,
          .parent = task.parent,
          .group = task.group};
}

void Workload::remember(const AgentFramework& framework, AgentTask& task) {
  task.accepted = recorder_.append(record_of(framework, task));
}

// All of them or none, also if the agent dies meanwhile.
void Workload::remember_group(AgentFramework& framework, const std::vector<TaskId>& tasks) {
  record::TaskGroup group;
  for (const TaskId& id : tasks) {
    group.tasks.push_back(record_of(framework, framework.tasks.at(id)));
  }
  const uint64_t serial = recorder_.append(std::move(group));
  for (const TaskId& id : tasks) framework.tasks.at(id).accepted = serial;
}

void Workload::remember(const AgentFramework& framework, OwnExecutor& executor) {
  executor.number = next_number_++;
  executor.accepted = recorder_.append(record::Executor{.number = executor.number,
                                                        .framework = framework.number,
                                                        .info = executor.info,
                                                        .role = executor.role,
                                                        .container_id = executor.container_id});
}

uint64_t Workload::remember_acknowledged(AgentTask& task, const TaskStatus& head) {
  ++task.acknowledged;
  task.acknowledged_status = head;
  return recorder_.append(
      record::Acknowledged{.number = task.acknowledged, .course = course_of(task)});
}

record::Course Workload::course_of(const AgentTask& task) const {
  return {.task = task.number,
          .acknowledged = task.acknowledged_status,
          .kill_cause = task.termination.cause(),
          .killed_during_launch = task.termination.during_launch(),
          .kill_at = task.termination.deadline(),
          .complete_by = task.complete_by};
}

void Workload::forget(AgentFramework& framework) {
  if (framework.number == 0) return;
  recorder_.append(record::FrameworkForgotten{.number = framework.number});
  framework.number = 0;
}

uint64_t Workload::forget(const AgentTask& task) {
  return recorder_.append(record::TaskForgotten{
      .task = task.number, .first_status = task.acknowledged + 1, .last_status = task.statuses});
}

void Workload::on_appended(Now now) {
  streams_.on_durable(now.mono, recorder_.durable());
  acknowledge_executors();
  tell_exits();
  send_queues();
  end_remembered();
  destroy_remembered();
  start_launches(now);
}

void Workload::forget_all() {
  CHECK(containers_.empty());
  for (auto& [id, framework] : frameworks_) {
    streams_.forget(id);
    for (const auto& [task_id, task] : framework.tasks) forget(task);
    for (const auto& [executor_id, executor] : framework.own) {
      recorder_.append(record::ExecutorForgotten{.number = executor.number});
      if (executor.charged) charged_ -= executor.info->resources;
      if (executor.held) held_ -= executor.info->resources;
    }
    forget(framework);
  }
  frameworks_.clear();
}

void Workload::destroy_remembered() {
  while (!to_destroy_.empty() && to_destroy_.front().first <= recorder_.durable()) {
    const ContainerId id = to_destroy_.front().second;
    to_destroy_.pop_front();
    effects_.destroy(id);
  }
}

// ----------------------------------------------------------------------------------- recovering

void Workload::enter_container(AgentFramework& framework, AgentTask& task) {
  const ContainerId& id = task.task.container_id;
  task.phase = AgentTask::Phase::kLaunching;
  task.held = true;
  held_ += task.task.kind->resources;
  LaunchLane& lane = lane_of(task);
  ++lane.launching;
  if (task.parent.empty()) {
    framework.executors[task.executor_id] =
        Executor{.id = task.executor_id, .container_id = id, .tasks = {task.task.id}};
  }
  containers_[id] = Container{.id = id,
                              .parent = task.parent,
                              .framework_id = task.task.framework_id,
                              .executor_id = task.executor_id,
                              .task_id = task.task.id,
                              .fetches = &lane == &fetching_};
}

void Workload::leave_container(AgentFramework& framework, AgentTask& task) {
  if (task.parent.empty()) framework.executors.erase(task.executor_id);
  forget_container(task.task.container_id);
  if (task.held) held_ -= task.task.kind->resources;
  task.held = false;
  --lane_of(task).launching;
}

void Workload::recover(Now now, const RecoveredAgent& memory, RecoveryKind kind) {
  std::map<uint64_t, FrameworkId> names;
  for (const record::Framework& one : memory.frameworks) {
    next_number_ = std::max(next_number_, one.number + 1);
    names[one.number] = one.info.id;
    AgentFramework& framework = frameworks_[one.info.id];
    framework.info = one.info;
    framework.number = one.number;
    framework.shutting_down = one.shutting_down;
  }
  for (const record::Executor& one : memory.executors) {
    next_number_ = std::max(next_number_, one.number + 1);
    recover_executor(frameworks_.at(names.at(one.framework)), one, kind);
  }
  for (const RecoveredTask& one : memory.tasks) {
    next_number_ = std::max(next_number_, one.accepted.number + 1);
    recover_task(now, frameworks_.at(names.at(one.accepted.framework)), one, kind);
  }
  settle_recovered(now);
  for (auto& [id, framework] : frameworks_) {
    if (framework.idle()) forget(framework);
  }
  std::erase_if(frameworks_, [](const auto& entry) { return entry.second.idle(); });
}

void Workload::recover_executor(AgentFramework& framework, const record::Executor& remembered,
                                RecoveryKind kind) {
  if (kind != RecoveryKind::kResume) {
    recorder_.append(record::ExecutorForgotten{.number = remembered.number});
    return;
  }
  OwnExecutor& executor = framework.own[remembered.info->id];
  executor.number = remembered.number;
  executor.info = remembered.info;
  executor.role = remembered.role;
  executor.container_id = remembered.container_id;
  executor.adopted = true;
  if (!framework.shutting_down) {
    executor.charged = true;
    charged_ += executor.info->resources;
  }
  if (!executor.is_custom()) return;
  enter_container(framework, executor);
  containers_.at(executor.container_id).adopted = true;
  effects_.adopt(spec_of(framework, executor));
}

// Executors of the default kind whose tasks are all gone, groups that are to end, and what is of
// frameworks that are gone.
void Workload::settle_recovered(Now now) {
  for (auto& [id, framework] : frameworks_) {
    std::vector<ExecutorId> idle;
    for (const auto& [executor_id, executor] : framework.own) {
      if (!executor.is_custom() && executor.tasks.empty()) idle.push_back(executor_id);
    }
    for (const ExecutorId& executor : idle) end_executor(framework, executor, {});
    settle_groups(now, framework);
    if (framework.shutting_down) stop_executors(now, framework, {});
  }
}

// The end of one was remembered before the kills of the others, which a crash may have cut off.
void Workload::settle_groups(Now now, AgentFramework& framework) {
  std::set<std::pair<ExecutorId, std::string>> broken;
  for (const auto& [id, task] : framework.tasks) {
    const bool has_ended = task.phase == AgentTask::Phase::kEnded;
    if (!has_ended || task.group.empty() || task.task.state == TaskState::kFinished) continue;
    broken.emplace(task.executor_id, task.group);
  }
  for (const auto& [executor, group] : broken) kill_group(now, framework, executor, group, {});
}

void Workload::recover_task(Now now, AgentFramework& framework, const RecoveredTask& remembered,
                            RecoveryKind kind) {
  const record::Task& accepted = remembered.accepted;
  const record::Course& course = remembered.course;
  AgentTask made;
  made.number = accepted.number;
  made.task = accepted.task;
  made.spec = accepted.spec;
  made.executor_id = accepted.executor_id;
  made.custom = accepted.custom;
  made.parent = accepted.parent;
  made.group = accepted.group;
  made.acknowledged_status = course.acknowledged;
  if (course.acknowledged) made.task.last_status = *course.acknowledged;
  std::vector<TaskStatus> waiting;
  for (const record::Status& one : remembered.waiting) waiting.push_back(one.status);
  if (!waiting.empty()) {
    made.task.last_status = waiting.back();
    made.acknowledged = remembered.waiting.front().number - 1;
    made.statuses = remembered.waiting.back().number;
  }
  if (!waiting.empty() || course.acknowledged) made.task.state = made.task.last_status.state;
  const bool ended = is_terminal(made.task.state);
  // Nobody waits for it, or nobody can be told what became of it.
  if (kind == RecoveryKind::kAnew || (ended && (framework.shutting_down || waiting.empty()))) {
    forget(made);
    return;
  }
  AgentTask& task = framework.tasks[made.task.id] = std::move(made);
  if (!framework.shutting_down && (!waiting.empty() || task.acknowledged_status)) {
    const TaskState told =
        task.acknowledged_status ? task.acknowledged_status->state : TaskState::kStaging;
    streams_.restore(task.task.framework_id, task.task.id, {.state = told, .uuid = {}}, waiting);
  }
  if (!accepted.sandbox.empty()) task.sandbox = accepted.sandbox;
  if (ended) {
    task.phase = AgentTask::Phase::kEnded;
    return;
  }
  task.termination.resume(course.kill_cause, course.killed_during_launch, course.kill_at);
  task.complete_by = course.complete_by;
  if (!framework.shutting_down) {
    task.charged = true;
    charged_ += task.task.kind->resources;
  }
  if (accepted.sandbox.empty()) return finish(now, framework, task, refused_before(framework.info));
  if (kind == RecoveryKind::kRebooted) {
    return finish(now, framework, task, lost_to_a_reboot(framework.info));
  }
  if (course.kill_cause == KillCause::kDrained) draining_ = true;
  if (OwnExecutor* executor = find_executor(framework, task.executor_id);
      executor != nullptr && !task.task.kind->executor_id.empty()) {
    executor->tasks.insert(task.task.id);
    if (task.custom) {
      // The executor tells whether it has heard of the task.
      task.phase = AgentTask::Phase::kRunning;
      task.held = true;
      held_ += task.task.kind->resources;
      return;
    }
  }
  // The end of its framework was remembered before its own kill, which a crash may have cut off.
  if (framework.shutting_down && !task.termination.requested()) {
    request_before_launched(now, task, KillCause::kFrameworkRemoved, grace_of(task, {}));
  }
  enter_container(framework, task);
  containers_.at(task.task.container_id).adopted = true;
  LaunchSpec spec = spec_of(framework, task);
  spec.sandbox = accepted.sandbox;
  effects_.adopt(spec);
}

void Workload::on_absent(Now now, const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kLaunching) {
    return drop("absent", fmt::format("container {} is not being taken up", id.value));
  }
  AgentFramework& framework = frameworks_.at(found->second.framework_id);
  if (found->second.own) {
    --lane_of(found->second).launching;
    framework.own.at(found->second.executor_id).fate = TaskReason::kExecutorReregistrationTimeout;
    on_executor_ended(now, found->second, {}, "");
    return;
  }
  AgentTask* task = task_of(found->second);
  CHECK(task != nullptr);
  const Key key{task->task.framework_id, task->task.id};
  leave_container(framework, *task);
  if (task->ran()) {
    finish(now, framework, *task, outcome_of(ExitRecord{}, *task, framework.info));
  } else if (task->termination.requested()) {
    finish(now, framework, *task, killed_before_launch());
  } else {
    task->phase = AgentTask::Phase::kQueued;
    refresh_deadline(*task);
    enqueue(key.first, *task);
  }
  forget_if_done(key.first);
  start_launches(now);
}

}  // namespace tepui
