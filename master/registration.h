#pragma once
// Registration: how an agent comes, and how it comes back. The registry records it first; the reply
// follows when that is durable. What the agent says it runs and what the master believes are then
// brought together: the agent is right about what it has, the master about what was asked of it.
//
// Pure.

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

void on_register(State& s, Session& session, const RegisterAgent& message);
// Both take the tasks out of the message.
void on_reregister(State& s, Session& session, ReregisterAgent& message);
void on_reregister(State& s, Session& session, ReregisterCompactly& message);

// The registry has recorded it.
void on_admitted(State& s, const RegistryChange& change);
void on_readmitted(State& s, const RegistryChange& change);

}  // namespace tepui::master
