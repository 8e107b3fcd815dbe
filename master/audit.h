#pragma once
// Audit sums from scratch everything that the invariants promise. Slow on purpose, and never on the
// way of a message.
//
// Pure.

#include "common/result.h"
#include "master/state.h"

namespace tepui::master {

Result<void> audit(const State& s);
MasterTotals totals_of(const State& s);

}  // namespace tepui::master
