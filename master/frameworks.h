#pragma once
// Frameworks: how they subscribe, fail over, disconnect, come back, and end.
//
// A framework has at most one session; a newer subscription with its id takes its place. Without a
// session it keeps its tasks until its failover timeout, then it is torn down, and its id is never
// accepted again. After a master's restart, frameworks are known from agents first (recovered) and
// have time to come back.
//
// Pure.

#include <string_view>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

void on_subscribe(State& s, Session& session, const Subscribe& message);
// What it may not change, or not ask for, is refused with the reason, and nothing changes.
void on_update_framework(State& s, const Session& session, FrameworkEntry& framework,
                         const UpdateFramework& message);
void on_teardown(State& s, FrameworkEntry& framework);
void on_suppress(State& s, FrameworkEntry& framework, const Suppress& message);
void on_revive(State& s, FrameworkEntry& framework, const Revive& message);
void on_heartbeat_due(State& s, FrameworkEntry& framework);

// An agent runs tasks of a framework that this leader has not seen.
FrameworkEntry& recover_framework(State& s, const FrameworkInfo& info);
// Its session is gone.
void disconnect_framework(State& s, FrameworkEntry& framework, std::string_view why);
// With all its tasks.
void remove_framework(State& s, FrameworkEntry& framework, std::string_view why);

}  // namespace tepui::master
