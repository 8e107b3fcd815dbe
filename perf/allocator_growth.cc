#include "perf/allocator_growth.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "perf/allocator_cluster.h"
#include "perf/plot.h"

namespace tepui::perf {

namespace {

// One kind of change; nanoseconds each. Every one ends with the round that it leads to.
struct Change {
  std::string name;
  std::string meaning;
  std::function<double(AllocatorCluster&)> cost_ns;
};

// The mean of some repeats of `change`, which is told how often it was called before.
double mean_ns(int repeats, const std::function<void(int)>& change) {
  const double start = spent_us();
  for (int i = 0; i < repeats; ++i) change(i);
  return (spent_us() - start) * 1e3 / repeats;
}

double full_round(AllocatorCluster& cluster) {
  return cluster.full_round() * 1e3 / static_cast<double>(cluster.grants().size());
}

double coming_back(AllocatorCluster& cluster) { return cluster.one_changed_round() * 1e3; }

double nothing(AllocatorCluster& cluster) { return cluster.idle_round() * 1e3; }

// The totals of the cluster change with the agent's, and every share with them.
double new_total(AllocatorCluster& cluster) {
  const Resources extra = Resources::scalars({{"cpus", 1000}});
  return mean_ns(40, [&](int i) {
    const uint32_t agent = static_cast<uint32_t>(i / 2) * 97 % cluster.agents();
    const Resources total = varied_total(agent % 12);
    const bool more = i % 2 == 0;
    cluster.allocator().update_agent({.index = agent, .generation = 1},
                                     {.total = more ? total + extra : total, .hostname = "host"});
    cluster.run_round();
    for (const Grant& grant : cluster.grants()) cluster.give_back(grant);
    cluster.grants().clear();
  });
}

// Nothing is free: nobody has to look at an agent.
double reviving(AllocatorCluster& cluster) {
  return mean_ns(200, [&](int i) {
    const FrameworkHandle framework = {
        .index = static_cast<uint32_t>(i) * 31 % cluster.frameworks(), .generation = 1};
    cluster.allocator().suppress(framework, {});
    cluster.allocator().revive(framework, {});
    cluster.run_round();
  });
}

double new_weight(AllocatorCluster& cluster) {
  return mean_ns(200, [&](int i) {
    const auto framework = static_cast<uint32_t>(i % 100);
    cluster.allocator().set_weight(department_role(framework), 1500 + 500 * (i / 100));
    cluster.run_round();
  });
}

// Leaves and comes again, with everything it held.
double replaced_agent(AllocatorCluster& cluster) {
  return mean_ns(40, [&](int i) {
    const AgentHandle agent = {.index = static_cast<uint32_t>(i) * 89 % cluster.agents(),
                               .generation = 1};
    cluster.allocator().remove_agent(agent);
    cluster.allocator().add_agent(agent,
                                  {.total = varied_total(agent.index % 12), .hostname = "host"});
    cluster.run_round();
  });
}

std::vector<Change> changes() {
  return {
      {"full", "each agent of a full round", full_round},
      {"nothing", "a round in which nothing changed", nothing},
      {"one_changed", "an agent comes back and is granted", coming_back},
      {"revive", "a framework suppresses, revives", reviving},
      {"weight", "a role's weight changes", new_weight},
      {"new_total", "an agent's total changes", new_total},
      {"replaced_agent", "an agent leaves and comes again", replaced_agent},
  };
}

void write(const LogPlot& plot) {
  const std::filesystem::path folder = std::filesystem::path(TEPUI_SOURCE_ROOT) / "perf" / "out";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::ofstream(folder / "allocator_growth.svg") << plot.svg();
}

}  // namespace

void measure_growth(Report& report) {
  const Metric metric = {.unit = "ns/change", .better = Better::kLower};
  LogPlot plot = {.title = "Cost of one change in the allocator; level: linear in what changed",
                  .x_name = "agents (a framework for each ten)",
                  .y_name = "nanoseconds for each change",
                  .lines = {}};
  const std::vector<Change> kinds = changes();
  for (const Change& change : kinds) plot.lines.push_back({.name = change.meaning, .points = {}});
  for (const uint32_t agents : {1000U, 2000U, 5000U, 10000U, 20000U, 50000U}) {
    const ClusterSize size = {.agents = agents, .frameworks = agents / 10};
    const auto cluster = AllocatorCluster::departments(size);
    for (size_t i = 0; i < kinds.size(); ++i) {
      const auto p50 =
          report.measure(metric,
                         {.name = "allocator/growth/" + kinds[i].name + "/" + size.text(),
                          .measure = [&] { return kinds[i].cost_ns(*cluster); }},
                         5);
      plot.lines[i].points.emplace_back(agents, std::max(p50.p50, 1.0));
    }
  }
  write(plot);
}

}  // namespace tepui::perf
