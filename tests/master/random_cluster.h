#pragma once
// What random clusters of the property test are made of: agents, frameworks and options in which
// everything happens often.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "master/allocator/allocator.h"

namespace tepui {

inline Resource item(std::string name, int64_t milli, std::vector<std::string> reserved_to = {}) {
  ResourceKind kind{.name = std::move(name)};
  for (std::string& role : reserved_to) {
    kind.reservations.push_back(
        {.type = Reservation::Type::kDynamic, .role = std::move(role), .principal = {}});
  }
  return {.kind = make_kind(std::move(kind)), .amount = milli};
}

inline Resource revocable_cpus(int64_t milli) {
  return {.kind = make_kind({.name = "cpus", .revocable = true}), .amount = milli};
}

inline Resource mount_disk(int64_t milli) {
  const Disk disk = {.source = Disk::Source::kMount, .source_root = "/mnt"};
  return {.kind = make_kind({.name = "disk", .disk = disk}), .amount = milli};
}

inline Resource shared_volume(std::string role) {
  ResourceKind kind{.name = "disk", .disk = Disk{.persistence_id = "v"}, .shared = true};
  if (!role.empty()) {
    kind.reservations.push_back(
        {.type = Reservation::Type::kDynamic, .role = std::move(role), .principal = {}});
  }
  return {.kind = make_kind(std::move(kind)), .amount = 3000};
}

// What agents are made of.
inline Resources agent_total(Rng& rng) {
  std::vector<Resource> items = {item("cpus", rng.between(1, 4) * 1000),
                                 item("mem", rng.between(1, 4) * 1000)};
  if (rng.chance(1, 3)) {
    items.push_back({.kind = plain_kind("ports"), .amount = Ranges{{.first = 1, .last = 9}}});
  }
  if (rng.chance(1, 6)) items.push_back(item("gpus", 1000));
  if (rng.chance(1, 6)) items.push_back(item("cpus", rng.between(1, 3) * 500, {"a"}));
  if (rng.chance(1, 6)) items.push_back(item("mem", rng.between(1, 3) * 500, {"a/x"}));
  if (rng.chance(1, 6)) items.push_back(item("disk", 2000, {"a", "a/x"}));
  if (rng.chance(1, 6)) items.push_back(revocable_cpus(rng.between(1, 4) * 1000));
  if (rng.chance(1, 6)) items.push_back(mount_disk(rng.between(1, 3) * 1000));
  if (rng.chance(1, 6)) items.push_back(item("disk", rng.between(1, 3) * 1000));
  if (rng.chance(1, 8)) items.push_back(shared_volume(""));
  if (rng.chance(1, 8)) items.push_back(shared_volume("b"));
  return Resources::create(std::move(items)).value();
}

inline const std::array<std::string, 8> kRoles = {"*", "a", "a/x", "a/x/p", "a/y", "b", "b/q", "c"};

inline std::vector<std::string> some_roles(Rng& rng, uint64_t one_in) {
  std::vector<std::string> roles;
  for (const std::string& role : kRoles) {
    if (rng.chance(1, one_in)) roles.push_back(role);
  }
  return roles;
}

// Agents of one host, or of one zone.
class OnlyHost final : public AgentFilter {
 public:
  explicit OnlyHost(std::string host) : host_(std::move(host)) {}
  bool allows(const AgentTraits& agent) const override {
    return agent.hostname == host_ || agent.zone == host_;
  }

 private:
  const std::string host_;
};

inline std::vector<Quantities> minimums(Rng& rng) {
  std::vector<Quantities> minimums(rng.below(3));
  for (Quantities& minimum : minimums) {
    minimum.add(rng.chance(1, 2) ? "cpus" : "mem", rng.between(1, 5) * 500);
  }
  return minimums;
}

inline FrameworkShape framework_shape(Rng& rng) {
  FrameworkShape shape{.roles = some_roles(rng, 4)};
  if (shape.roles.empty()) shape.roles = {kRoles[rng.below(kRoles.size())]};
  for (const std::string& role : shape.roles) {
    if (rng.chance(1, 6)) shape.suppressed.push_back(role);
  }
  shape.revocable_resources = rng.chance(1, 2);
  shape.gpu_resources = rng.chance(2, 3);
  shape.shared_resources = rng.chance(1, 2);
  shape.reservation_refinement = rng.chance(1, 2);
  shape.region_aware = rng.chance(1, 2);
  if (rng.chance(1, 4)) shape.min_allocatable[shape.roles[0]] = minimums(rng);
  if (rng.chance(1, 4)) {
    shape.constraints[shape.roles.back()] =
        std::make_shared<OnlyHost>(rng.chance(1, 2) ? "h1" : "z");
  }
  return shape;
}

inline AllocatorOptions options(Rng& rng) {
  AllocatorOptions options;
  if (rng.chance(1, 3)) {
    options.min_allocatable.resize(2);
    options.min_allocatable[0].add("cpus", 1500);
    options.min_allocatable[1].add("mem", 2000);
  }
  if (rng.chance(1, 3)) options.fairness_excluded = {"gpus"};
  if (rng.chance(1, 3)) options.region = "here";
  options.filter_gpu_resources = rng.chance(2, 3);
  if (rng.chance(1, 5)) options.role_sorter = SorterPolicy::kRandom;
  if (rng.chance(1, 5)) options.framework_sorter = SorterPolicy::kRandom;
  return options;
}

}  // namespace tepui
