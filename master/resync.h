#pragma once
// Resync brings together what an agent that registered again says it runs and what the master
// believes. The agent is right about what it has, the master about what was asked of it: tasks the
// master did not know are added, kills and shutdowns the agent missed are repeated, and of tasks
// that the agent did not name it is asked once more.
//
// Pure.

#include <span>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

struct ResyncOptions {
  bool was_here = false;     // it registered under this leader before: news of its tasks are news
  bool new_books = false;    // nothing is allocated yet: tasks it confirms are entered again
  bool is_repeated = false;  // in the same session: what was sent to the agent may cross this
};
// Takes the tasks out of the message. `frameworks`: those it names by id; they are known, or were.
// True if the agent was sent orders.
bool resync(State& s, AgentEntry& agent, ReregisterAgent& message,
            std::span<const FrameworkId> frameworks, ResyncOptions options);

}  // namespace tepui::master
