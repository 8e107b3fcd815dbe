#pragma once
// The classic workloads of allocators, with their classic parameters: agents of 24 cpus, 4,096 MB,
// 4,096 disk and one range of ports, in a grid of sizes, with one role a framework and with one
// role for all.
//
// For benchmarks only.

#include <cstdint>

#include "perf/report.h"

namespace tepui::perf {

enum class Extent : uint8_t { kSome, kAll };

// Adding agents and changing them, declining everything, suppressing in steps and nearly all,
// reservations with labels, persistent volumes, everyone reviving at once.
void measure_classic(Report& report, Extent extent);

}  // namespace tepui::perf
