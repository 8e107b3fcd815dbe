// The part of Workload that speaks with custom executors.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/total.h"
#include "agent/workload.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {

void Workload::on_executor_message(Now now, SessionId from, const ExecutorToAgent& message) {
  std::visit([&](const auto& one) { hear(now, from, one); }, message);
}

void Workload::on_executor_lost(SessionId session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const ExecutorSession lost = std::move(found->second);
  sessions_.erase(found);
  AgentFramework* framework = find_framework(lost.framework_id);
  if (framework == nullptr) return;
  OwnExecutor* executor = find_executor(*framework, lost.executor_id);
  // It comes back, or its container ends.
  if (executor != nullptr && executor->session == session) executor->session = {};
}

void Workload::refuse_session(SessionId session, std::string_view why) {
  effects_.send_executor(session, ErrorMessage{.message = std::string(why)});
  close_session(session, why);
}

void Workload::close_session(SessionId session, std::string_view why) {
  on_executor_lost(session);
  effects_.on_event(event::PeerRejected{.session = session, .why = why});
  effects_.close_executor(session, why);
}

void Workload::hear(Now /*now*/, SessionId from, const Hello& hello) {
  HelloReply reply{.protocol = kProtocolMax,
                   .build = config_.build,
                   .capabilities = {},
                   .master_id = {},
                   .error = {}};
  if (hello.protocol_max < kProtocolMin || hello.protocol_min > kProtocolMax) {
    reply.protocol = 0;
    reply.error = fmt::format("the executor speaks protocols {} to {}, expected {} to {}",
                              hello.protocol_min, hello.protocol_max, kProtocolMin, kProtocolMax);
    effects_.send_executor(from, reply);
    return close_session(from, reply.error);
  }
  sessions_[from];
  effects_.send_executor(from, reply);
}

void Workload::hear(Now now, SessionId from, const SubscribeExecutor& message) {
  const auto session = sessions_.find(from);
  if (session == sessions_.end()) return close_session(from, "subscribing before saying hello");
  AgentFramework* framework = find_framework(message.framework_id);
  OwnExecutor* executor =
      framework == nullptr ? nullptr : find_executor(*framework, message.executor_id);
  if (executor == nullptr || !executor->is_custom() ||
      executor->container_id != message.container_id) {
    return refuse_session(from, fmt::format("container {} is not one of executor '{}' of '{}'",
                                            message.container_id.value, message.executor_id.value,
                                            message.framework_id.value));
  }
  if (!executor->session.is_null() && executor->session != from) {
    close_session(executor->session, "the executor has a newer session");
  }
  session->second = {.framework_id = message.framework_id, .executor_id = message.executor_id};
  executor->session = from;
  set_deadline(*executor, kNever);
  effects_.send_executor(
      from, ExecutorSubscribed{
                .executor = executor->info, .framework = framework->info, .agent = config_.info});
  for (const TaskStatus& status : message.updates) take_update(now, from, status);
  if (find_executor(*framework, message.executor_id) != executor) return;
  drop_unheard(now, *framework, *executor, message);
  if (executor->state == OwnExecutor::State::kTerminating) {
    executor->state = OwnExecutor::State::kRunning;
    stop_executor(now, *framework, *executor, {});
    return start_launches(now);
  }
  executor->state = OwnExecutor::State::kRunning;
  executor->adopted = false;
  for (const TaskId& id : executor->tasks) {
    const AgentTask& task = framework->tasks.at(id);
    if (task.phase != AgentTask::Phase::kRunning || !task.termination.requested()) continue;
    effects_.send_executor(from, StopTask{.task_id = id, .kill_policy = {}});
  }
  send_queue(*framework, *executor);
  start_launches(now);
}

