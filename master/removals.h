#pragma once
// Removals: agents that are to be given up because nothing is heard of them, no faster than
// --agent-removal-rate-limit allows, so that a fault of the network does not tell every framework
// at once that all is lost. Who is heard of while it waits stays. What operators order does not
// wait.
//
// Pure.

#include <string>

#include "master/state.h"

namespace tepui::master {

// Gives the agent up, now or when its turn comes.
void want_removal(State& s, AgentEntry& agent, std::string why);
// It was heard of.
void withdraw_removal(AgentEntry& agent);
void on_removal_due(State& s);
// The limit may be another.
void review_removals(State& s);

// No agent of the registry has any more time to come back. If too many are missing, the fault is
// more likely ours: the master resigns.
void on_recovery_over(State& s);

}  // namespace tepui::master
