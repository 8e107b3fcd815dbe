#pragma once
// Outbox: what happens thousands of times a second (offers, updates, launches, acknowledgements) is
// collected per session and leaves at the end of the turn, many in one message. Whatever else is
// sent to an agent first flushes what waits for it, so that a kill never overtakes its launch.
//
// Pure.

#include <string_view>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

void queue_offer(State& s, OfferEntry& offer);
void queue_rescind(State& s, FrameworkEntry& framework, OfferId id);
// Dropped if the framework is disconnected: agents repeat, schedulers reconcile.
void queue_update(State& s, FrameworkEntry& framework, TaskStatus status);
// To every connected framework.
void queue_failure(State& s, const AgentId& id);
void queue_failure(State& s, FrameworkEntry& framework, Failure failure);
void queue_launch(State& s, AgentEntry& agent, FrameworkEntry& framework, LaunchTasks::Item item);
// At once, after the launches that wait.
void send_group(State& s, AgentEntry& agent, FrameworkEntry& framework, LaunchGroup message);
// Before the launches that are queued after it.
void queue_operation(State& s, AgentEntry& agent, AgentOperation operation);
void queue_operation_acknowledgement(State& s, AgentEntry& agent,
                                     AcknowledgeOperationReports::Item item);
void queue_operation_update(State& s, FrameworkEntry& framework, OperationStatus status);
void queue_acknowledgement(State& s, AgentEntry& agent, AcknowledgeUpdates::Item item);

// To a connected agent, after what waits for it.
void send_now(State& s, AgentEntry& agent, const MasterToAgent& message);

void forget_outbox(FrameworkEntry& framework);
void forget_outbox(AgentEntry& agent);
void flush_outboxes(State& s);

}  // namespace tepui::master
