#include "tests/sim/fates.h"

#include <fmt/format.h>

#include "common/loans.h"
#include "tests/sim/fits.h"

namespace tepui::sim {

void Fates::on_intended(const FrameworkId& framework, const TaskId& task,
                        const Resources& resources) {
  intended_[{framework, task}] = resources;
}

void Fates::on_launched(AgentLife on, const Resources& machine, const LaunchSpec& spec) {
  const TaskKey key{spec.framework_id, spec.task_id};
  const std::string& name = spec.task_id.value;
  if (!intended_.contains(key)) {
    return world_.violated("fate", fmt::format("task {} runs, but nobody wanted it", name));
  }
  // In the same container: the host sees to it that its command starts only once.
  const auto [at, fresh] = launched_.emplace(key, spec.id);
  if (!fresh && at->second != spec.id) {
    return world_.violated("fate", fmt::format("task {} was launched twice", name));
  }
  groups_.on_launched(on.agent, spec.framework_id, spec.task_id);
  live_[on].insert(key);
  check_machine(on, machine);
}

void Fates::on_intended(const FrameworkId& framework, const ExecutorId& executor,
                        const Resources& resources) {
  intended_executors_[{framework, executor}] = resources;
}

void Fates::on_executor_launched(AgentLife on, const Resources& machine, const LaunchSpec& spec) {
  const ExecutorKey key{spec.framework_id, spec.executor_id};
  if (!intended_executors_.contains(key)) {
    return world_.violated(
        "executor", fmt::format("executor {} runs, but nobody wanted it", spec.executor_id.value));
  }
  for (const auto& [container, other] : executors_[on]) {
    if (other != key) continue;
    world_.violated("executor",
                    fmt::format("executor {} runs twice, in {} and {}", spec.executor_id.value,
                                container.value, spec.id.value));
  }
  executors_[on][spec.id] = key;
  check_machine(on, machine);
}

void Fates::on_handed_over(AgentLife on, const Resources& machine, const FrameworkId& framework,
                           const TaskId& task) {
  const TaskKey key{framework, task};
  if (!intended_.contains(key)) {
    return world_.violated("fate", fmt::format("task {} runs, but nobody wanted it", task.value));
  }
  runners_.on_handed_over(framework, task);
  groups_.on_handed_over(on.agent, framework, task);
  live_[on].insert(key);
  check_machine(on, machine);
}

void Fates::on_container_ended(AgentLife on, const ContainerId& container) {
  const auto at = executors_.find(on);
  if (at != executors_.end()) at->second.erase(container);
  // A task that never began is launched again, and uses nothing until then.
  std::erase_if(live_[on], [&](const TaskKey& task) {
    const auto launched = launched_.find(task);
    return launched != launched_.end() && launched->second == container;
  });
}

// The tasks of a framework that is gone may still be dying while their resources are given anew.
void Fates::check_machine(AgentLife on, const Resources& machine) {
  Resources used;
  bool each_fits = true;
  for (const TaskKey& key : live_[on]) {
    if (gone_.contains(key.first)) continue;
    used += intended_[key];
    each_fits = each_fits && fits(machine, intended_[key].non_revocable());
  }
  for (const auto& [container, executor] : executors_[on]) {
    if (!gone_.contains(executor.first)) used += intended_executors_[executor];
  }
  // Beyond what is revocable, tasks run on what was lent of the rest.
  const Resources lent = used.revocable().minus(machine.revocable());
  if (!lent.empty()) world_.reached("agent.lent");
  if (!each_fits || !fits(machine.non_revocable(), used.non_revocable() + as_regular(lent))) {
    world_.violated("machine", fmt::format("agent {} has {}, but its tasks use {}", on.agent,
                                           to_text(machine), to_text(used)));
  }
}

void Fates::on_ended(AgentLife by, const FrameworkId& framework, const TaskId& task) {
  live_[by].erase({framework, task});
}

void Fates::on_created(AgentLife by, const FrameworkId& framework, const TaskStatus& status) {
  runners_.on_durable(framework, status);
  groups_.on_durable(framework, status);
  if (by_uuid_.contains(status.uuid)) return;
  const TaskKey key{framework, status.task_id};
  const auto [at, fresh] = streams_.try_emplace({by, key});
  Stream& stream = at->second;
  stream.by = by;
  if (!fresh && !may_follow(stream.last, status.state)) {
    world_.violated("fate",
                    fmt::format("the agent lets {} follow {} for task {}", to_text(status.state),
                                to_text(stream.last), status.task_id.value));
  }
  stream.last = status.state;
  if (not_granted_.contains(key)) {
    if (status.reason == TaskReason::kContainerLaunchFailed) world_.reached("launch.not_granted");
    if (status.state == TaskState::kRunning || status.state == TaskState::kFinished) {
      world_.violated("terms", fmt::format("task {} is {} without what it asks for",
                                           status.task_id.value, to_text(status.state)));
    }
  }
  if (!by_uuid_.try_emplace(status.uuid, std::pair{at->first, stream.made.size()}).second) {
    world_.violated("updates", fmt::format("uuid {} was used twice", to_text(status.uuid)));
  }
  stream.made.push_back(status.uuid);
}

void Fates::on_acknowledged(const FrameworkId& framework, const TaskId& task, Uuid uuid) {
  if (gone_.contains(framework)) return;
  const auto at = by_uuid_.find(uuid);
  if (at == by_uuid_.end()) {
    return world_.violated("updates", fmt::format("an acknowledgement for {} names uuid {}, which "
                                                  "nobody made",
                                                  task.value, to_text(uuid)));
  }
  if (streams_.at(at->second.first).seen <= at->second.second) {
    world_.violated("updates",
                    fmt::format("status {} of task {} was acknowledged, but its framework "
                                "never saw it",
                                at->second.second, task.value));
  }
}

void Fates::on_seen(const FrameworkId& framework, const TaskStatus& status) {
  const TaskKey key{framework, status.task_id};
  // A kill or a question that crossed the last status on its way: the master has forgotten the task
  // by then, and says so.
  if (status.reason == TaskReason::kReconciliation && status.uuid.is_nil()) {
    const auto known = seen_.find(key);
    if (known != seen_.end() && is_terminal(known->second)) {
      return world_.reached("update.asked_too_late");
    }
  }
  if (const auto [at, fresh] = seen_.try_emplace(key, status.state);
      !fresh && at->second != status.state) {
    // What is not terminal may seem to change in any way: masters forget and ask again.
    if (is_terminal(at->second) && at->second != TaskState::kLost) {
      world_.violated(
          "fate", fmt::format("framework {} saw {} after {} for task {}", framework.value,
                              to_text(status.state), to_text(at->second), status.task_id.value));
    }
    at->second = status.state;
  }
  if (status.uuid.is_nil()) return;
  const auto at = by_uuid_.find(status.uuid);
  if (at == by_uuid_.end()) {
    return world_.violated(
        "updates", fmt::format("framework {} saw {} of task {} with a uuid that "
                               "no agent made",
                               framework.value, to_text(status.state), status.task_id.value));
  }
  Stream& stream = streams_.at(at->second.first);
  const size_t index = at->second.second;
  if (index > stream.seen) {
    return world_.violated("updates",
                           fmt::format("framework {} saw status {} of task {} before status {}",
                                       framework.value, index, status.task_id.value, stream.seen));
  }
  if (index < stream.seen) return world_.reached("update.repeated");
  ++stream.seen;
}

void Fates::on_agent_died(AgentLife life) {
  live_.erase(life);
  executors_.erase(life);
  dead_.insert(life);
}

void Fates::on_framework_gone(const FrameworkId& framework) {
  gone_.insert(framework);
  runners_.on_framework_gone(framework);
}

void Fates::on_framework_removed(const FrameworkId& framework) {
  removed_.insert(framework);
  runners_.on_framework_gone(framework);
}

std::string Fates::what_was_never_seen() const {
  for (const auto& [key, stream] : streams_) {
    const auto& [life, task] = key;
    if (dead_.contains(life) || gone_.contains(task.first) || removed_.contains(task.first)) {
      continue;
    }
    if (stream.seen < stream.made.size()) {
      return fmt::format("status {} of {} of task {} was never seen by its framework", stream.seen,
                         stream.made.size(), task.second.value);
    }
  }
  return {};
}

}  // namespace tepui::sim
