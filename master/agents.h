#pragma once
// Agents: how they are watched, lost, given up and removed. How they come (back) is in
// master/registration.h.
//
// A connected agent is pinged; without a session it is disconnected: nothing of it is offered, its
// tasks stay. Not heard of for long enough, it is unreachable: recorded in the registry first, then
// its tasks become UNREACHABLE or LOST and hold nothing any more. It may come back from everything
// but removal.
//
// Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/state.h"

namespace tepui::master {

// The entry of an agent; the caller says its phase.
AgentEntry& add_agent(State& s, AgentInfo info, AgentEntry::Phase phase);
void set_phase(State& s, AgentEntry& agent, AgentEntry::Phase phase);
// Its info as it is now, also for those who look it up by place or were told of it.
void set_info(State& s, AgentEntry& agent, AgentInfo info);
// Other agents at the same hostname and address.
std::vector<AgentEntry*> agents_in_place_of(State& s, const AgentInfo& info);

void leave_allocator(State& s, AgentEntry& agent);
AgentShape shape_of(const AgentEntry& agent);

void start_pings(State& s, AgentEntry& agent);
void on_ping_due(State& s, AgentEntry& agent);
void on_pong(AgentEntry& agent);

// Its session is gone.
void disconnect_agent(State& s, AgentEntry& agent);
// Asks the registry; the rest follows when that is durable.
void give_up(State& s, AgentEntry& agent, std::string why);
void remove_agent(State& s, AgentEntry& agent, std::string why);
// The same in the name of an operator, who is told when it is done.
void mark_gone(State& s, AgentEntry& agent, std::string why, std::optional<Asker> asker);

// The registry has recorded it.
void on_marked_unreachable(State& s, const AgentId& id, std::string_view why);
void on_removed(State& s, const AgentId& id, std::string_view why, bool by_operator);
void on_forgotten(State& s, const AgentId& id);

}  // namespace tepui::master
