#pragma once
// Isolation of an agent whose books do not balance. It is cut off, alone: its offers are rescinded,
// the allocator forgets it, its session is closed. When it registers again it says what it runs,
// and its books are made anew from that. No other agent or framework notices, and the master lives
// on.
//
// Pure.

#include "common/result.h"
#include "master/state.h"

namespace tepui::master {

// False, and the agent counts as broken from now on, if its books could not be kept.
bool stays_sound(State& s, AgentEntry& agent, const Result<void>& booked);
// Moves in the books of `agent`; if they refuse, the agent counts as broken from now on, and
// isolate_broken does the rest at the end of the input. False: broken.
bool move_resources(State& s, AgentEntry& agent, Books::Column from, Books::Column to,
                    const Resources& what);
// Converts in the books, and breaks likewise.
bool convert_resources(State& s, AgentEntry& agent, Books::Column column,
                       const Conversion& conversion);
void isolate_broken(State& s);

}  // namespace tepui::master
