#include "perf/allocator_growth.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/quota.h"
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

// ---------------------------------------------------------------- where it is not linear

std::string own_role(uint32_t framework) { return fmt::format("role{}", framework); }

std::unique_ptr<AllocatorCluster> own_roles(ClusterSize size) {
  auto cluster = std::make_unique<AllocatorCluster>(usual_options());
  for (uint32_t i = 0; i < size.frameworks; ++i) cluster->add_framework(own_role(i));
  return cluster;
}

// All roles are siblings: each new total sorts all of them anew.
double new_total_among_siblings(ClusterSize size) {
  const auto cluster = own_roles(size);
  cluster->add_varied_agents(size.agents);
  cluster->run_round();
  cluster->grants().clear();
  return new_total(*cluster);
}

// What is left of an agent is reserved to two roles: the walk goes on until it finds them.
double labelled_round(ClusterSize size) {
  const auto cluster = own_roles(size);
  for (uint32_t i = 0; i < size.agents; ++i) {
    cluster->add_agent(
        labelled_total(i, own_role(i % size.frameworks), own_role((i * 7 + 1) % size.frameworks)));
  }
  return cluster->round() * 1e3 / size.agents;
}

// Every role is guaranteed a tenth of what there is for it, and limited to half of it.
double round_with_quota(ClusterSize size) {
  const auto cluster = own_roles(size);
  const Resources total = classic_total();
  for (uint32_t i = 0; i < size.agents; ++i) cluster->add_agent(total);
  for (uint32_t i = 0; i < size.frameworks; ++i) {
    const Quota quota = {.guarantees = total.quantities(),
                         .limits_milli = {{"cpus", 5 * total.total_milli("cpus")},
                                          {"mem", 5 * total.total_milli("mem")},
                                          {"disk", 5 * total.total_milli("disk")}}};
    cluster->allocator().set_quota(own_role(i), quota);
  }
  return cluster->round() * 1e3 / size.agents;
}

struct Whole {
  std::string name;
  std::string meaning;
  uint32_t agents_max;  // beyond that it takes too long to wait for
  double (*cost_ns)(ClusterSize);
};

std::vector<Whole> wholes() {
  return {
      {"new_total_among_siblings", "a total changes, a role a framework", 50000,
       new_total_among_siblings},
      {"labels", "each agent with labelled reservations", 20000, labelled_round},
      {"quota", "each agent, all roles with quota", 20000, round_with_quota},
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
  const std::vector<Whole> others = wholes();
  for (const Whole& whole : others) plot.lines.push_back({.name = whole.meaning, .points = {}});
  for (const uint32_t agents : {1000U, 2000U, 5000U, 10000U, 20000U, 50000U}) {
    const ClusterSize size = {.agents = agents, .frameworks = agents / 10};
    const auto cluster = AllocatorCluster::departments(size);
    const auto add = [&](PlotLine& line, const std::string& name, const Measurement& measure,
                         uint32_t rounds) {
      const Subject subject = {.name = "allocator/growth/" + name + "/" + size.text(),
                               .measure = measure};
      const Sample sample = report.measure(metric, subject, rounds);
      line.points.emplace_back(agents, std::max(sample.p50, 1.0));
    };
    for (size_t i = 0; i < kinds.size(); ++i) {
      add(plot.lines[i], kinds[i].name, [&] { return kinds[i].cost_ns(*cluster); }, 5);
    }
    for (size_t i = 0; i < others.size(); ++i) {
      if (agents > others[i].agents_max) continue;
      add(plot.lines[kinds.size() + i], others[i].name, [&] { return others[i].cost_ns(size); }, 1);
    }
  }
  write(plot);
}

}  // namespace tepui::perf
