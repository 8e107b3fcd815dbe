#pragma once
// Resync brings together what an agent that registered again says it runs and what the master
// believes. The agent is right about what it has, the master about what was asked of it: tasks the
// master did not know are added, kills and shutdowns the agent missed are repeated, and of tasks
// that the agent did not name it is asked once more.
//
// Pure.

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

struct ResyncOptions {
  bool was_here = false;     // it registered under this leader before: news of its tasks are news
  bool new_books = false;    // nothing is allocated yet: tasks it confirms are entered again
  bool is_repeated = false;  // in the same session: what was sent to the agent may cross this
};
void resync(State& s, AgentEntry& agent, const ReregisterAgent& message, ResyncOptions options);

}  // namespace tepui::master
