#pragma once
// What one change costs as the cluster grows from 1,000 to 50,000 agents, with a framework for each
// ten of them. Costs are divided by what changed (an agent of a full round, an agent that came back
// or changed its total, a framework that revived, a weight): a cost that does not grow with the
// cluster is linear in what changed, one that does is not.
//
// For benchmarks only.

#include "perf/report.h"

namespace tepui::perf {

// Adds `allocator/growth/CHANGE/AxF` in nanoseconds and draws perf/out/allocator_growth.svg.
void measure_growth(Report& report);

}  // namespace tepui::perf
