// The part of Workload that checks, from scratch, that what it remembers fits together.

#include <fmt/format.h>

#include <algorithm>

#include "agent/total.h"
#include "agent/workload.h"

namespace tepui {

Result<void> Workload::audit() const {
  TRY(streams_.audit());
  TRY(audit_tasks());
  TRY(audit_executors());
  TRY(audit_own_executors());
  TRY(audit_containers());
  TRY(audit_probes());
  return {};
}

Result<void> Workload::audit_tasks() const {
  Resources charged;
  Resources held;
  size_t deadlines = 0;
  for (const auto& [framework_id, framework] : frameworks_) {
    for (const auto& [id, executor] : framework.own) {
      if (executor.charged) charged += executor.info->resources;
      if (executor.held) held += executor.info->resources;
      if (executor.deadline != kNever) ++deadlines;
    }
    for (const auto& [id, task] : framework.tasks) {
      const auto broken = [&](std::string_view what) {
        return fail(fmt::format("task '{}' of '{}' {}", id.value, framework_id.value, what));
      };
      if (task.charged) charged += task.task.kind->resources;
      if (task.held) held += task.task.kind->resources;
      const bool ended = task.phase == AgentTask::Phase::kEnded;
      const bool in_container =
          task.phase == AgentTask::Phase::kLaunching || task.phase == AgentTask::Phase::kRunning;
      if (ended != is_terminal(task.task.state)) return broken("is not in the state of its phase");
      if (task.charged != (!ended && !framework.shutting_down)) {
        return broken("is charged wrongly");
      }
      if (task.held != in_container) return broken("is held wrongly");
      if (in_container && !containers_.contains(task.task.container_id)) {
        return broken("has no container");
      }
      const auto& lane = fetches(task) ? fetching_.tasks : plain_.tasks;
      if (task.phase == AgentTask::Phase::kQueued && !task.custom &&
          std::ranges::find(lane, Key{framework_id, id}) == lane.end()) {
        return broken("waits for a launch that will not come");
      }
      if (ended && framework.shutting_down) return broken("should be forgotten");
      if (task.wake != kNever) {
        ++deadlines;
        if (!deadlines_.contains({task.wake, task.task.container_id})) {
          return broken("has a deadline that is not listed");
        }
      }
      // Nobody is told how the tasks of a framework that is shut down end.
      if (framework.shutting_down) continue;
      const TaskStatus* newest = streams_.newest(framework_id, id);
      if (newest != nullptr && newest->state != task.task.state) {
        return broken("has a newest status that is not its state");
      }
      if (ended && newest == nullptr) return broken("ended, and no status tells it");
    }
  }
  if (!(charged == charged_)) return fail("the charges of the tasks do not sum up");
  if (!(held == held_)) return fail("what the containers hold does not sum up");
  // What is revocable may have become less since it was given out.
  if (!can_hold(config_.info.resources.non_revocable(), charged_.non_revocable())) {
    return fail("more is charged than there is");
  }
  if (deadlines != deadlines_.size()) return fail("a deadline belongs to no task");
  return {};
}

Result<void> Workload::audit_executors() const {
  for (const auto& [framework_id, framework] : frameworks_) {
    if (framework.shutting_down && framework.idle()) {
      return fail(fmt::format("framework '{}' should be forgotten", framework_id.value));
    }
    for (const auto& [id, executor] : framework.executors) {
      const auto found = containers_.find(executor.container_id);
      if (found == containers_.end() || found->second.framework_id != framework_id ||
          found->second.executor_id != id) {
        return fail(
            fmt::format("executor '{}' of '{}' has no container", id.value, framework_id.value));
      }
      for (const TaskId& task : executor.tasks) {
        if (framework.tasks.contains(task)) continue;
        return fail(fmt::format("executor '{}' of '{}' runs the unknown task '{}'", id.value,
                                framework_id.value, task.value));
      }
    }
  }
  return {};
}

Result<void> Workload::audit_containers() const {
  uint32_t launching = 0;
  uint32_t fetching = 0;
  for (const auto& [id, container] : containers_) {
    if (container.probe != 0) continue;
    if (container.state == Container::State::kLaunching) {
      ++(container.fetches ? fetching : launching);
    }
    if (container.own) continue;
    const AgentTask* task = find_task(container.framework_id, container.task_id);
    const bool owned =
        task != nullptr && task->task.container_id == id && task->phase != AgentTask::Phase::kEnded;
    if (owned == (container.state == Container::State::kDestroying)) {
      return fail(fmt::format("container '{}' {}", id.value,
                              owned ? "is destroyed under its task" : "runs no task"));
    }
  }
  if (launching != plain_.launching || fetching != fetching_.launching) {
    return fail(
        fmt::format("{} containers are launching and {} fetch for it, but {} and {} are "
                    "counted",
                    launching, fetching, plain_.launching, fetching_.launching));
  }
  return {};
}

Result<void> Workload::audit_own_executors() const {
  for (const auto& [framework_id, framework] : frameworks_) {
    for (const auto& [id, executor] : framework.own) {
      const auto broken = [&](std::string_view what) {
        return fail(fmt::format("executor '{}' of '{}' {}", id.value, framework_id.value, what));
      };
      if (executor.charged == framework.shutting_down) return broken("is charged wrongly");
      const bool in_container =
          executor.is_custom() && executor.state != OwnExecutor::State::kQueued;
      if (in_container != containers_.contains(executor.container_id) ||
          executor.held != in_container) {
        return broken("has a container wrongly");
      }
      if (!executor.is_custom() && executor.tasks.empty()) return broken("should have ended");
      for (const TaskId& task : executor.tasks) {
        const auto found = framework.tasks.find(task);
        if (found == framework.tasks.end() || found->second.phase == AgentTask::Phase::kEnded ||
            found->second.executor_id != id || found->second.custom != executor.is_custom()) {
          return broken(fmt::format("runs '{}', which is not its task", task.value));
        }
      }
      if (!executor.session.is_null() && !sessions_.contains(executor.session)) {
        return broken("has a session that is over");
      }
    }
  }
  return {};
}

}  // namespace tepui
