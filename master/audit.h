#pragma once
// Audit sums from scratch everything that the invariants promise; totals and replay tell the state
// to others. Slow on purpose, and never on the way of a message.
//
// Pure.

#include "common/events.h"
#include "common/result.h"
#include "master/state.h"

namespace tepui::master {

Result<void> audit(const State& s);
MasterTotals totals_of(const State& s);
void replay(const State& s, EventSink& sink);

}  // namespace tepui::master
