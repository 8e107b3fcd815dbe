#include "master/tasks.h"

#include <string>
#include <utility>

#include "common/limits.h"
#include "master/drain.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/outbox.h"
#include "master/reconciliation.h"

namespace tepui::master {

namespace {

using Column = Books::Column;

void release(State& s, TaskEntry& entry) {
  move_resources(s, *entry.agent, Column::kAllocated, Column::kFree, entry.task.kind->resources);
  const TaskKind& kind = *entry.task.kind;
  recover(s, *entry.agent, entry.framework->handle, kind.role, kind.resources, std::nullopt);
}

// States that only a master pronounces, or that nobody may report.
bool is_for_agents(TaskState state) {
  switch (state) {
    case TaskState::kStaging:
    case TaskState::kUnknown:
    case TaskState::kUnreachable:
    case TaskState::kGoneByOperator:
      return false;
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
    case TaskState::kLost:
    case TaskState::kError:
    case TaskState::kKilling:
    case TaskState::kDropped:
    case TaskState::kGone:
      return true;
  }
  return false;
}

// The agent would repeat this for ever if it missed that the framework is gone. But after an
// election it may be that the framework has only not come back yet.
void on_update_for_nobody(State& s, AgentEntry& agent, const FrameworkId& id) {
  const bool may_still_come =
      !s.frameworks_completed.contains(id) &&
      s.now.mono < later(s.elected_at, s.config.tunables.agent_reregister_timeout);
  s.emit(event::MessageDropped{
      .name = "status_update",
      .why = may_still_come ? "the framework is not back yet" : "the framework is gone"});
  if (!may_still_come) send_now(s, agent, ShutdownFramework{.framework_id = id});
}

void on_status_update(State& s, AgentEntry& agent, const StatusUpdates::Item& item) {
  FrameworkEntry* framework = find_framework(s, item.framework_id);
  if (framework == nullptr) return on_update_for_nobody(s, agent, item.framework_id);
  if (!is_for_agents(item.status.state)) {
    s.emit(event::MessageDropped{.name = "status_update", .why = "not a state of an agent"});
    return;
  }
  TaskStatus status = item.status;
  status.agent_id = agent.info.id;
  if (status.message.size() > limits::kStatusMessageBytesMax) {
    status.message.resize(limits::kStatusMessageBytesMax);
  }
  TaskEntry* entry = find_task(*framework, status.task_id);
  if (entry == nullptr || entry->agent != &agent || entry->unreachable) {
    // Removed meanwhile: the acknowledgement was lost on its way to the agent. The framework
    // acknowledges again.
    s.emit(event::MessageDropped{.name = "status_update", .why = "the task is not in the table"});
    return queue_update(s, *framework, std::move(status));
  }
  entry->task.update_state = status.state;
  entry->task.update_uuid = status.uuid;
  if (!status.container_id.empty()) entry->task.container_id = status.container_id;
  set_state(s, *entry, is_for_agents(item.latest_state) ? item.latest_state : status.state, status);
  const bool is_over = is_terminal(status.state) && status.uuid.is_nil();
  queue_update(s, *framework, std::move(status));
  if (is_over) remove_task(s, *entry);
}

}  // namespace

TaskState as_seen_by(const FrameworkEntry& framework, TaskState state) {
  const bool is_fine = state == TaskState::kDropped || state == TaskState::kUnreachable ||
                       state == TaskState::kGone || state == TaskState::kGoneByOperator ||
                       state == TaskState::kUnknown;
  return is_fine && !framework.is_partition_aware() ? TaskState::kLost : state;
}

TaskStatus make_status(const State& s, const TaskId& id, const AgentId& agent,
                       const Verdict& verdict) {
  return {.task_id = id,
          .state = verdict.state,
          .source = TaskSource::kMaster,
          .reason = verdict.reason,
          .agent_id = agent,
          .timestamp = s.now.wall,
          .message = std::string(verdict.message)};
}

TaskEntry& add_task(State& s, FrameworkEntry& framework, AgentEntry& agent, Task task,
                    bool recovered) {
  auto owned = std::make_unique<TaskEntry>();
  TaskEntry& entry = *owned;
  entry.task = std::move(task);
  entry.framework = &framework;
  entry.agent = &agent;
  entry.handle = s.tasks.insert(std::move(owned));
  framework.tasks_by_id.insert(&entry);
  link(framework.tasks, entry, &TaskEntry::at_framework);
  link(agent.tasks, entry, &TaskEntry::at_agent);
  s.emit(event::TaskAdded{.task = &entry.task, .recovered = recovered});
  return entry;
}

void remove_task(State& s, TaskEntry& entry) {
  s.emit(event::TaskRemoved{.task = &entry.task});
  entry.framework->tasks_by_id.erase(&entry);
  unlink(entry.framework->tasks, entry, &TaskEntry::at_framework);
  unlink(entry.agent->tasks, entry, &TaskEntry::at_agent);
  note_fewer_tasks(s, *entry.agent);
  s.tasks.erase(entry.handle);
}

void set_state(State& s, TaskEntry& entry, TaskState state, const TaskStatus& status) {
  const bool held = entry.holds_resources();
  if (held && may_follow(entry.task.state, state)) entry.task.state = state;
  entry.task.last_status = status;
  if (held && !entry.holds_resources()) release(s, entry);
  s.emit(event::TaskUpdated{.task = &entry.task, .status = &entry.task.last_status});
}

void pronounce(State& s, TaskEntry& entry, const Verdict& verdict) {
  TaskStatus status = make_status(s, entry.task.id, entry.agent->info.id, verdict);
  status.container_id = entry.task.container_id;
  status.executor_id = entry.task.kind->executor_id;
  if (entry.unreachable) {
    // It holds nothing, and its agent says it will not come back.
    if (entry.task.state == TaskState::kUnreachable) entry.task.state = verdict.state;
    entry.task.last_status = status;
    s.emit(event::TaskUpdated{.task = &entry.task, .status = &entry.task.last_status});
  } else {
    set_state(s, entry, verdict.state, status);
  }
  entry.task.update_state = verdict.state;
  entry.task.update_uuid = {};
  queue_update(s, *entry.framework, std::move(status));
  if (is_terminal(verdict.state)) remove_task(s, entry);
}

void become_unreachable(State& s, TaskEntry& entry, std::string_view why) {
  if (is_terminal(entry.task.state)) return remove_task(s, entry);
  const TaskState state = as_seen_by(*entry.framework, TaskState::kUnreachable);
  TaskStatus status =
      make_status(s, entry.task.id, entry.agent->info.id,
                  {.state = state, .reason = TaskReason::kAgentRemoved, .message = why});
  status.container_id = entry.task.container_id;
  status.executor_id = entry.task.kind->executor_id;
  status.unreachable_time = entry.agent->unreachable_since;
  release(s, entry);
  entry.unreachable = true;
  entry.task.state = state;
  entry.task.update_state = state;
  entry.task.update_uuid = {};
  entry.task.last_status = status;
  s.emit(event::TaskUpdated{.task = &entry.task, .status = &entry.task.last_status});
  queue_update(s, *entry.framework, std::move(status));
}

void on_status_updates(State& s, AgentEntry& agent, const StatusUpdates& message) {
  for (const StatusUpdates::Item& item : message.items) on_status_update(s, agent, item);
}

void on_acknowledge(State& s, FrameworkEntry& framework, const Acknowledge& message) {
  for (const Acknowledge::Item& item : message.items) {
    AgentEntry* agent = find_agent(s, item.agent_id);
    if (agent == nullptr || !agent->is_connected() || item.uuid.is_nil()) {
      // The agent repeats the update when it is back, and the framework acknowledges again.
      s.emit(event::MessageDropped{
          .name = "acknowledge",
          .why = item.uuid.is_nil() ? "it has no uuid" : "the agent is not connected"});
      continue;
    }
    TaskEntry* entry = find_task(framework, item.task_id);
    if (entry != nullptr && entry->agent == agent) {
      if (entry->task.update_uuid != item.uuid) {
        // It was forwarded before the agent was given up and came back. If the agent took this for
        // its last word of the task, nobody would ever remove the task here.
        s.emit(event::MessageDropped{.name = "acknowledge",
                                     .why = "the update is not the one that was forwarded last"});
        continue;
      }
      if (is_terminal(entry->task.update_state)) remove_task(s, *entry);
    }
    queue_acknowledgement(
        s, *agent, {.framework_id = framework.info.id, .task_id = item.task_id, .uuid = item.uuid});
  }
}

void on_kill(State& s, FrameworkEntry& framework, const Kill& kill) {
  TaskEntry* entry = find_task(framework, kill.task_id);
  if (entry == nullptr || entry->unreachable) {
    reconcile_one(s, framework, {.task_id = kill.task_id, .agent_id = kill.agent_id});
    return;
  }
  if (!kill.agent_id.empty() && kill.agent_id != entry->agent->info.id) {
    s.emit(event::MessageDropped{.name = "kill", .why = "the task is on another agent"});
    return;
  }
  request_kill(s, *entry, kill.kill_policy);
}

void request_kill(State& s, TaskEntry& entry, const std::optional<KillPolicy>& policy) {
  entry.kill_requested = true;
  entry.kill_policy = policy;
  if (!entry.agent->is_connected() || is_terminal(entry.task.state)) return;
  send_now(s, *entry.agent,
           KillTask{.framework_id = entry.framework->info.id,
                    .task_id = entry.task.id,
                    .kill_policy = policy});
}

}  // namespace tepui::master
