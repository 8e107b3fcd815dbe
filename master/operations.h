#pragma once
// Operations: the table of those that were begun and whose end nobody has acknowledged, and the way
// of their statuses from the agent to the framework and of acknowledgements back.
//
// The agent repeats a status until it is acknowledged: by the framework, if it gave the operation
// an id; else by the master, as soon as it is told. Words of the master's own (refused,
// unreachable, answers to reconciliation) have no uuid and are said once.
//
// Invariant: an operation is in the table, in the set of its agent, and, with an id, in that of its
// framework. A terminal state never changes.
//
// Pure.

#include <string_view>
#include <vector>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

// The books are converted; tells the agent. `framework` null: an operator's.
void begin_operation(State& s, AgentEntry& agent, FrameworkEntry* framework,
                     const Operation& operation);
// It never was: OPERATION_ERROR where there is an id.
void refuse_operation(State& s, FrameworkEntry& framework, const Operation& operation,
                      std::string_view why);
void refuse_operations(State& s, FrameworkEntry& framework, const Accept& accept,
                       std::string_view why);

void on_operation_reports(State& s, AgentEntry& agent, const OperationReports& message);
void on_acknowledge_operations(State& s, FrameworkEntry& framework,
                               const AcknowledgeOperations& message);
void on_reconcile_operations(State& s, FrameworkEntry& framework,
                             const ReconcileOperations& message);

// The agent registered, with these operations not acknowledged; others that it was told of before
// never reached it.
void resync_operations(State& s, AgentEntry& agent, const std::vector<AgentOperation>& operations);
// The machine of an agent has registered as another.
void hand_over_operations(State& s, AgentEntry& from, AgentEntry& to);
// The agent is given up; it may come back.
void lose_operations(State& s, AgentEntry& agent);
// The agent or the framework is gone for good.
void end_operations(State& s, AgentEntry& agent);
void forget_operations(State& s, FrameworkEntry& framework);

}  // namespace tepui::master
