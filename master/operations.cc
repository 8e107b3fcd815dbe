#include "master/operations.h"

#include <set>
#include <string>
#include <utility>

#include "master/drain.h"
#include "master/outbox.h"

namespace tepui::master {

namespace {

// Null: an operator's operation, or its framework is not known.
FrameworkEntry* framework_of(State& s, const AgentOperation& operation) {
  return operation.framework_id.empty() ? nullptr : find_framework(s, operation.framework_id);
}

bool wants_feedback(const AgentOperation& operation) {
  return !operation.framework_id.empty() && !operation.operation.id.empty();
}

void emit_changed(State& s, const OperationEntry& entry) {
  s.emit(event::OperationUpdated{.agent_id = &entry.agent->info.id,
                                 .framework_id = &entry.told.framework_id,
                                 .operation = &entry.told.operation,
                                 .status = &entry.told.status});
}

OperationEntry& add(State& s, AgentEntry& agent, AgentOperation operation) {
  const Uuid uuid = operation.uuid;
  if (FrameworkEntry* framework = framework_of(s, operation); framework != nullptr) {
    if (!operation.operation.id.empty()) framework->operations[operation.operation.id] = uuid;
  }
  agent.operations.insert(uuid);
  OperationEntry& entry = s.operations[uuid];
  entry = {.told = std::move(operation), .agent = &agent};
  return entry;
}

void remove(State& s, OperationEntry& entry) {
  const Uuid uuid = entry.told.uuid;
  entry.agent->operations.erase(uuid);
  note_fewer_tasks(s, *entry.agent);
  if (FrameworkEntry* framework = framework_of(s, entry.told); framework != nullptr) {
    const auto found = framework->operations.find(entry.told.operation.id);
    if (found != framework->operations.end() && found->second == uuid) {
      framework->operations.erase(found);
    }
  }
  s.operations.erase(uuid);
}

OperationEntry* find_operation(State& s, Uuid uuid) {
  const auto found = s.operations.find(uuid);
  return found == s.operations.end() ? nullptr : &found->second;
}

// The master's own word: the uuid of what the agent said last stays in the table.
void tell(State& s, const OperationEntry& entry) {
  FrameworkEntry* framework = framework_of(s, entry.told);
  if (framework == nullptr || !wants_feedback(entry.told)) return;
  OperationStatus status = entry.told.status;
  status.operation_id = entry.told.operation.id;
  status.agent_id = entry.agent->info.id;
  status.uuid = {};
  queue_operation_update(s, *framework, std::move(status));
}

void pronounce(State& s, OperationEntry& entry, OperationState state, std::string_view why) {
  if (is_terminal(entry.told.status.state)) return;
  entry.told.status.state = state;
  entry.told.status.message = why;
  emit_changed(s, entry);
  tell(s, entry);
}

void acknowledge(State& s, AgentEntry& agent, const AgentOperation& report) {
  queue_operation_acknowledgement(s, agent,
                                  {.operation = report.uuid, .status = report.status.uuid});
}

// A framework that nobody knows any more has had the time in which everybody comes back after an
// election; what became of its operations it sees in offers, and by reconciling.
bool may_come(const State& s, const FrameworkId& id) {
  return !s.frameworks_completed.contains(id) &&
         s.now.mono < later(s.elected_at, s.config.tunables.agent_reregister_timeout);
}

void on_report(State& s, AgentEntry& agent, const AgentOperation& report) {
  if (!is_terminal(report.status.state) || report.status.uuid.is_nil()) {
    s.emit(event::MessageDropped{.name = "operation_report", .why = "it is not the end"});
    return;
  }
  FrameworkEntry* framework = framework_of(s, report);
  OperationEntry* entry = find_operation(s, report.uuid);
  const bool is_heard = wants_feedback(report);
  if (is_heard && framework == nullptr && may_come(s, report.framework_id)) {
    s.emit(event::MessageDropped{.name = "operation_report",
                                 .why = "its framework has not come back yet"});
    return;  // repeated until it has
  }
  if (entry == nullptr) entry = &add(s, agent, report);
  if (entry->agent != &agent) return;
  entry->told.status = report.status;
  entry->told.status.operation_id = report.operation.id;
  entry->told.status.agent_id = agent.info.id;
  emit_changed(s, *entry);
  if (is_heard && framework != nullptr) {
    return queue_operation_update(s, *framework, entry->told.status);
  }
  acknowledge(s, agent, report);
  remove(s, *entry);
}

void reconcile(State& s, FrameworkEntry& framework, const ReconcileOperations::Item& item) {
  const auto known = framework.operations.find(item.operation_id);
  if (known != framework.operations.end()) return tell(s, *find_operation(s, known->second));
  const AgentEntry* agent = item.agent_id.empty() ? nullptr : find_agent(s, item.agent_id);
  const bool may_still_come = agent != nullptr ? agent->phase == AgentEntry::Phase::kRecovered
                                               : item.agent_id.empty() && s.agents_recovered > 0;
  OperationStatus status{.operation_id = item.operation_id,
                         .state = OperationState::kUnknown,
                         .message = "neither the operation nor its agent is known",
                         .agent_id = item.agent_id};
  if (may_still_come) {
    status.state = OperationState::kRecovering;
    status.message = "the agent has not come back yet";
  } else if (agent != nullptr && agent->is_registered()) {
    status.message = "the agent does not have this operation: it is over, or never was";
  } else if (s.agents_removed.contains(item.agent_id)) {
    status.state = OperationState::kGoneByOperator;
    status.message = "its agent is gone for good";
  } else if (agent != nullptr) {
    status.state = OperationState::kUnreachable;
    status.message = "its agent is unreachable";
  }
  queue_operation_update(s, framework, std::move(status));
}

}  // namespace

void begin_operation(State& s, AgentEntry& agent, FrameworkEntry* framework,
                     const Operation& operation) {
  AgentOperation told{.uuid = {.high = s.rng.next(), .low = s.rng.next()}, .operation = operation};
  if (framework != nullptr) told.framework_id = framework->info.id;
  told.status.agent_id = agent.info.id;
  const OperationEntry& entry = add(s, agent, std::move(told));
  emit_changed(s, entry);
  queue_operation(s, agent, entry.told);
}

void refuse_operation(State& s, FrameworkEntry& framework, const Operation& operation,
                      std::string_view why) {
  OperationStatus status{
      .operation_id = operation.id, .state = OperationState::kError, .message = std::string(why)};
  s.emit(event::OperationUpdated{.agent_id = &status.agent_id,
                                 .framework_id = &framework.info.id,
                                 .operation = &operation,
                                 .status = &status});
  if (!operation.id.empty()) queue_operation_update(s, framework, std::move(status));
}

void refuse_operations(State& s, FrameworkEntry& framework, const Accept& accept,
                       std::string_view why) {
  for (const OfferOperation& operation : accept.operations) {
    if (operation.type != OfferOperation::Type::kConvert) continue;
    // The call came twice: the operation that lives has its own fate.
    if (framework.operations.contains(operation.operation.id)) continue;
    refuse_operation(s, framework, operation.operation, why);
  }
}

void on_operation_reports(State& s, AgentEntry& agent, const OperationReports& message) {
  for (const AgentOperation& report : message.items) on_report(s, agent, report);
}

void on_acknowledge_operations(State& s, FrameworkEntry& framework,
                               const AcknowledgeOperations& message) {
  for (const AcknowledgeOperations::Item& item : message.items) {
    const auto known = framework.operations.find(item.operation_id);
    OperationEntry* entry =
        known == framework.operations.end() ? nullptr : find_operation(s, known->second);
    if (entry == nullptr || item.uuid.is_nil() || entry->told.status.uuid != item.uuid ||
        !entry->agent->is_connected()) {
      // The agent repeats the status, and the framework acknowledges again.
      s.emit(event::MessageDropped{.name = "acknowledge_operation",
                                   .why = "no such status waits for an acknowledgement"});
      continue;
    }
    acknowledge(s, *entry->agent, entry->told);
    remove(s, *entry);
  }
}

void on_reconcile_operations(State& s, FrameworkEntry& framework,
                             const ReconcileOperations& message) {
  for (const ReconcileOperations::Item& item : message.items) reconcile(s, framework, item);
  if (!message.items.empty()) return;
  for (const auto& [id, uuid] : framework.operations) tell(s, *find_operation(s, uuid));
}

void resync_operations(State& s, AgentEntry& agent, const std::vector<AgentOperation>& operations) {
  std::set<Uuid> named;
  for (const AgentOperation& told : operations) {
    named.insert(told.uuid);
    OperationEntry* entry = find_operation(s, told.uuid);
    if (entry == nullptr) {
      if (framework_of(s, told) != nullptr) add(s, agent, told);
      continue;  // the agent repeats the status
    }
    if (entry->agent != &agent) continue;
    if (!is_terminal(entry->told.status.state)) entry->told.status.state = told.status.state;
  }
  const std::set<Uuid> known = agent.operations;
  for (const Uuid uuid : known) {
    if (named.contains(uuid)) continue;
    OperationEntry* entry = find_operation(s, uuid);
    pronounce(s, *entry, OperationState::kDropped, "the operation did not reach the agent");
    remove(s, *entry);
  }
}

void hand_over_operations(State& s, AgentEntry& from, AgentEntry& to) {
  for (const Uuid uuid : std::exchange(from.operations, {})) {
    find_operation(s, uuid)->agent = &to;
    to.operations.insert(uuid);
  }
}

void lose_operations(State& s, AgentEntry& agent) {
  for (const Uuid uuid : agent.operations) {
    pronounce(s, *find_operation(s, uuid), OperationState::kUnreachable,
              "the agent is unreachable");
  }
}

void end_operations(State& s, AgentEntry& agent) {
  const std::set<Uuid> known = agent.operations;
  for (const Uuid uuid : known) {
    OperationEntry* entry = find_operation(s, uuid);
    pronounce(s, *entry, OperationState::kGoneByOperator, "the agent is gone for good");
    remove(s, *entry);
  }
}

void forget_operations(State& s, FrameworkEntry& framework) {
  const std::map<OperationId, Uuid> known = framework.operations;
  for (const auto& [id, uuid] : known) {
    OperationEntry* entry = find_operation(s, uuid);
    const bool is_reported = !entry->told.status.uuid.is_nil();
    if (is_reported && entry->agent->is_connected()) acknowledge(s, *entry->agent, entry->told);
    remove(s, *entry);
  }
}

}  // namespace tepui::master
