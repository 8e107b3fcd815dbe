#pragma once
// The pids isolator: pids.max as it is configured, for processes and threads together.
//
// Pure.

#include "agent/isolation_plan.h"

namespace tepui {

void plan_pids(const IsolationInput& input, IsolationPlan& plan);

}  // namespace tepui
