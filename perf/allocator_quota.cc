#include "perf/allocator_quota.h"

#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "common/quota.h"
#include "perf/allocator_cluster.h"

namespace tepui::perf {

namespace {

constexpr Metric kMillis = {.unit = "ms", .better = Better::kLower};

// An agent has two of these.
Resources units(int64_t count) {
  return Resources::scalars(
      {{"cpus", count * 1000}, {"mem", count * 1'024'000}, {"disk", count * 1'024'000}});
}

// Guarantee and limit at once, as quotas were before they were told apart.
Quota quota_of(int64_t count) {
  Quota quota = {.guarantees = units(count).quantities(), .limits_milli = {}};
  for (const Quantities::Item& item : quota.guarantees.items()) {
    quota.limits_milli.emplace(item.name, item.milli);
  }
  return quota;
}

void add_agents(AllocatorCluster& cluster, uint32_t agents) {
  const Resources total = units(2);
  for (uint32_t i = 0; i < agents; ++i) cluster.add_agent(total);
}

// ---------------------------------------------------------------- large and small quota

// A framework a role. The small ones are promised half an agent, the large ones two agents.
void add_roles(AllocatorCluster& cluster, uint32_t small, uint32_t large) {
  for (uint32_t i = 0; i < small + large; ++i) {
    const bool is_small = i < small;
    const std::string role = fmt::format("{}{}", is_small ? "small" : "large", i);
    cluster.allocator().set_quota(role, quota_of(is_small ? 1 : 4));
    cluster.add_framework(role);
  }
}

void large_and_small(Report& report, uint32_t small, uint32_t large) {
  const std::string name = fmt::format("allocator/large_small_quota/{}", small + large);
  report.measure(kMillis,
                 {.name = name + "/add",
                  .measure =
                      [&] {
                        AllocatorCluster cluster(usual_options());
                        add_agents(cluster, small / 5 + large * 5);
                        const double start = spent_us();
                        add_roles(cluster, small, large);
                        return (spent_us() - start) / 1e3;
                      }},
                 5);
  AllocatorCluster cluster(usual_options());
  add_agents(cluster, small / 5 + large * 5);
  add_roles(cluster, small, large);
  report.measure(
      kMillis, {.name = name + "/first", .measure = [&] { return cluster.full_round() / 1e3; }}, 5);
  report.measure({.unit = "us", .better = Better::kLower},
                 {.name = name + "/idle", .measure = [&] { return cluster.idle_round(); }}, 5);
}

// ---------------------------------------------------------------- with and without quota

// Two agents and two frameworks a role.
std::unique_ptr<AllocatorCluster> pairs(uint32_t roles, bool with_quota) {
  auto cluster = std::make_unique<AllocatorCluster>(usual_options());
  add_agents(*cluster, roles * 2);
  for (uint32_t i = 0; i < roles; ++i) {
    const std::string role = fmt::format("role{}", i);
    if (with_quota) cluster->allocator().set_quota(role, quota_of(4));
    cluster->add_framework(role);
    cluster->add_framework(role);
  }
  return cluster;
}

void non_quota_vs_quota(Report& report, uint32_t roles) {
  const std::string name = fmt::format("allocator/non_quota_vs_quota/{}", roles);
  const auto with = pairs(roles, true);
  const auto without = pairs(roles, false);
  report.compare(kMillis,
                 {.name = name + "/quota", .measure = [&] { return with->full_round() / 1e3; }},
                 {.name = "no quota", .measure = [&] { return without->full_round() / 1e3; }}, 11);
  report.measure({.unit = "us", .better = Better::kLower},
                 {.name = name + "/idle", .measure = [&] { return with->idle_round(); }}, 5);
}

}  // namespace

void measure_quota(Report& report) {
  large_and_small(report, 25, 5);
  large_and_small(report, 250, 50);
  large_and_small(report, 2500, 500);
  for (const uint32_t roles : {10U, 100U, 1000U}) non_quota_vs_quota(report, roles);
}

}  // namespace tepui::perf
