#pragma once
// Rounds among roles with quota: many roles whose guarantees cut agents into pieces or span several
// of them, and roles whose guarantees are whole agents against the same without quota.
//
// For benchmarks only.

#include "perf/report.h"

namespace tepui::perf {

void measure_quota(Report& report);

}  // namespace tepui::perf
