// The part of Workload that makes statuses, keeps the records of tasks by them, and answers
// questions about tasks.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/workload.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {

void Workload::publish(Now now, const AgentFramework& framework, AgentTask& task, TaskState state,
                       TaskReason reason) {
  deliver(now, framework, task,
          make_status(now, task.task.id,
                      Outcome{.state = state, .reason = reason, .source = TaskSource::kExecutor}));
}

void Workload::finish(Now now, AgentFramework& framework, AgentTask& task, const Outcome& outcome) {
  finish_with(now, framework, task, make_status(now, task.task.id, outcome));
}

void Workload::finish_with(Now now, AgentFramework& framework, AgentTask& task, TaskStatus status) {
  release(task);
  end_checks(task);
  task.phase = AgentTask::Phase::kEnded;
  refresh_deadline(task);
  const Key key{task.task.framework_id, task.task.id};
  if (!task.sandbox.empty()) remember_sandbox(key, task.sandbox);
  const TaskState state = status.state;
  const ExecutorId executor = task.executor_id;
  const std::string group = task.group;
  const bool is_command = task.task.kind->executor_id.empty();
  deliver(now, framework, task, std::move(status));
  if (framework.shutting_down) {
    forget(task);
    framework.tasks.erase(key.second);
  }
  // Last: others may end for it.
  if (!is_command) leave_executor(now, framework, key.second, executor, group, state);
}

void Workload::deliver(Now now, const AgentFramework& framework, AgentTask& task,
                       TaskStatus status) {
  status.container_id = task.task.container_id;
  if (!task.task.kind->executor_id.empty()) status.executor_id = task.task.kind->executor_id;
  if (!task.custom && task.task.state != TaskState::kStaging) {
    status.healthy = task.checks.healthy();
    status.check = task.checks.check();
  }
  CHECK(may_follow(task.task.state, status.state));
  task.task.state = status.state;
  effects_.on_event(
      event::TaskStatusCreated{.framework_id = &task.task.framework_id, .status = &status});
  task.task.last_status = status;
  if (framework.shutting_down) return;
  const uint64_t serial = recorder_.append(
      record::Status{.task = task.number, .number = ++task.statuses, .status = status});
  CHECK(streams_.append(now.mono, task.task.framework_id, std::move(status), serial));
}

void Workload::answer_for_stranger(Now now, const FrameworkId& framework, const TaskId& task,
                                   const Outcome& outcome) {
  // A stream that is there tells what became of it.
  if (streams_.contains(framework, task)) return;
  TaskStatus status = make_status(now, task, outcome);
  status.uuid = {};
  effects_.on_event(event::TaskStatusCreated{.framework_id = &framework, .status = &status});
  const TaskState state = status.state;
  answers_.push_back(
      {.framework_id = framework, .status = std::move(status), .latest_state = state});
}

TaskStatus Workload::make_status(Now now, const TaskId& task, const Outcome& outcome) {
  return TaskStatus{.task_id = task,
                    .state = outcome.state,
                    .source = outcome.source,
                    .reason = outcome.reason,
                    .uuid = make_uuid(),
                    .agent_id = config_.info.id,
                    .timestamp = now.wall,
                    .exit_status = outcome.exit_status,
                    .signal = outcome.signal,
                    .message = outcome.message};
}

void Workload::release(AgentTask& task) {
  if (task.charged) charged_ -= task.task.kind->resources;
  if (task.held) held_ -= task.task.kind->resources;
  task.charged = false;
  task.held = false;
}

void Workload::send_due(Now now) {
  for (size_t begin = 0; begin < answers_.size(); begin += limits::kUpdateBatchMax) {
    const size_t end = std::min<size_t>(answers_.size(), begin + limits::kUpdateBatchMax);
    effects_.send(StatusUpdates{.items = {answers_.begin() + static_cast<ptrdiff_t>(begin),
                                          answers_.begin() + static_cast<ptrdiff_t>(end)}});
  }
  answers_.clear();
  while (true) {
    std::vector<StatusUpdates::Item> items = streams_.take_due(now.mono, limits::kUpdateBatchMax);
    if (items.empty()) return;
    effects_.send(StatusUpdates{.items = std::move(items)});
  }
}

