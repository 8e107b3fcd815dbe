#pragma once
// The io isolator, for the block devices that are configured. io.max is what a container requests
// of the resources io_rbps and io_wbps (MB a second) and io_riops and io_wiops (operations a
// second); of those it does not request, the configured default. io.weight is the same as for
// processors. io.latency, where it is configured, protects what is not wholly revocable.
//
// Pure.

#include "agent/isolation_plan.h"

namespace tepui {

void plan_io(const IsolationInput& input, IsolationPlan& plan);

}  // namespace tepui
