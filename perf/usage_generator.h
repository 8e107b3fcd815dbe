#pragma once
// A day of tasks that use what they are given unevenly, for whoever has no trace at hand. The same
// seed gives the same day. A task has
//
// - a level, log-normal around 8 % of its limit (sigma of the logarithm 0.8), at most 70 %;
// - a wave over the day, of up to 30 % of the level, with a phase of its own;
// - noise that remembers 60 % of what it was five minutes ago, with a standard deviation of up to
//   60 % of the level;
// - bursts to anywhere between the level and the limit, 15 minutes long on average. Each task has a
//   rate of its own, log-uniform between one in four days and eight a day: some burst often, many
//   for the first time after hours.
//
// What traces have and this has not: tasks that rise together. For benchmarks only.

#include <cstddef>
#include <cstdint>

#include "common/rng.h"
#include "perf/usage_trace.h"

namespace tepui::perf {

// What one task with this limit uses in so many samples.
std::vector<int64_t> generated_usage(Rng& rng, int64_t limit_milli, size_t samples);

// 1,200 tasks for the whole day with limits of one cpu, as the public traces have them.
UsageTrace generated_trace(uint64_t seed);

// 1,200 tasks with limits between half a cpu and eight, half of which come or go within the day.
UsageTrace generated_churn(uint64_t seed);

}  // namespace tepui::perf
