#include "perf/allocator_cluster.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "common/check.h"
#include "master/allocator/drf_allocator.h"
#include "master/allocator/unused_returns.h"

namespace tepui::perf {

double spent_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

std::string ClusterSize::text() const { return fmt::format("{}x{}", agents, frameworks); }

std::string department_role(uint32_t framework) {
  const uint32_t i = framework % 100;
  return fmt::format("dept{}/team{}", i % 10, i / 10);
}
int64_t department_weight(uint32_t department) { return 1000 + 500 * (department % 4); }
int64_t team_weight(uint32_t team) { return 1000 + 1000 * (team % 3); }

Resources varied_total(uint32_t agent) {
  const std::string text = fmt::format("cpus:{};mem:{}GB;disk:1TB;ports:[31000-32000]",
                                       16 << agent % 4, 64 << agent % 3);
  return Resources::parse(text).value();
}

AllocatorOptions usual_options() {
  Quantities some_cpus;
  some_cpus.add("cpus", 10);
  Quantities some_mem;
  some_mem.add("mem", 32'000);
  return {.min_allocatable = {some_cpus, some_mem}, .unused_returns_max = UnusedReturns::kUsualMax};
}

Resources classic_total() {
  return Resources::parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]").value();
}

Resource dynamically_reserved(ResourceKind kind, int64_t milli, const std::string& role,
                              Labels labels) {
  kind.reservations = {{.type = Reservation::Type::kDynamic,
                        .role = role,
                        .principal = "operator",
                        .labels = std::move(labels)}};
  return {.kind = make_kind(std::move(kind)), .amount = milli, .shares = 1};
}

Resources labelled_total(uint32_t agent, const std::string& first, const std::string& second) {
  std::vector<Resource> items;
  for (const std::string& role : {first, second}) {
    const Label label = {.key = "id", .value = fmt::format("{}-{}", agent, items.size())};
    items.push_back(dynamically_reserved({.name = "cpus"}, 1000, role, {label}));
  }
  return classic_total() + Resources::create(std::move(items)).value();
}

AllocatorCluster::AllocatorCluster(AllocatorOptions options)
    : allocator_(std::make_unique<DrfAllocator>(std::move(options), 7)) {}

std::unique_ptr<AllocatorCluster> AllocatorCluster::departments(ClusterSize size) {
  auto cluster = std::make_unique<AllocatorCluster>();
  cluster->add_departments(size.frameworks);
  cluster->add_varied_agents(size.agents);
  return cluster;
}

FrameworkHandle AllocatorCluster::add_framework(const std::string& role) {
  const FrameworkHandle handle = {.index = frameworks_++, .generation = 1};
  allocator_->add_framework(handle, {.roles = {role}});
  return handle;
}

void AllocatorCluster::add_departments(uint32_t frameworks) {
  for (uint32_t i = 0; i < 100; ++i) {
    allocator_->set_weight(department_role(i), team_weight(i));
    if (i < 10) allocator_->set_weight(fmt::format("dept{}", i), department_weight(i));
  }
  for (uint32_t i = 0; i < frameworks; ++i) add_framework(department_role(i));
}

AgentHandle AllocatorCluster::add_agent(Resources total) {
  const AgentHandle handle = {.index = agents_++, .generation = 1};
  allocator_->add_agent(handle, {.total = std::move(total), .hostname = "host"});
  return handle;
}

void AllocatorCluster::add_varied_agents(uint32_t agents) {
  std::array<Resources, 12> totals;
  for (uint32_t i = 0; i < totals.size(); ++i) totals[i] = varied_total(i);
  grants_.reserve(grants_.size() + agents);
  for (uint32_t i = 0; i < agents; ++i) add_agent(totals[agents_ % totals.size()]);
}

void AllocatorCluster::run_round() {
  allocator_->request_full_round();
  while (allocator_->step(now, UINT32_MAX, grants_) == Allocator::Step::kMore) {
  }
}

double AllocatorCluster::round() {
  const double start = spent_us();
  run_round();
  return spent_us() - start;
}

void AllocatorCluster::give_back(const Grant& grant) {
  allocator_->recover(now, grant.framework, grant.agent, grant.role, grant.resources, {});
}

void AllocatorCluster::give_all_back() {
  for (const Grant& grant : held_) give_back(grant);
  held_.clear();
  for (const Grant& grant : grants_) give_back(grant);
  grants_.clear();
}

double AllocatorCluster::full_round() {
  give_all_back();
  return round();
}

void AllocatorCluster::hold_everything() {
  if (!held_.empty()) return;
  round();
  held_ = std::exchange(grants_, {});
}

double AllocatorCluster::idle_round() {
  hold_everything();
  constexpr int kRepeats = 1000;
  const double start = spent_us();
  for (int i = 0; i < kRepeats; ++i) run_round();
  return (spent_us() - start) / kRepeats;
}

double AllocatorCluster::one_changed_round() {
  hold_everything();
  constexpr int kRepeats = 100;
  const double start = spent_us();
  for (int i = 0; i < kRepeats; ++i) {
    Grant& grant = held_[next_++ * 7919 % held_.size()];
    give_back(grant);
    grants_.clear();
    run_round();
    CHECK(grants_.size() == 1);
    grant = std::move(grants_[0]);
  }
  grants_.clear();
  return (spent_us() - start) / kRepeats;
}

}  // namespace tepui::perf
