#include "master/reconciliation.h"

#include <utility>

#include "master/outbox.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

void answer(State& s, FrameworkEntry& framework, const TaskEntry& entry) {
  TaskStatus status = make_status(s, entry.task.id, entry.agent->info.id,
                                  {.state = entry.task.update_state,
                                   .reason = TaskReason::kReconciliation,
                                   .message = "the state the master forwarded last"});
  status.container_id = entry.task.container_id;
  if (entry.unreachable) status.unreachable_time = entry.agent->unreachable_since;
  if (entry.task.last_status.state == status.state) {
    status.exit_status = entry.task.last_status.exit_status;
    status.signal = entry.task.last_status.signal;
  }
  queue_update(s, framework, std::move(status));
}

bool is_gone_by_operator(const State& s, const AgentId& id) {
  const auto found = s.registry.registry.gone().find(id);
  return found != s.registry.registry.gone().end() && found->second.by_operator;
}

}  // namespace

void reconcile_one(State& s, FrameworkEntry& framework, const Reconcile::Item& item) {
  if (const TaskEntry* entry = find_task(framework, item.task_id)) {
    return answer(s, framework, *entry);
  }
  const AgentEntry* agent = item.agent_id.empty() ? nullptr : find_agent(s, item.agent_id);
  // A disconnected agent may come back with a task that was given up when its connection ended (of
  // a framework that does not checkpoint): GONE could not be taken back.
  const bool may_still_come = agent != nullptr
                                  ? agent->phase == AgentEntry::Phase::kRecovered ||
                                        agent->phase == AgentEntry::Phase::kDisconnected
                                  : item.agent_id.empty() && s.agents_recovered > 0;
  if (may_still_come) return;

  Verdict verdict{.state = TaskState::kUnknown,
                  .reason = TaskReason::kReconciliation,
                  .message = "neither the task nor its agent is known"};
  if (agent != nullptr && agent->is_registered()) {
    verdict.state = TaskState::kGone;
    verdict.message = "its agent is registered and does not have the task";
  } else if (s.agents_removed.contains(item.agent_id)) {
    verdict.state =
        is_gone_by_operator(s, item.agent_id) ? TaskState::kGoneByOperator : TaskState::kGone;
    verdict.message = "its agent is gone for good";
  } else if (agent != nullptr) {
    verdict.state = TaskState::kUnreachable;
    verdict.message = "its agent is unreachable";
  }
  verdict.state = as_seen_by(framework, verdict.state);
  TaskStatus status = make_status(s, item.task_id, item.agent_id, verdict);
  if (agent != nullptr && !agent->is_registered()) {
    status.unreachable_time = agent->unreachable_since;
  }
  queue_update(s, framework, std::move(status));
}

void on_reconcile(State& s, FrameworkEntry& framework, const Reconcile& message) {
  if (message.items.empty()) {
    for (const TaskEntry* entry : framework.tasks) {
      if (!entry->unreachable) answer(s, framework, *entry);
    }
    return;
  }
  for (const Reconcile::Item& item : message.items) reconcile_one(s, framework, item);
}

}  // namespace tepui::master