// Tasks that were sent, and that the executor never got: it neither names them nor told of them.
void Workload::drop_unheard(Now now, AgentFramework& framework, OwnExecutor& executor,
                            const SubscribeExecutor& message) {
  std::vector<TaskId> unheard;
  for (const TaskId& id : executor.tasks) {
    const AgentTask& task = framework.tasks.at(id);
    if (task.phase == AgentTask::Phase::kRunning && task.task.state == TaskState::kStaging &&
        std::ranges::find(message.tasks, id) == message.tasks.end()) {
      unheard.push_back(id);
    }
  }
  const bool aware = framework.info.has(FrameworkCapability::kPartitionAware);
  for (const TaskId& id : unheard) {
    const auto task = framework.tasks.find(id);
    if (task == framework.tasks.end()) continue;
    finish(now, framework, task->second,
           Outcome{.state = aware ? TaskState::kDropped : TaskState::kLost,
                   .reason = TaskReason::kAgentRestarted,
                   .source = TaskSource::kAgent,
                   .message = "The agent was restarted before the executor got the task"});
  }
}

// What is durable, if there is somebody to send it to. An executor may be heard before its launch
// is: its container can be made larger when that is known.
void Workload::send_queue(AgentFramework& framework, OwnExecutor& executor) {
  if (executor.state != OwnExecutor::State::kRunning || executor.session.is_null()) return;
  if (!executor.launched) return;
  const auto is_durable = [this, &framework](const TaskId& id) {
    return framework.tasks.at(id).accepted <= recorder_.durable();
  };
  while (!executor.queue.empty() && std::ranges::all_of(executor.queue.front().tasks, is_durable)) {
    if (!has_room(framework, executor.queue.front())) {
      wait_for_room_ = true;
      return;
    }
    const OwnExecutor::Batch batch = std::move(executor.queue.front());
    executor.queue.pop_front();
    resize(framework, executor);
    RunTasks message{.tasks = {}, .group = batch.group};
    for (const TaskId& id : batch.tasks) {
      AgentTask& task = framework.tasks.at(id);
      task.phase = AgentTask::Phase::kRunning;
      task.sandbox = spec_of(framework, executor).sandbox;
      task.held = true;
      held_ += task.task.kind->resources;
      message.tasks.push_back({.id = id, .name = task.task.kind->name, .spec = task.spec});
    }
    effects_.send_executor(executor.session, message);
  }
}

void Workload::send_queues() {
  for (auto& [id, framework] : frameworks_) {
    for (auto& [executor_id, executor] : framework.own) send_queue(framework, executor);
  }
}

bool Workload::has_room(const AgentFramework& framework, const OwnExecutor::Batch& batch) const {
  Resources wanted;
  for (const TaskId& id : batch.tasks) wanted += framework.tasks.at(id).task.kind->resources;
  return has_room(wanted);
}

Resources Workload::held_by_removed() const {
  Resources held;
  for (const auto& [framework_id, framework] : frameworks_) {
    if (!framework.shutting_down) continue;
    for (const auto& [id, task] : framework.tasks) {
      if (task.held) held += task.task.kind->resources;
    }
    for (const auto& [id, executor] : framework.own) {
      if (executor.held) held += executor.info->resources;
    }
  }
  return held;
}

bool Workload::has_room(const Resources& wanted) const {
  const Resources& total = config_.info.resources;
  if (!can_hold(total.non_revocable(), (held_ + wanted).non_revocable())) return false;
  if (covers(total, held_ + wanted)) return true;
  // What is regular may be lent to them, too.
  Resources rest = held_ + wanted;
  rest -= held_by_removed();
  return !covers(total, rest);
}

// --------------------------------------------------------------------------------------- updates

void Workload::hear(Now now, SessionId from, const UpdateTask& message) {
  if (subscribed(from, "an update") == nullptr) return;
  take_update(now, from, message.status);
  start_launches(now);
}

OwnExecutor* Workload::subscribed(SessionId from, std::string_view what) {
  const auto session = sessions_.find(from);
  AgentFramework* framework =
      session == sessions_.end() ? nullptr : find_framework(session->second.framework_id);
  OwnExecutor* executor =
      framework == nullptr ? nullptr : find_executor(*framework, session->second.executor_id);
  if (executor == nullptr || executor->session != from) {
    close_session(from, fmt::format("{} before subscribing", what));
    return nullptr;
  }
  return executor;
}

