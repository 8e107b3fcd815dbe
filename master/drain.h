#pragma once
// How operators take agents out of use: deactivate (no more offers), drain (and its tasks are
// killed; DRAINED once none is left), reactivate, and gone for good.
//
// Invariant: a standing counts from the moment it is durable; it stays with the agent over lost
// sessions and failovers, until it is reactivated or gone. An agent that is draining is told so
// whenever it registers.
//
// Pure.

#include <optional>

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

void on_operate_agent(State& s, const Asker& asker, const OperateAgent& message);
// Without an operator: because the schedule says so.
void drain_by_schedule(State& s, const AgentEntry& agent);
void on_recorded(State& s, const StandingChange& change);
// The agent has registered (again), and what it runs is known.
void apply_standing(State& s, AgentEntry& agent);
// Of agents that lost a task in this turn: whether none is left.
void note_fewer_tasks(State& s, const AgentEntry& agent);
void settle_drained(State& s);

}  // namespace tepui::master
