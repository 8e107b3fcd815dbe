#pragma once
// Conversions: operations change what kind of resources an agent has. The books, the allocator and
// the agent's info change at once (speculatively: what follows may build on it), the agent is told,
// and what became of it is told later (master/operations.h).
//
// Invariant: the total of an agent that is in the allocator is the total of its books, in both and
// in its info. What the agent could not apply shows when it registers again: its own total counts.
//
// Pure.

#include <string>
#include <string_view>

#include "common/messages.h"
#include "common/result.h"
#include "master/state.h"

namespace tepui::master {

// What the offers of one accept hold, while its operations take from it.
struct Pool {
  AgentEntry* agent = nullptr;
  std::string role;
  Resources remaining;
  Resources withheld;  // results of GROW_VOLUME and SHRINK_VOLUME: for later calls
};

// On what the pool holds. A refusal is told to the framework, and the next operation has its turn.
void convert_offered(State& s, FrameworkEntry& framework, Pool& pool, const Operation& operation);

// An operator's operation: on what is free, after offers that are in the way were rescinded. The
// error says why nothing was done.
Result<void> operate(State& s, AgentEntry& agent, const Operation& operation,
                     std::string_view principal);

// The agent has more or less that is revocable: offers that hold any of it are rescinded.
void on_update_agent(State& s, AgentEntry& agent, const UpdateAgent& message);

}  // namespace tepui::master
