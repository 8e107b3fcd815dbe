#include "tests/sim/write_ahead.h"

#include <fmt/format.h>

#include <algorithm>

namespace tepui::sim {

// One that a custom executor runs has no container of its own: the executor says why it ended.
void WriteAhead::note(const record::Task& task) {
  if (!task.custom) tasks_[task.number] = task.task.container_id;
}

void WriteAhead::on_append(uint64_t serial, const AgentRecord& record) {
  if (const auto* framework = std::get_if<record::Framework>(&record)) {
    frameworks_[framework->number] = framework->info.id;
  } else if (const auto* task = std::get_if<record::Task>(&record)) {
    note(*task);
  } else if (const auto* group = std::get_if<record::TaskGroup>(&record)) {
    for (const record::Task& one : group->tasks) note(one);
  } else if (const auto* executor = std::get_if<record::Executor>(&record)) {
    executors_[executor->number] = {frameworks_.at(executor->framework), executor->info->id};
  } else if (const auto* course = std::get_if<record::Course>(&record)) {
    const auto task = tasks_.find(course->task);
    if (task == tasks_.end() || course->kill_cause == KillCause::kNone) return;
    pending_.emplace_back(serial, task->second);
  } else if (const auto* gone = std::get_if<record::TaskForgotten>(&record)) {
    const auto task = tasks_.find(gone->task);
    if (task == tasks_.end()) return;
    explained_.erase(task->second);
    tasks_.erase(task);
  } else if (const auto* forgotten = std::get_if<record::ExecutorForgotten>(&record)) {
    pending_.emplace_back(serial, executors_.at(forgotten->number));
  }
}

void WriteAhead::on_durable(uint64_t serial) {
  for (; !pending_.empty() && pending_.front().first <= serial; pending_.pop_front()) {
    // A further reason may still be under way: who comes next knows this one.
    if (const auto* task = std::get_if<ContainerId>(&pending_.front().second)) {
      explained_.insert(*task);
    }
  }
}

bool WriteAhead::is_pending(const Subject& subject) const {
  return std::ranges::any_of(pending_, [&](const auto& one) { return one.second == subject; });
}

void WriteAhead::on_end(const ContainerId& container) const {
  if (explained_.contains(container) || !is_pending(container)) return;
  world_.violated("memory", fmt::format("container {} is told to end before it is durable why",
                                        container.value));
}

void WriteAhead::on_told(const ExecutorExited& exited) const {
  if (!is_pending(OwnExecutor{exited.framework_id, exited.executor_id})) return;
  world_.violated("memory", fmt::format("a master is told of the end of executor {} before that is "
                                        "durable",
                                        exited.executor_id.value));
}

}  // namespace tepui::sim
