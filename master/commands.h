#pragma once
// Commands: what an operator asks of the master. A command is checked as a whole and refused with a
// reason before anything changes; what it says is durable before it is answered.
//
// Pure.

#include <string>
#include <string_view>

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

// An empty error: done.
void answer(State& s, const Asker& asker, std::string error);
void on_operator_request(State& s, SessionId from, std::string_view principal,
                         const OperatorRequest& request);

}  // namespace tepui::master
