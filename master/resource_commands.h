#pragma once
// Reservations and volumes in the name of an operator: on what is free of an agent, after offers
// that are in the way were rescinded. The master answers when the agent has been told; what became
// of it at the agent shows in its resources.
//
// Pure.

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

void on_operate_resources(State& s, const Asker& asker, const OperateResources& message);

}  // namespace tepui::master
