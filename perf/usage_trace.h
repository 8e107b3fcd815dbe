#pragma once
// UsageTrace is what many tasks used over a day, every five minutes, from a public file (gzip or
// plain):
//
// - PlanetLab (CoMoN, as cut by Beloglazov): a virtual machine a line, 288 numbers in percent;
// - CloudWatch, as in the Numenta Anomaly Benchmark: `timestamp,value`, percent;
// - bitbrains: `;`-separated with a header, `CPU usage [%]`;
// - Alibaba's openb pods: sizes, arrivals and departures. The file says nothing of use, which is
//   taken from usage_generator.h.
//
// A series that is longer than a day is cut into days, each a task of its own. For benchmarks only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace tepui::perf {

inline constexpr size_t kSamplesADay = 288;

struct TaskUsage {
  int64_t limit_milli = 1000;
  size_t first = 0;                  // the sample of the day with which it comes
  std::vector<int64_t> usage_milli;  // from then on; it goes after the last
};

struct UsageTrace {
  std::string name;
  std::vector<TaskUsage> tasks;
};

// The files of one format that have one machine each (CloudWatch, bitbrains) become one trace; any
// other file is a trace of its own. A folder stands for its files.
Result<std::vector<UsageTrace>> read_usage_traces(const std::vector<std::string>& paths);

}  // namespace tepui::perf
