// The part of Workload that looks at running tasks: the probes of their checks, and what follows
// from what they saw.
//
// A command of a check is a container inside that of its task, with the task's sandbox and
// environment; it ends with the task's, whatever happens.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/launch_spec.h"
#include "agent/workload.h"
#include "common/check.h"

namespace tepui {

void Workload::begin_checks(Now now, AgentTask& task, const TaskStatus* known) {
  if (!task.spec->check && !task.spec->health_check) return;
  task.checks = TaskChecks(task.spec);
  task.checks.begin(now.mono, known);
}

// What runs for the checks of a task that ends is of no interest any more.
void Workload::end_checks(AgentTask& task) {
  task.checks.end();
  end_probe(task.check_probe);
  end_probe(task.health_probe);
}

void Workload::run_checks(Now now, AgentFramework& framework, AgentTask& task) {
  while (const std::optional<TaskChecks::Step> step = task.checks.next_step(now.mono)) {
    if (step->what == TaskChecks::Step::What::kStart) {
      start_probe(framework, task, step->kind);
      continue;
    }
    end_probe(task.probe(step->kind));
    apply(now, framework, task, step->report);
    if (task.termination.requested()) return;
  }
  refresh_deadline(task);
}

void Workload::start_probe(const AgentFramework& framework, AgentTask& task,
                           TaskChecks::Kind kind) {
  const uint64_t number = next_probe_++;
  const CheckInfo& check = task.checks.info(kind);
  Probe probe{.framework_id = task.task.framework_id,
              .task_id = task.task.id,
              .kind = kind,
              .container_id = {}};
  task.probe(kind) = number;
  if (check.type == CheckInfo::Type::kCommand) {
    probe.container_id = ContainerId{to_text(make_uuid())};
    containers_[probe.container_id] = Container{.id = probe.container_id,
                                                .parent = task.task.container_id,
                                                .framework_id = task.task.framework_id,
                                                .executor_id = {},
                                                .task_id = task.task.id,
                                                .probe = number};
    LaunchSpec spec = spec_of(framework, task);
    make_probe_spec(spec, check.command, probe.container_id);
    probes_[number] = std::move(probe);
    return effects_.launch(spec);
  }
  probes_[number] = std::move(probe);
  effects_.probe(number, check);
}

void Workload::end_probe(uint64_t& number) {
  const uint64_t ended = std::exchange(number, 0);
  const auto found = probes_.find(ended);
  if (found == probes_.end()) return;
  const ContainerId container = found->second.container_id;
  probes_.erase(found);
  if (container.empty()) return effects_.end_probe(ended);
  // One that is still being launched is killed as soon as it runs.
  const auto running = containers_.find(container);
  if (running != containers_.end() && running->second.state == Container::State::kRunning) {
    effects_.kill(container);
  }
}

void Workload::on_probed(Now now, uint64_t number, std::optional<int32_t> value) {
  const auto found = probes_.find(number);
  if (found == probes_.end()) return;  // it was given up
  const Probe probe = std::move(found->second);
  probes_.erase(found);
  AgentFramework& framework = frameworks_.at(probe.framework_id);
  AgentTask& task = framework.tasks.at(probe.task_id);
  task.probe(probe.kind) = 0;
  apply(now, framework, task, task.checks.on_result(now.mono, probe.kind, value));
  refresh_deadline(task);
}

void Workload::apply(Now now, AgentFramework& framework, AgentTask& task,
                     const TaskChecks::Report& report) {
  if (report.changed) publish(now, framework, task, TaskState::kRunning, report.reason);
  if (report.kill) request_kill(now, framework, task, KillCause::kUnhealthy, {});
}

// ---------------------------------------------------------------------- the containers of probes

bool Workload::on_probe_launched(Container& container, int64_t pid) {
  if (container.probe == 0) return false;
  container.state = Container::State::kRunning;
  container.pid = pid;
  if (!probes_.contains(container.probe)) effects_.kill(container.id);
  return true;
}

bool Workload::on_probe_launch_failed(Now now, const ContainerId& id) {
  const auto found = containers_.find(id);
  const uint64_t number = found->second.probe;
  if (number == 0) return false;
  forget_container(id);
  on_probed(now, number, std::nullopt);
  return true;
}

bool Workload::on_probe_exit(Now now, Container& container, const ExitRecord& record) {
  if (container.probe == 0) return false;
  const uint64_t number = container.probe;
  container.state = Container::State::kDestroying;
  effects_.destroy(container.id);
  on_probed(now, number, record.exit_status);
  return true;
}

Result<void> Workload::audit_probes() const {
  size_t of_tasks = 0;
  for (const auto& [framework_id, framework] : frameworks_) {
    for (const auto& [id, task] : framework.tasks) {
      for (const uint64_t number : {task.check_probe, task.health_probe}) {
        if (number == 0) continue;
        ++of_tasks;
        const auto found = probes_.find(number);
        if (found != probes_.end() && found->second.task_id == id) continue;
        return fail(fmt::format("task '{}' waits for a probe that is not there", id.value));
      }
      const bool watched = task.phase == AgentTask::Phase::kRunning;
      if (!watched && task.checks.deadline() != kNever) {
        return fail(fmt::format("task '{}' is checked and does not run", id.value));
      }
    }
  }
  if (of_tasks == probes_.size()) return {};
  return fail("a probe looks at no task");
}

}  // namespace tepui
