// The part of Workload that ends tasks on request, and does what is due.

#include <algorithm>
#include <vector>

#include "agent/workload.h"
#include "common/check.h"

namespace tepui {

namespace {
constexpr int kSignalTerminate = 15;
}  // namespace

void Workload::request_kill(Now now, AgentFramework& framework, AgentTask& task, KillCause cause,
                            std::optional<Duration> grace) {
  switch (task.phase) {
    case AgentTask::Phase::kQueued:
      task.termination.request_at_launch(cause);
      return finish(now, framework, task, killed_before_launch());
    case AgentTask::Phase::kLaunching:
      request_before_launched(now, task, cause, grace_of(task, grace));
      task.remembered = recorder_.append(course_of(task));
      // Of one container of its own: others may need that of an executor.
      if (!task.custom) effects_.cancel_launch(task.task.container_id);
      return;
    case AgentTask::Phase::kEnded:
      return;
    case AgentTask::Phase::kRunning:
      break;
  }
  if (task.custom) return kill_by_executor(now, framework, task, cause, grace);
  const Termination::Step step = task.termination.request(now.mono, cause, grace_of(task, grace));
  end_checks(task);
  const bool told = cause == KillCause::kRequested || cause == KillCause::kDrained ||
                    cause == KillCause::kAgentShutdown || cause == KillCause::kUnhealthy ||
                    cause == KillCause::kGroupEnded || cause == KillCause::kPreempted;
  if (told && framework.info.has(FrameworkCapability::kTaskKillingState) &&
      task.task.state != TaskState::kKilling) {
    publish(now, framework, task, TaskState::kKilling);
  }
  task.remembered = recorder_.append(course_of(task));
  take(task, step);
  refresh_deadline(task);
}

Duration Workload::grace_of(const AgentTask& task, std::optional<Duration> asked) const {
  const std::optional<KillPolicy>& own = task.spec->kill_policy;
  if (!asked && own) asked = own->grace_ns;
  return asked.value_or(config_.tunables.kill_grace);
}

// Its container is launched, or is taken up after a restart: then the command may have run for
// long.
void Workload::request_before_launched(Now now, AgentTask& task, KillCause cause, Duration grace) {
  if (task.ran()) {
    task.termination.request_before_adoption(now.mono, cause, grace);
  } else {
    task.termination.request_at_launch(cause);
  }
}

void Workload::take(const AgentTask& task, Termination::Step step) {
  if (step == Termination::Step::kNone) return;
  if (task.remembered > recorder_.durable()) {
    to_end_.emplace(task.remembered, std::pair(task.task.container_id, step));
  } else {
    take_now(task.task.container_id, step);
  }
}

void Workload::take_now(const ContainerId& id, Termination::Step step) {
  if (step == Termination::Step::kTerminate) {
    let_run(id);
    effects_.signal(id, kSignalTerminate);
  } else {
    effects_.kill(id);
  }
}

void Workload::end_remembered() {
  while (!to_end_.empty() && to_end_.begin()->first <= recorder_.durable()) {
    const auto [id, step] = to_end_.begin()->second;
    to_end_.erase(to_end_.begin());
    const auto found = containers_.find(id);
    if (found == containers_.end()) continue;
    const AgentTask* task = task_of(found->second);
    // It may have ended meanwhile, by itself.
    if (task != nullptr && task->phase == AgentTask::Phase::kRunning) take_now(id, step);
  }
}

void Workload::refresh_deadline(AgentTask& task) {
  Instant wake = task.termination.deadline();
  if (!task.termination.requested()) {
    wake = std::min({wake, task.complete_by, task.checks.deadline()});
  }
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
  for (auto& [id, framework] : frameworks_) stop_executors(now, framework, grace);
}

void Workload::on_drain(Now now, const DrainAgent& message) {
  std::vector<Key> live;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [task_id, task] : framework.tasks) {
      if (task.phase != AgentTask::Phase::kEnded) live.emplace_back(id, task_id);
    }
  }
  for (const Key& key : live) {
    AgentTask* found = find_task(key.first, key.second);
    if (found == nullptr) continue;
    AgentTask& task = *found;
    Duration grace = grace_of(task, {});
    if (message.max_grace) grace = std::min(grace, *message.max_grace);
    request_kill(now, frameworks_.at(key.first), task, KillCause::kDrained, grace);
  }
  for (auto& [id, framework] : frameworks_) stop_executors(now, framework, message.max_grace);
  draining_ = !containers_.empty();
}

void Workload::on_time(Now now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    const ContainerId id = deadlines_.begin()->second;
    const Container& container = containers_.at(id);
    if (container.own) {
      on_executor_due(frameworks_.at(container.framework_id).own.at(container.executor_id));
      continue;
    }
    AgentTask* task = task_of(container);
    CHECK(task != nullptr);
    if (task->termination.requested()) {
      take(*task, task->termination.on_time(now.mono));
      refresh_deadline(*task);
    } else if (task->complete_by > now.mono) {
      run_checks(now, frameworks_.at(container.framework_id), *task);
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