void Workload::take_update(Now now, SessionId from, TaskStatus status) {
  OwnExecutor* executor = subscribed(from, "an update");
  if (executor == nullptr) return;
  const FrameworkId framework_id = sessions_.at(from).framework_id;
  if (status.uuid.is_nil() || !is_for_executors(status.state)) {
    return close_session(from, fmt::format("an update of task '{}' to {} {}, which no executor may",
                                           status.task_id.value, to_text(status.state),
                                           status.uuid.is_nil() ? "without a uuid" : ""));
  }
  AgentFramework& framework = frameworks_.at(framework_id);
  const UpdateTaken taken{.task_id = status.task_id, .uuid = status.uuid};
  const auto found = framework.tasks.find(status.task_id);
  if (found == framework.tasks.end() || found->second.phase != AgentTask::Phase::kRunning ||
      found->second.executor_id != executor->info->id || !found->second.custom ||
      streams_.has(framework_id, status.task_id, status.uuid)) {
    // It is over, or was said before: the executor need not say it again.
    drop("update_task", fmt::format("task '{}' waits for no such status", status.task_id.value));
    to_acknowledge_.push_back({.serial = recorder_.last(), .session = from, .taken = taken});
    return acknowledge_executors();
  }
  AgentTask& task = found->second;
  status.source = TaskSource::kExecutor;
  status.agent_id = config_.info.id;
  status.executor_id = executor->info->id;
  status.unreachable_time = {};
  if (status.timestamp == WallTime{}) status.timestamp = now.wall;
  if (status.message.size() > limits::kStatusMessageBytesMax) {
    status.message.resize(limits::kStatusMessageBytesMax);
  }
  if (is_terminal(status.state)) {
    finish_with(now, framework, task, std::move(status));
  } else {
    deliver(now, framework, task, std::move(status));
  }
  to_acknowledge_.push_back({.serial = recorder_.last(), .session = from, .taken = taken});
  acknowledge_executors();
  forget_if_done(framework_id);
}

bool Workload::is_for_executors(TaskState state) {
  switch (state) {
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kKilling:
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
    case TaskState::kError:
      return true;
    case TaskState::kStaging:
    case TaskState::kLost:
    case TaskState::kDropped:
    case TaskState::kUnreachable:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
    case TaskState::kUnknown:
      return false;
  }
  return false;
}

// What is durable was taken.
void Workload::acknowledge_executors() {
  while (!to_acknowledge_.empty() && to_acknowledge_.front().serial <= recorder_.durable()) {
    const Taken taken = std::move(to_acknowledge_.front());
    to_acknowledge_.pop_front();
    if (sessions_.contains(taken.session)) effects_.send_executor(taken.session, taken.taken);
  }
}

// -------------------------------------------------------------------------------------- messages

void Workload::hear(Now /*now*/, SessionId from, const MessageFramework& message) {
  const OwnExecutor* executor = subscribed(from, "a message");
  if (executor == nullptr) return;
  if (!registered_) return drop("message_framework", "no master is connected");
  effects_.send(RelayToFramework{.framework_id = sessions_.at(from).framework_id,
                                 .executor_id = executor->info->id,
                                 .data = message.data});
}

void Workload::hear(Now /*now*/, SessionId from, const Goodbye& /*message*/) {
  on_executor_lost(from);
}

void Workload::on_relay_to_executor(Now /*now*/, const RelayToExecutor& message) {
  AgentFramework* framework = find_framework(message.framework_id);
  const OwnExecutor* executor =
      framework == nullptr ? nullptr : find_executor(*framework, message.executor_id);
  if (executor == nullptr || executor->session.is_null()) {
    return drop("relay_to_executor",
                fmt::format("executor '{}' is not here", message.executor_id.value));
  }
  effects_.send_executor(executor->session, FrameworkMessage{.data = message.data});
}

}  // namespace tepui
