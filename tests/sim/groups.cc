#include "tests/sim/groups.h"

#include <fmt/format.h>

#include <variant>

namespace tepui::sim {

void Groups::on_intended(const FrameworkId& framework, const std::vector<TaskId>& tasks) {
  const uint64_t group = members_.size() + 1;
  for (const TaskId& task : tasks) {
    group_of_[{framework, task}] = group;
    members_[group].emplace_back(framework, task);
  }
}

uint64_t Groups::group_of(const TaskKey& task) const {
  const auto at = group_of_.find(task);
  return at == group_of_.end() ? 0 : at->second;
}

void Groups::take(Side& side, const record::Task& task) {
  const TaskKey key{task.task.framework_id, task.task.id};
  const uint64_t group = group_of(key);
  if (group == 0) return;
  side.names[task.number] = key;
  const bool is_refused = task.task.container_id.empty();
  (is_refused ? side.refused : side.taken).insert(key);
  for (const TaskKey& other : members_.at(group)) {
    if (!(is_refused ? side.taken : side.refused).contains(other)) continue;
    world_.violated("group", fmt::format("the agent refuses task {} of a group, and takes task {}",
                                         (is_refused ? key : other).second.value,
                                         (is_refused ? other : key).second.value));
  }
}

void Groups::end(Side& side, const TaskKey& task, TaskState state) {
  const uint64_t group = group_of(task);
  if (group == 0) return;
  side.ended.insert(task);
  if (state == TaskState::kFinished || side.refused.contains(task)) return;
  world_.reached("group.one_did_not_finish");
  side.due.insert(group);
}

void Groups::on_started(uint32_t by, const RecoveredAgent& memory) {
  Side& side = sides_[by] = {};
  for (const record::Framework& framework : memory.frameworks) {
    if (framework.shutting_down) side.removed.insert(framework.info.id);
  }
  for (const RecoveredTask& task : memory.tasks) {
    take(side, task.accepted);
    const TaskKey key{task.accepted.task.framework_id, task.accepted.task.id};
    // The executor says whether it has heard of it.
    if (task.accepted.custom) side.handed.insert(key);
    if (task.course.kill_cause != KillCause::kNone) side.told.insert(key);
    if (task.waiting.empty()) continue;
    const TaskState last = task.waiting.back().status.state;
    if (is_terminal(last)) end(side, key, last);
  }
}

void Groups::on_record(uint32_t by, const AgentRecord& record) {
  Side& side = sides_[by];
  if (const auto* task = std::get_if<record::Task>(&record)) return take(side, *task);
  if (const auto* group = std::get_if<record::TaskGroup>(&record)) {
    for (const record::Task& task : group->tasks) take(side, task);
    return;
  }
  if (const auto* framework = std::get_if<record::Framework>(&record)) {
    if (framework->shutting_down) side.removed.insert(framework->info.id);
    return;
  }
  const auto* course = std::get_if<record::Course>(&record);
  if (course == nullptr || course->kill_cause == KillCause::kNone) return;
  const auto name = side.names.find(course->task);
  if (name != side.names.end()) side.told.insert(name->second);
}

// All of it is here, or was.
void Groups::on_launched(uint32_t by, const FrameworkId& framework, const TaskId& task) {
  const TaskKey key{framework, task};
  const uint64_t group = group_of(key);
  if (group == 0) return;
  const Side& side = sides_[by];
  for (const TaskKey& other : members_.at(group)) {
    if (side.taken.contains(other) || over_.contains(other)) continue;
    world_.violated("group", fmt::format("task {} of a group is launched without task {}",
                                         task.value, other.second.value));
  }
  world_.reached("group.launched");
}

void Groups::on_handed_over(uint32_t by, const FrameworkId& framework, const TaskId& task) {
  on_launched(by, framework, task);
  sides_[by].handed.insert({framework, task});
}

void Groups::on_status(uint32_t by, const FrameworkId& framework, const TaskStatus& status) {
  if (is_terminal(status.state)) end(sides_[by], {framework, status.task_id}, status.state);
}

void Groups::on_durable(const FrameworkId& framework, const TaskStatus& status) {
  if (is_terminal(status.state)) over_.insert({framework, status.task_id});
}

void Groups::check(uint32_t by) {
  Side& side = sides_[by];
  for (const uint64_t group : side.due) check_ending(side, group);
  side.due.clear();
}

// What an executor of the framework has heard of is its own matter.
void Groups::check_ending(const Side& side, uint64_t group) {
  for (const TaskKey& task : members_.at(group)) {
    if (!side.taken.contains(task) || side.handed.contains(task)) continue;
    if (side.removed.contains(task.first)) continue;
    if (side.told.contains(task) || side.ended.contains(task) || over_.contains(task)) continue;
    world_.violated("group", fmt::format("task {} goes on, and another of its group did not finish",
                                         task.second.value));
  }
}

}  // namespace tepui::sim