void Workload::remember_sandbox(const Key& key, std::string sandbox) {
  const uint64_t serial = ended_serial_++;
  ended_[key] = Ended{.serial = serial, .sandbox = std::move(sandbox)};
  ended_order_.emplace_back(serial, key);
  while (ended_order_.size() > limits::kEndedSandboxesMax) {
    const auto oldest = ended_.find(ended_order_.front().second);
    if (oldest != ended_.end() && oldest->second.serial == ended_order_.front().first) {
      ended_.erase(oldest);
    }
    ended_order_.pop_front();
  }
}

void Workload::forget_if_done(const FrameworkId& id) {
  const auto found = frameworks_.find(id);
  if (found == frameworks_.end()) return;
  AgentFramework& framework = found->second;
  if (!framework.shutting_down || !framework.idle()) return;
  if (!framework.wanted_again) {
    forget(framework);
    frameworks_.erase(found);
    return;
  }
  // The master will not name it again in this session.
  framework.shutting_down = false;
  framework.wanted_again = false;
  if (framework.number != 0) remember(framework);
}

void Workload::drop(std::string_view message, std::string_view why) {
  effects_.on_event(event::MessageDropped{.name = message, .why = why});
}

Uuid Workload::make_uuid() {
  // Never nil: that means "not to be acknowledged".
  return Uuid{.high = rng_.next(), .low = rng_.next() | 1};
}

AgentFramework* Workload::find_framework(const FrameworkId& id) {
  const auto found = frameworks_.find(id);
  return found == frameworks_.end() ? nullptr : &found->second;
}

AgentTask* Workload::find_task(const FrameworkId& framework, const TaskId& task) {
  return const_cast<AgentTask*>(std::as_const(*this).find_task(framework, task));
}

const AgentTask* Workload::find_task(const FrameworkId& framework, const TaskId& task) const {
  const auto found = frameworks_.find(framework);
  if (found == frameworks_.end()) return nullptr;
  const auto entry = found->second.tasks.find(task);
  return entry == found->second.tasks.end() ? nullptr : &entry->second;
}

AgentTask* Workload::task_of(const Container& container) {
  AgentTask* task = find_task(container.framework_id, container.task_id);
  if (task == nullptr || task->task.container_id != container.id) return nullptr;
  return task->phase == AgentTask::Phase::kEnded ? nullptr : task;
}

AgentTotals Workload::totals() const {
  AgentTotals totals{.frameworks = static_cast<uint32_t>(frameworks_.size()),
                     .containers = static_cast<uint32_t>(containers_.size()),
                     .updates_pending = static_cast<uint32_t>(streams_.pending())};
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [task_id, task] : framework.tasks) {
      if (task.phase != AgentTask::Phase::kEnded) ++totals.tasks;
    }
  }
  return totals;
}

std::vector<Task> Workload::tasks() const {
  std::vector<Task> tasks;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [task_id, entry] : framework.tasks) tasks.push_back(entry.task);
  }
  return tasks;
}

std::string Workload::sandbox_of(const FrameworkId& framework, const TaskId& task) const {
  const AgentTask* found = find_task(framework, task);
  if (found != nullptr) return found->sandbox;
  const auto ended = ended_.find(Key{framework, task});
  return ended == ended_.end() ? std::string() : ended->second.sandbox;
}

bool Workload::task_ended(const FrameworkId& framework, const TaskId& task) const {
  const AgentTask* found = find_task(framework, task);
  return found == nullptr || found->phase == AgentTask::Phase::kEnded;
}

}  // namespace tepui
