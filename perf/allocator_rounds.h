#pragma once
// The rounds that the goals speak of: all agents free, nothing changed, one agent changed; how many
// allocations a second that is, how many instructions each takes, how much memory an agent.
//
// For benchmarks only.

#include <cstdint>
#include <string>

#include "perf/allocator_cluster.h"
#include "perf/report.h"

namespace tepui::perf {

// The sizes of the goals are always measured.
void measure_rounds(Report& report);

// Instructions of one full round, divided by the grants it made: from the processor's counter, or,
// where there is none (virtual machines), from callgrind, if that is installed.
void measure_instructions(Report& report, const std::string& program);
// What callgrind runs: prints the number of grants of the round that it counts.
int run_counted_round(ClusterSize size);

}  // namespace tepui::perf
