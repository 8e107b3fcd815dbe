// How long a round of the allocator takes, in the cases that the goals name and in the classic ones
// that other allocators are measured with; what it costs in instructions and memory; and how the
// costs grow with the cluster. docs/performance.md says what each name measures.
//
//   bench_allocator               what takes less than three minutes
//   bench_allocator --all         everything, up to 50,000 agents and 6,000 frameworks
//   bench_allocator --only NAME   rounds, instructions, growth, multi_framework, quota, classic

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "perf/allocator_classic.h"
#include "perf/allocator_frameworks.h"
#include "perf/allocator_growth.h"
#include "perf/allocator_quota.h"
#include "perf/allocator_rounds.h"
#include "perf/report.h"

namespace tepui::perf {
namespace {

struct Options {
  bool all = false;
  std::string only;
};

int run(const Options& options, const std::string& program) {
  Report report("allocator");
  const std::vector<std::pair<std::string, std::function<void()>>> parts = {
      {"rounds", [&] { measure_rounds(report); }},
      {"instructions", [&] { measure_instructions(report, program); }},
      {"growth", [&] { measure_growth(report); }},
      {"multi_framework", [&] { measure_multi_framework(report); }},
      {"quota", [&] { measure_quota(report); }},
      {"classic", [&] { measure_classic(report, options.all ? Extent::kAll : Extent::kSome); }},
  };
  for (const auto& [name, measure] : parts) {
    if (options.only.empty() || options.only == name) measure();
  }
  return report.finish();
}

int start(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--all") {
      options.all = true;
    } else if (argument == "--only" && i + 1 < count) {
      options.only = arguments[++i];
    } else if (argument == "--counted-round" && i + 2 < count) {
      return run_counted_round({.agents = static_cast<uint32_t>(std::atoi(arguments[i + 1])),
                                .frameworks = static_cast<uint32_t>(std::atoi(arguments[i + 2]))});
    } else {
      std::fprintf(stderr,
                   "bench_allocator: unknown argument '%s', expected --all or --only PART\n",
                   argument.c_str());
      return 2;
    }
  }
  return run(options, arguments[0]);
}

}  // namespace
}  // namespace tepui::perf

int main(int argc, char** argv) { return tepui::perf::start(argc, argv); }
