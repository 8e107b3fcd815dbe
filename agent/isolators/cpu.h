#pragma once
// The cpu isolator: cpu.weight is 100 per requested cpu (1 per cpu for revocable work), between 1
// and 10000; what is wholly revocable is cpu.idle instead where that is configured. cpu.max only
// where a limit is given, or where requests are configured to be limits, as quota in microseconds
// per 100 ms, at least 1 ms, with cpu.max.burst as the configured part of it.
//
// Pure.

#include "agent/isolation_plan.h"

namespace tepui {

void plan_cpu(const IsolationInput& input, IsolationPlan& plan);

}  // namespace tepui
