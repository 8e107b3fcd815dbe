#pragma once
// Why a framework gets no offers: agents counted by cause, and what would change it. Pure.

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

void explain(State& s, const Asker& asker, const Explain& message);

}  // namespace tepui::master
