#pragma once
// Maintenance: the schedule says which machines will be out of service and when. Offers of their
// agents say so, frameworks that hold something there get inverse offers, and a window may drain
// its agents by itself when it begins. A machine that was started (DOWN) has no agents, and none
// may register from it, until it is stopped (UP); then it has left the schedule.
//
// Machines are known by the hostname of their agents.
//
// Pure.

#include <string_view>

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

void on_update_schedule(State& s, const Asker& asker, const UpdateMaintenanceSchedule& message);
void on_operate_machines(State& s, const Asker& asker, const OperateMachines& message);
void on_recorded(State& s, const MachinesChange& change);
// What the registry has at the begin of a term.
void restore_machines(State& s);

bool is_down(const State& s, std::string_view hostname);
// The agent has just been given to the allocator.
void apply_schedule(State& s, AgentEntry& agent);
// A window begins.
void on_window_due(State& s);

// Asks those who hold something on agents that are planned to go; after a round.
void make_inverse_offers(State& s);
void on_inverse_answers(State& s, FrameworkEntry& framework, std::span<const OfferId> offers,
                        const Filters& filters, bool accepted);
// The plan has changed, or the agent goes: what was asked and answered about it is void.
void rescind_inverse_offers_of(State& s, const AgentEntry& agent);
void forget_inverse_offers_of(State& s, const FrameworkEntry& framework);
void forget_inverse_answers_of(State& s, const FrameworkId& framework);

}  // namespace tepui::master
