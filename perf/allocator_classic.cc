#include "perf/allocator_classic.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "perf/allocator_cluster.h"

namespace tepui::perf {

namespace {

constexpr Metric kMillis = {.unit = "ms", .better = Better::kLower};

enum class Roles : uint8_t { kOwn, kOne };

struct Scenario {
  ClusterSize size;
  Roles roles = Roles::kOwn;

  std::string role(uint32_t framework) const {
    return roles == Roles::kOwn ? fmt::format("role{}", framework) : "everyone";
  }
  std::string name(const std::string& workload) const {
    return fmt::format("allocator/{}/{}/{}", workload, size.text(),
                       roles == Roles::kOwn ? "own_roles" : "one_role");
  }
};

Resources classic_total() {
  return Resources::parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]").value();
}

std::unique_ptr<AllocatorCluster> frameworks_only(const Scenario& scenario) {
  auto cluster = std::make_unique<AllocatorCluster>();
  for (uint32_t i = 0; i < scenario.size.frameworks; ++i) cluster->add_framework(scenario.role(i));
  return cluster;
}

std::unique_ptr<AllocatorCluster> classic(const Scenario& scenario) {
  auto cluster = frameworks_only(scenario);
  const Resources total = classic_total();
  for (uint32_t i = 0; i < scenario.size.agents; ++i) cluster->add_agent(total);
  return cluster;
}

FrameworkHandle framework_at(uint32_t index) { return {.index = index, .generation = 1}; }

void add_once(Report& report, const std::string& name, const Metric& metric,
              std::vector<double> values) {
  report.add({.name = name,
              .unit = metric.unit,
              .better = metric.better,
              .sample = sample_of(std::move(values)),
              .against = std::nullopt});
}

// ---------------------------------------------------------------- agents that come and change

// Does something to each agent, with a round whenever the least gap between two rounds (5 ms) has
// been spent, as a busy master has it, and one at the end. Milliseconds.
template <class Change>
double with_rounds(AllocatorCluster& cluster, uint32_t agents, const Change& change) {
  constexpr uint32_t kLook = 16;  // how often to look at the clock
  constexpr double kGapUs = 5000;
  const double start = spent_us();
  double last_round = start;
  for (uint32_t i = 0; i < agents; ++i) {
    change(i);
    if (i % kLook != 0 || spent_us() - last_round < kGapUs) continue;
    cluster.run_round();
    last_round = spent_us();
  }
  cluster.run_round();
  return (spent_us() - start) / 1e3;
}

void add_and_update(Report& report, const Scenario& scenario) {
  const Resources total = classic_total();
  const Resources more = total + Resources::scalars({{"cpus", 1000}});
  std::vector<double> adding;
  std::vector<double> updating;
  for (int i = 0; i < (scenario.size.agents > 10000 ? 1 : 3); ++i) {
    const auto cluster = frameworks_only(scenario);
    adding.push_back(
        with_rounds(*cluster, scenario.size.agents, [&](uint32_t) { cluster->add_agent(total); }));
    updating.push_back(with_rounds(*cluster, scenario.size.agents, [&](uint32_t agent) {
      cluster->allocator().update_agent({.index = agent, .generation = 1},
                                        {.total = more, .hostname = "host"});
    }));
  }
  add_once(report, scenario.name("add_and_update") + "/add", kMillis, std::move(adding));
  add_once(report, scenario.name("add_and_update") + "/update", kMillis, std::move(updating));
}

// ---------------------------------------------------------------- declining

// Until nothing is offered any more because all was declined, or for so many rounds.
void decline_offers(Report& report, const Scenario& scenario) {
  constexpr uint64_t kFiltersMax = 1'000'000;  // a few hundred bytes each
  const auto cluster = classic(scenario);
  std::vector<double> rounds;
  std::vector<double> declines;
  uint64_t filters = 0;
  while (filters + scenario.size.agents <= kFiltersMax) {
    const double us = cluster->round();
    if (cluster->grants().empty()) break;
    rounds.push_back(us / 1e3);
    const double start = spent_us();
    for (const Grant& grant : cluster->grants()) {
      cluster->allocator().recover(cluster->now, grant.framework, grant.agent, grant.role,
                                   grant.resources, std::chrono::hours(24));
    }
    filters += cluster->grants().size();
    declines.push_back((spent_us() - start) / static_cast<double>(cluster->grants().size()));
    cluster->grants().clear();
  }
  const std::string name = scenario.name("decline_offers");
  add_once(report, name, kMillis, std::move(rounds));
  add_once(report, name + "/decline", {.unit = "us", .better = Better::kLower},
           std::move(declines));
  const uint64_t pairs = uint64_t{scenario.size.agents} * scenario.size.frameworks;
  if (filters < pairs) return;
  // All is refused. What the timer asks for then; and a round that has to look at every agent
  // again, because a framework could use more than before.
  report.measure(
      {.unit = "us", .better = Better::kLower},
      {.name = name + "/nothing_offered", .measure = [&] { return cluster->idle_round(); }}, 7);
  bool aware = false;
  report.measure(kMillis,
                 {.name = name + "/all_looked_at",
                  .measure =
                      [&] {
                        aware = !aware;
                        const FrameworkHandle framework = framework_at(0);
                        FrameworkShape shape = {.roles = {scenario.role(0)}};
                        cluster->allocator().update_framework(framework, shape);
                        shape.region_aware = true;
                        cluster->allocator().update_framework(framework, shape);
                        return cluster->round() / 1e3;
                      }},
                 5);
}

// ---------------------------------------------------------------- suppressing and reviving

// From request to list, and the calls that led to it.
double suppress_and_round(AllocatorCluster& cluster, uint32_t first, uint32_t last) {
  const double start = spent_us();
  for (uint32_t i = first; i < last; ++i) cluster.allocator().suppress(framework_at(i), {});
  cluster.run_round();
  return (spent_us() - start) / 1e3;
}

void revive_all(AllocatorCluster& cluster) {
  for (uint32_t i = 0; i < cluster.frameworks(); ++i) {
    cluster.allocator().revive(framework_at(i), {});
  }
}

// A fifth of the frameworks more before each of five rounds, in which the rest gets everything;
// after the last nobody is left to offer to. The mean of the five.
double suppress_in_steps(AllocatorCluster& cluster) {
  constexpr uint32_t kSteps = 5;
  double sum = 0;
  for (uint32_t step = 0; step < kSteps; ++step) {
    cluster.give_all_back();
    sum += suppress_and_round(cluster, cluster.frameworks() * step / kSteps,
                              cluster.frameworks() * (step + 1) / kSteps);
  }
  revive_all(cluster);
  return sum / kSteps;
}

// All but one of a hundred.
double suppress_nearly_all(AllocatorCluster& cluster) {
  cluster.give_all_back();
  const uint32_t left = std::max(1U, cluster.frameworks() / 100);
  const double ms = suppress_and_round(cluster, left, cluster.frameworks());
  revive_all(cluster);
  return ms;
}

void suppressing(Report& report, const Scenario& scenario) {
  const auto cluster = classic(scenario);
  const uint32_t rounds = scenario.size.agents > 10000 ? 5 : 9;
  report.measure(kMillis,
                 {.name = scenario.name("suppress_offers"),
                  .measure = [&] { return suppress_in_steps(*cluster); }},
                 rounds);
  report.measure(kMillis,
                 {.name = scenario.name("extreme_suppress"),
                  .measure = [&] { return suppress_nearly_all(*cluster); }},
                 rounds);
}

// Everyone had suppressed, everything is free, and now all revive at once.
void backlog(Report& report, const Scenario& scenario) {
  const auto cluster = classic(scenario);
  const auto revive_at_once = [&] {
    for (uint32_t i = 0; i < scenario.size.frameworks; ++i) {
      cluster->allocator().suppress(framework_at(i), {});
    }
    cluster->give_all_back();
    cluster->run_round();
    const double start = spent_us();
    revive_all(*cluster);
    cluster->run_round();
    return (spent_us() - start) / 1e3;
  };
  report.measure(kMillis, {.name = scenario.name("backlog"), .measure = revive_at_once},
                 scenario.size.agents > 10000 ? 5 : 9);
}

// ---------------------------------------------------------------- reservations and volumes

Resource scalar(ResourceKind kind, int64_t milli) {
  return {.kind = make_kind(std::move(kind)), .amount = milli, .shares = 1};
}

Reservation dynamic(const std::string& role, Labels labels) {
  return {.type = Reservation::Type::kDynamic,
          .role = role,
          .principal = "operator",
          .labels = std::move(labels)};
}

// Two reservations for frameworks of their own, whose labels no other agent has.
Resources labelled_total(const Scenario& scenario, uint32_t agent) {
  std::vector<Resource> items;
  for (uint32_t i = 0; i < 2; ++i) {
    const uint32_t framework = (agent * (1 + 6 * i) + i) % scenario.size.frameworks;
    const Labels labels = {{.key = "id", .value = fmt::format("{}-{}", agent, i)}};
    items.push_back(scalar(
        {.name = "cpus", .reservations = {dynamic(scenario.role(framework), labels)}}, 1000));
  }
  return classic_total() + Resources::create(std::move(items)).value();
}

// Four volumes for one framework.
Resources volumes_total(const Scenario& scenario, uint32_t agent) {
  std::vector<Resource> items;
  for (uint32_t i = 0; i < 4; ++i) {
    const Disk disk = {.persistence_id = fmt::format("volume-{}", i),
                       .principal = "operator",
                       .container_path = "data"};
    const std::string role = scenario.role(agent % scenario.size.frameworks);
    items.push_back(
        scalar({.name = "disk", .reservations = {dynamic(role, {})}, .disk = disk}, 256'000));
  }
  return classic_total() + Resources::create(std::move(items)).value();
}

void reserved(Report& report, const Scenario& scenario, const std::string& name,
              Resources (*total_of)(const Scenario&, uint32_t)) {
  const auto cluster = frameworks_only(scenario);
  for (uint32_t i = 0; i < scenario.size.agents; ++i) cluster->add_agent(total_of(scenario, i));
  report.measure(
      kMillis,
      {.name = scenario.name(name), .measure = [&] { return cluster->full_round() / 1e3; }},
      scenario.size.agents > 1000 ? 3 : 7);
}

// ---------------------------------------------------------------- the grid

std::vector<ClusterSize> sizes(Extent extent) {
  if (extent == Extent::kSome) return {{1000, 50}, {5000, 200}, {10000, 1000}};
  std::vector<ClusterSize> all;
  for (const uint32_t agents : {1000U, 5000U, 10000U, 50000U}) {
    for (const uint32_t frameworks : {50U, 200U, 1000U, 6000U}) all.push_back({agents, frameworks});
  }
  return all;
}

}  // namespace

void measure_classic(Report& report, Extent extent) {
  for (const ClusterSize size : sizes(extent)) {
    for (const Roles roles : {Roles::kOwn, Roles::kOne}) {
      const Scenario scenario = {.size = size, .roles = roles};
      add_and_update(report, scenario);
      decline_offers(report, scenario);
      suppressing(report, scenario);
      reserved(report, scenario, "resource_labels", labelled_total);
      reserved(report, scenario, "persistent_volumes", volumes_total);
      backlog(report, scenario);
    }
  }
}

}  // namespace tepui::perf
