// The part of Workload that does what the QoS controller decided: to revocable work alone.

#include <fmt/format.h>

#include <utility>

#include "agent/workload.h"
#include "common/check.h"

namespace tepui {

IsolationInput Workload::input_of(const AgentTask& task) const {
  return {.resources = task.spec->resources,
          .limits = task.spec->limits,
          .labels = task.spec->labels,
          .settings = config_.tunables.isolation,
          .controllers = config_.info.controllers};
}

IsolationInput Workload::input_of(const Container& container) {
  const AgentFramework& framework = frameworks_.at(container.framework_id);
  if (container.own) return input_of(framework, framework.own.at(container.executor_id));
  const AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  return input_of(*task);
}

void Workload::write_plan(Container& container) {
  const IsolationInput input = input_of(container);
  // An executor may have got tasks with resources of their own meanwhile: then nothing is held
  // against it any more, and what was is undone once.
  const bool was_corrected = !container.corrections.none();
  container.corrections = allowed(container.corrections, input.resources);
  effects_.resize(container.id, is_revocable(input.resources) || was_corrected
                                    ? plan_corrected(input, container.corrections)
                                    : plan_isolation(input));
}

void Workload::clear_corrections(Container& container) {
  container.corrections = {};
  if (is_revocable(input_of(container).resources)) write_plan(container);
}

void Workload::let_run(const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.probe != 0) return;
  Container& container = found->second;
  if (!container.corrections.frozen && container.corrections.cpu_time_permille == 0) return;
  container.corrections.frozen = false;
  container.corrections.cpu_time_permille = 0;
  write_plan(container);
}

void Workload::on_corrected(const ContainerId& id, const Corrections& corrections) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state != Container::State::kRunning ||
      found->second.probe != 0) {
    return drop("corrected", fmt::format("container {} does not run", id.value));
  }
  Container& container = found->second;
  if (!is_revocable(input_of(container).resources)) {
    return drop("corrected",
                fmt::format("container {} does not run on revocable resources", id.value));
  }
  Corrections wanted = corrections;
  const AgentTask* task = container.own ? nullptr : task_of(container);
  const bool ends =
      container.own ? frameworks_.at(container.framework_id).own.at(container.executor_id).state ==
                          OwnExecutor::State::kTerminating
                    : task->termination.requested();
  if (ends) {
    wanted.frozen = false;
    wanted.cpu_time_permille = 0;
  }
  container.corrections = wanted;
  write_plan(container);
}

void Workload::on_preempted(Now now, const ContainerId& id, bool at_once, std::string_view why) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.state == Container::State::kDestroying ||
      found->second.probe != 0) {
    return drop("preempted", fmt::format("container {} does not run", id.value));
  }
  const Container container = found->second;
  if (!is_revocable(input_of(container).resources)) {
    return drop("preempted",
                fmt::format("container {} does not run on revocable resources", id.value));
  }
  AgentFramework& framework = frameworks_.at(container.framework_id);
  const std::optional<Duration> grace =
      at_once ? std::optional(Duration::zero()) : std::optional<Duration>();
  if (container.own) {
    OwnExecutor& executor = framework.own.at(container.executor_id);
    executor.fate = TaskReason::kContainerPreempted;
    executor.why = why;
    return stop_executor(now, framework, executor, grace);
  }
  AgentTask* task = task_of(container);
  CHECK(task != nullptr);
  task->preempted_why = why;
  request_kill(now, framework, *task, KillCause::kPreempted, grace);
}

}  // namespace tepui
