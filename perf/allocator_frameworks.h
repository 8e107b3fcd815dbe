#pragma once
// Frameworks of three kinds that want a number of tasks and launch them from what they are offered,
// round after round, until all run: a few that want thousands, hundreds in one role that want a
// handful, some that want larger ones.
//
// For benchmarks only.

#include "perf/report.h"

namespace tepui::perf {

void measure_multi_framework(Report& report);

}  // namespace tepui::perf
