#include "perf/allocator_rounds.h"

#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/check.h"
#include "perf/instructions.h"
#include "perf/plain_division.h"

namespace tepui::perf {

namespace {

constexpr Metric kMillis = {.unit = "ms", .better = Better::kLower};
constexpr Metric kMicros = {.unit = "us", .better = Better::kLower};

// The same cluster, divided the usual way.
class PlainCluster {
 public:
  explicit PlainCluster(ClusterSize size) {
    for (uint32_t i = 0; i < size.frameworks; ++i) {
      auto& department = division_.child(division_.root(), fmt::format("dept{}", i % 10));
      department.weight = static_cast<double>(department_weight(i % 10)) / 1000;
      auto& team = division_.child(department, fmt::format("team{}", i % 100 / 10));
      team.weight = static_cast<double>(team_weight(i % 100)) / 1000;
      division_.child(team, fmt::format("{:08x}", i));
    }
    for (uint32_t i = 0; i < size.agents; ++i) division_.add_agent(varied_total(i));
    given_.reserve(size.agents);
  }

  double full_round() {
    division_.clear();
    given_.clear();
    const double start = spent_us();
    division_.divide(given_);
    return spent_us() - start;
  }

 private:
  PlainDivision division_;
  std::vector<PlainDivision::Given> given_;
};

void measure_full(Report& report, ClusterSize size, uint32_t rounds) {
  const auto ours = AllocatorCluster::departments(size);
  PlainCluster plain(size);
  report.compare(
      kMillis,
      {.name = "allocator/full/" + size.text(),
       .measure = [&] { return ours->full_round() / 1e3; }},
      {.name = "sorting anew per agent", .measure = [&] { return plain.full_round() / 1e3; }},
      rounds);
}

// The longest turn of a full round that is cut into slices of 1,000 agents.
double longest_slice(AllocatorCluster& cluster) {
  cluster.give_all_back();
  Allocator& allocator = cluster.allocator();
  allocator.request_full_round();
  double longest = 0;
  for (auto more = Allocator::Step::kMore; more == Allocator::Step::kMore;) {
    const double start = spent_us();
    more = allocator.step(cluster.now, 1000, cluster.grants());
    longest = std::max(longest, spent_us() - start);
  }
  return longest;
}

// Allocations a second, with and without what it takes to give them back.
double rate(AllocatorCluster& cluster, bool with_return) {
  const double start = spent_us();
  const double round_us = cluster.full_round();
  const double all_us = spent_us() - start;
  return static_cast<double>(cluster.grants().size()) / (with_return ? all_us : round_us) * 1e6;
}

void measure_rate(Report& report) {
  const auto cluster = AllocatorCluster::departments({.agents = 20000, .frameworks = 2000});
  const Metric metric = {.unit = "1/s", .better = Better::kHigher};
  report.measure(metric,
                 {.name = "allocator/rate", .measure = [&] { return rate(*cluster, false); }}, 11);
  report.measure(
      metric,
      {.name = "allocator/rate/with_return", .measure = [&] { return rate(*cluster, true); }}, 11);
}

// What jemalloc has handed out, its size classes included.
double bytes_in_use() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  CHECK(mallctl("epoch", &epoch, &size, &epoch, size) == 0);
  size_t bytes = 0;
  size = sizeof bytes;
  CHECK(mallctl("stats.allocated", &bytes, &size, nullptr, 0) == 0);
  return static_cast<double>(bytes);
}

// Bytes an agent adds, free and then granted. The list of grants is the master's, not counted.
void measure_memory(Report& report, ClusterSize size) {
  AllocatorCluster cluster;
  cluster.add_departments(size.frameworks);
  const double before = bytes_in_use();
  cluster.add_varied_agents(size.agents);
  const double list = static_cast<double>(cluster.grants().capacity() * sizeof(Grant));
  const double free = bytes_in_use() - before - list;
  cluster.round();
  std::vector<Grant>().swap(cluster.grants());
  const double granted = bytes_in_use() - before;
  const auto add = [&](const std::string& name, double bytes) {
    report.add({.name = name,
                .unit = "bytes/agent",
                .better = Better::kLower,
                .sample = sample_of({bytes / size.agents}),
                .against = std::nullopt});
  };
  add("allocator/memory/" + size.text(), std::max(free, granted));
  add("allocator/memory/" + size.text() + "/free", free);
  add("allocator/memory/" + size.text() + "/granted", granted);
}

}  // namespace

void measure_rounds(Report& report) {
  measure_full(report, {.agents = 1000, .frameworks = 100}, 21);
  measure_full(report, {.agents = 10000, .frameworks = 1000}, 15);
  measure_full(report, {.agents = 20000, .frameworks = 2000}, 11);
  measure_full(report, {.agents = 50000, .frameworks = 6000}, 7);
  for (const ClusterSize size : {ClusterSize{20000, 2000}, ClusterSize{50000, 6000}}) {
    const auto cluster = AllocatorCluster::departments(size);
    report.measure(kMillis,
                   {.name = "allocator/longest_slice/" + size.text(),
                    .measure = [&] { return longest_slice(*cluster) / 1e3; }},
                   7);
    report.measure(
        kMicros,
        {.name = "allocator/idle/" + size.text(), .measure = [&] { return cluster->idle_round(); }},
        11);
    report.measure(kMicros,
                   {.name = "allocator/one_changed/" + size.text(),
                    .measure = [&] { return cluster->one_changed_round(); }},
                   11);
  }
  measure_rate(report);
  for (const ClusterSize size : {ClusterSize{20000, 2000}, ClusterSize{50000, 6000}}) {
    measure_memory(report, size);
  }
}

// ---------------------------------------------------------------- instructions

namespace {
AllocatorCluster* counted = nullptr;
}

// Not inlined, and of a plain name: callgrind counts from its entry to its end.
extern "C" __attribute__((noinline)) void tepui_counted_round() { counted->round(); }

int run_counted_round(ClusterSize size) {
  const auto cluster = AllocatorCluster::departments(size);
  // Twice: what grows once is not the work of a round.
  cluster->round();
  cluster->give_all_back();
  counted = cluster.get();
  tepui_counted_round();
  std::printf("grants %zu\n", cluster->grants().size());
  return 0;
}

namespace {

double counted_instructions(const std::string& program, ClusterSize size) {
  if (InstructionCounter counter; counter.works()) {
    const auto cluster = AllocatorCluster::departments(size);
    cluster->full_round();
    cluster->give_all_back();
    counter.start();
    cluster->round();
    const uint64_t instructions = counter.stop();
    return static_cast<double>(instructions) / static_cast<double>(cluster->grants().size());
  }
  const std::string text = output_of(
      fmt::format("valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no "
                  "--toggle-collect=tepui_counted_round '{}' --counted-round {} {} 2>&1",
                  program, size.agents, size.frameworks));
  const double grants = number_after(text, "grants ");
  return grants > 0 ? number_after(text, "Collected : ") / grants : 0;
}

}  // namespace

void measure_instructions(Report& report, const std::string& program) {
  for (const ClusterSize size :
       {ClusterSize{1000, 100}, ClusterSize{20000, 2000}, ClusterSize{50000, 6000}}) {
    const double count = counted_instructions(program, size);
    if (count <= 0) {
      std::puts("No instruction counts: no counter in this processor, and no valgrind.");
      return;
    }
    report.add({.name = "allocator/instructions/" + size.text(),
                .unit = "instructions/allocation",
                .better = Better::kLower,
                .sample = sample_of({count}),
                .against = std::nullopt});
  }
}

}  // namespace tepui::perf
