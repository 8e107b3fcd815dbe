#include "tests/sim/runners.h"

#include <fmt/format.h>

namespace tepui::sim {

namespace {

// Nothing of that is said of a task whose executor lives.
bool tells_of_an_end(TaskReason reason) {
  return reason == TaskReason::kExecutorTerminated ||
         reason == TaskReason::kExecutorRegistrationTimeout ||
         reason == TaskReason::kExecutorReregistrationTimeout;
}

}  // namespace

void Runners::on_handed_over(const FrameworkId& framework, const TaskId& task) {
  if (handed_.insert({framework, task}).second) return;
  world_.violated("executor", fmt::format("task {} is handed over twice", task.value));
}

void Runners::on_status(const FrameworkId& framework, const TaskStatus& status, bool runs) {
  if (const auto said = said_.find(status.uuid); said != said_.end()) {
    if (said->second == status.state) return;
    return world_.violated(
        "executor",
        fmt::format("the executor said {} of task {}, and the agent says {}", to_text(said->second),
                    status.task_id.value, to_text(status.state)));
  }
  if (!runs || !is_terminal(status.state)) return;
  if (tells_of_an_end(status.reason)) {
    return world_.violated("executor", fmt::format("task {} is {} for the end of its executor, "
                                                   "which runs",
                                                   status.task_id.value, to_text(status.state)));
  }
  const auto process = running_.find(status.container_id);
  if (process == running_.end() || !process->second.contains({framework, status.task_id})) return;
  world_.violated("executor", fmt::format("the agent says {} of task {}, which its executor runs",
                                          to_text(status.state), status.task_id.value));
}

void Runners::on_durable(const FrameworkId& framework, const TaskStatus& status) {
  durable_.insert(status.uuid);
  if (is_terminal(status.state)) over_.insert({framework, status.task_id});
}

void Runners::on_received(const FrameworkId& framework, const ContainerId& in, const TaskId& task) {
  running_[in].insert({framework, task});
}

void Runners::on_said(const FrameworkId& framework, const TaskStatus& status) {
  said_[status.uuid] = status.state;
  if (!is_terminal(status.state)) return;
  for (auto& [container, tasks] : running_) tasks.erase({framework, status.task_id});
}

void Runners::on_taken(const FrameworkId& framework, const ContainerId& in, const TaskId& task,
                       Uuid uuid) {
  world_.reached("executor.taken");
  const TaskKey key{framework, task};
  if (durable_.contains(uuid) || over_.contains(key) || gone_.contains(framework)) return;
  if (!handed_.contains(key)) return;  // it never was its own
  world_.violated("executor", fmt::format("a status of task {} is called taken to the executor in "
                                          "{}, and is not durable",
                                          task.value, in.value));
}

void Runners::on_ended(const ContainerId& container) { running_.erase(container); }

}  // namespace tepui::sim
