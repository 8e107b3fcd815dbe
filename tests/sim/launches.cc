#include "tests/sim/launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

#include "common/limits.h"

namespace tepui::sim {

namespace {

// No limit: all there is.
int64_t memory_of(const IsolationPlan& plan) {
  int64_t bytes = INT64_MAX;
  for (const ControlWrite& write : plan) {
    const char* end = write.value.data() + write.value.size();
    if (write.file == "memory.max") std::from_chars(write.value.data(), end, bytes);
  }
  return bytes;
}

int64_t to_bytes(int64_t mem_milli) { return mem_milli * (1 << 20) / 1000; }

}  // namespace

void Launches::violated(const ContainerId& id, std::string_view what) {
  world_.violated("launch", fmt::format("agent {}, container {}: {}", node_, id.value, what));
}

// --------------------------------------------------------------------------------------- memory

void Launches::learn(const record::Task& task) {
  // One that a custom executor runs has no container of its own.
  if (task.custom || task.task.container_id.empty()) return;
  tasks_[task.number] = task.task.container_id;
  known_[task.task.container_id] = {
      .framework = task.task.framework_id, .parent = task.parent, .sandbox = task.sandbox};
}

void Launches::on_started(const RecoveredAgent& memory) {
  frameworks_.clear();
  tasks_.clear();
  removed_.clear();
  known_.clear();
  launches_.clear();
  under_way_.clear();
  due_.clear();
  for (const record::Framework& one : memory.frameworks) on_record(one);
  for (const record::Executor& one : memory.executors) on_record(one);
  for (const RecoveredTask& one : memory.tasks) learn(one);
}

void Launches::learn(const RecoveredTask& task) {
  learn(task.accepted);
  if (task.course.task != 0) on_record(task.course);
  const auto known = known_.find(task.accepted.task.container_id);
  if (known == known_.end()) return;
  const auto tells = [](const TaskStatus& status) { return status.state == TaskState::kRunning; };
  const std::optional<TaskStatus>& last = task.course.acknowledged;
  known->second.ran = (last && tells(*last)) || std::ranges::any_of(task.waiting, [&](auto& one) {
                        return tells(one.status);
                      });
}

void Launches::on_record(const AgentRecord& record) {
  if (const auto* task = std::get_if<record::Task>(&record)) return learn(*task);
  if (const auto* group = std::get_if<record::TaskGroup>(&record)) {
    for (const record::Task& one : group->tasks) learn(one);
  } else if (const auto* executor = std::get_if<record::Executor>(&record)) {
    if (executor->info->type != ExecutorInfo::Type::kCustom) return;
    known_[executor->container_id] = {.framework = frameworks_.at(executor->framework),
                                      .mem_milli = executor->info->resources.total_milli("mem")};
  } else if (const auto* framework = std::get_if<record::Framework>(&record)) {
    frameworks_[framework->number] = framework->info.id;
    if (!framework->shutting_down) {
      removed_.erase(framework->info.id);
    } else if (removed_.insert(framework->info.id).second) {
      due_.insert(due_.end(), under_way_.begin(), under_way_.end());
    }
  } else if (const auto* course = std::get_if<record::Course>(&record)) {
    const auto task = tasks_.find(course->task);
    if (task == tasks_.end() || course->kill_cause == KillCause::kNone) return;
    Known& known = known_.at(task->second);
    known.to_end = true;
    known.to_end_at_launch = course->killed_during_launch;
    if (under_way_.contains(task->second)) due_.push_back(task->second);
  } else if (const auto* forgotten = std::get_if<record::TaskForgotten>(&record)) {
    const auto task = tasks_.find(forgotten->task);
    if (task == tasks_.end()) return;
    launches_.erase(task->second);
    known_.erase(task->second);
    tasks_.erase(task);
  }
}

// --------------------------------------------------------------------------------- what it does

void Launches::expect_as_remembered(const LaunchSpec& spec) {
  const auto known = known_.find(spec.id);
  if (known == known_.end()) return violated(spec.id, "it is launched, and nobody remembers it");
  if (spec.parent != known->second.parent || spec.makes_parent == spec.parent.empty()) {
    violated(spec.id, fmt::format("it is looked for in '{}', and remembered in '{}'",
                                  spec.parent.value, known->second.parent.value));
  }
  if (known->second.sandbox.empty() || spec.sandbox == known->second.sandbox) return;
  violated(spec.id, fmt::format("its sandbox is '{}', and was remembered as '{}'", spec.sandbox,
                                known->second.sandbox));
}

void Launches::on_launch(const LaunchSpec& spec) {
  expect_as_remembered(spec);
  launches_[spec.id] = {.memory_bytes = memory_of(spec.plan)};
  under_way_.insert(spec.id);
  if (under_way_.size() > limits::kLaunchesInFlightMax) {
    violated(spec.id, fmt::format("it is one of {} that are launched at once", under_way_.size()));
  }
}

void Launches::on_look(const LaunchSpec& spec) {
  const ContainerId& task = spec.confinement.joins;
  const auto at = launches_.find(task);
  const auto known = known_.find(task);
  if (at == launches_.end() || known == known_.end() || at->second.outcome != Outcome::kLaunched) {
    return violated(spec.id, fmt::format("it looks at {}, which does not run", task.value));
  }
  const std::string& above = known->second.parent.value;
  if (spec.parent.value != (above.empty() ? task.value : above + "/" + task.value)) {
    violated(spec.id, fmt::format("it is in '{}', and looks at {}", spec.parent.value, task.value));
  }
  if (spec.sandbox == known->second.sandbox) return;
  violated(spec.id, fmt::format("it is in the sandbox '{}', and its task in '{}'", spec.sandbox,
                                known->second.sandbox));
}

void Launches::on_adopt(const LaunchSpec& spec) {
  expect_as_remembered(spec);
  world_.reached("launch.adopted");
  launches_[spec.id] = {.adopted = true};
  under_way_.insert(spec.id);
}

void Launches::on_cancel(const ContainerId& id) {
  const auto at = launches_.find(id);
  if (at == launches_.end() || at->second.outcome != Outcome::kNone) {
    return violated(id, "it is cancelled, and is not being launched");
  }
  at->second.cancelled = true;
}

void Launches::on_kill(const ContainerId& id) { on_told_to_end(id); }

void Launches::on_told_to_end(const ContainerId& id) {
  if (const auto at = launches_.find(id); at != launches_.end()) at->second.ends = true;
}

void Launches::on_resize(const ContainerId& id, const IsolationPlan& plan) {
  const auto at = launches_.find(id);
  if (at == launches_.end() || at->second.outcome != Outcome::kLaunched) {
    return violated(id, "it is resized, and was not launched");
  }
  at->second.memory_bytes = memory_of(plan);
}

void Launches::on_handed_over(const ContainerId& id, const RunTasks& message) {
  const auto at = launches_.find(id);
  if (at == launches_.end()) return violated(id, "it is handed tasks, and was never launched");
  Launch& launch = at->second;
  int64_t milli = known_.at(id).mem_milli;
  for (const TaskInfo& task : message.tasks) {
    launch.handed_milli[task.id] = task.spec->resources.total_milli("mem");
  }
  for (const auto& [task, mem_milli] : launch.handed_milli) milli += mem_milli;
  if (to_bytes(milli) <= launch.memory_bytes) return;
  violated(id,
           fmt::format("it is handed tasks with which it needs {} bytes of memory, and may have "
                       "{}",
                       to_bytes(milli), launch.memory_bytes));
}

// ------------------------------------------------------------------------------- what it hears

void Launches::on_subscribed(const ContainerId& id) {
  const auto at = launches_.find(id);
  if (at == launches_.end()) return;
  if (at->second.outcome == Outcome::kNone) world_.reached("launch.subscribed_before_told");
  at->second.subscribed = true;
}

Launches::Launch* Launches::settle(const ContainerId& id, Outcome outcome) {
  const auto at = launches_.find(id);
  if (at == launches_.end()) return nullptr;
  under_way_.erase(id);
  Launch& launch = at->second;
  const bool ends = launch.outcome == Outcome::kLaunched && outcome == Outcome::kEnded;
  if (launch.outcome != Outcome::kNone && !ends) violated(id, "it has two outcomes");
  launch.outcome = outcome;
  return &launch;
}

void Launches::on_launched(const ContainerId& id) { settle(id, Outcome::kLaunched); }

void Launches::on_launch_failed(const ContainerId& id, const Error& error) {
  if (Launch* launch = settle(id, Outcome::kFailed)) launch->error = error.message;
}

void Launches::on_absent(const ContainerId& id) { settle(id, Outcome::kAbsent); }

void Launches::on_exit(const ContainerId& id) {
  if (under_way_.contains(id)) world_.reached("launch.ended_untold");
  settle(id, Outcome::kEnded);
}

void Launches::on_resize_failed(const ContainerId& id) {
  const auto at = launches_.find(id);
  if (at == launches_.end() || at->second.outcome != Outcome::kLaunched) return;
  at->second.is_too_small = true;
  due_.push_back(id);
}

// ---------------------------------------------------------------------------- what follows of it

void Launches::on_status(const FrameworkId& framework, const TaskStatus& status) {
  const auto at = launches_.find(status.container_id);
  Launch* launch = at == launches_.end() ? nullptr : &at->second;
  if (launch != nullptr && is_terminal(status.state)) launch->handed_milli.erase(status.task_id);
  const bool could_not_resize = launch != nullptr && launch->is_too_small;
  if (status.reason == TaskReason::kContainerUpdateFailed) {
    world_.reached("launch.update_failed");
    if (!could_not_resize) violated(status.container_id, "it was resized, and is said not to be");
  }
  const auto known = known_.find(status.container_id);
  if (known == known_.end() || known->second.sandbox.empty()) return;
  // Nobody hears of tasks of removed frameworks.
  if (!removed_.contains(framework)) check_status(status, known->second, launch);
  known->second.ran |= status.state == TaskState::kRunning;
}

void Launches::check_status(const TaskStatus& status, const Known& known, const Launch* launch) {
  const ContainerId& id = status.container_id;
  const Outcome outcome = launch == nullptr ? Outcome::kNone : launch->outcome;
  if (status.state == TaskState::kRunning) {
    if (outcome == Outcome::kLaunched) return;
    return violated(id, "its task is said to run, and it was not launched");
  }
  if (!is_terminal(status.state)) return;
  const bool says_at_launch = status.reason == TaskReason::kTaskKilledDuringLaunch;
  if (says_at_launch && known.ran) {
    return violated(id, "its task is said to be killed at its launch, and was said to run");
  }
  const bool says_failed = status.reason == TaskReason::kContainerLaunchFailed;
  if (outcome != Outcome::kFailed) {
    if (says_failed) violated(id, "its launch is said to have failed, and did not");
    if (says_at_launch && outcome != Outcome::kNone && outcome != Outcome::kAbsent &&
        !known.to_end_at_launch) {
      violated(id, "its task is said to be killed at its launch, and was killed later");
    }
    return;
  }
  if (known.to_end) {
    if (status.state == TaskState::kKilled &&
        status.reason == TaskReason::kTaskKilledDuringLaunch) {
      return world_.reached("launch.killed");
    }
    return violated(id, fmt::format("its task was killed before it failed, and is said to be {} {}",
                                    to_text(status.state), to_text(status.reason)));
  }
  world_.reached("launch.failed");
  if (status.state == TaskState::kFailed && says_failed && status.message == launch->error) return;
  violated(id, fmt::format("its launch failed with '{}', and of its task is said {} {} '{}'",
                           launch->error, to_text(status.state), to_text(status.reason),
                           status.message));
}

void Launches::check() {
  for (const ContainerId& id : std::exchange(due_, {})) {
    const auto at = launches_.find(id);
    if (at == launches_.end()) continue;
    const Launch& launch = at->second;
    const bool is_there = launch.outcome == Outcome::kLaunched;
    if (is_there && launch.is_too_small && !launch.ends) {
      violated(id, "it could not be resized, and goes on");
    }
    if (launch.outcome != Outcome::kNone || launch.adopted || launch.cancelled) continue;
    // Its command has begun: it is told to end.
    if (launch.subscribed) continue;
    const auto known = known_.find(id);
    if (known == known_.end()) continue;
    if (!known->second.to_end && !removed_.contains(known->second.framework)) continue;
    violated(id, "it is still launched, and nobody wants it any more");
  }
}

}  // namespace tepui::sim
