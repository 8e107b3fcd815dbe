#pragma once
// HierarchicalAllocator is the suite of the named behaviour cases: what Mesos' hierarchical
// allocator is known to do, case by case under the same names, demanded of ours through its
// interface. run() is a round for what happened, tick() one of the timer after its interval.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/master/allocator_fixture.h"

namespace tepui {

using namespace std::chrono_literals;

// What one framework got on one agent under one role.
struct Got {
  std::string framework;
  std::string role;
  std::string agent;
  Resources resources;
  bool operator==(const Got&) const = default;
  friend void PrintTo(const Got& got, std::ostream* out) {
    *out << got.framework << " in " << got.role << " on " << got.agent << ": "
         << to_text(got.resources);
  }
};
using Gots = std::vector<Got>;  // by framework, role, agent

inline Resources operator""_r(const char* text, size_t size) {
  return Resources::parse({text, size}).value();
}

inline Resources reserve(const Resources& what, const std::string& role,
                         Reservation::Type type = Reservation::Type::kDynamic) {
  std::vector<Resource> items;
  for (Resource item : what.items()) {
    ResourceKind kind = *item.kind;
    kind.reservations.push_back({.type = type, .role = role, .principal = {}, .labels = {}});
    item.kind = make_kind(std::move(kind));
    items.push_back(std::move(item));
  }
  return Resources::create(std::move(items)).value();
}

inline Resources revocable_cpus(int64_t cpus) {
  return Resources::create(
             {{.kind = make_kind({.name = "cpus", .revocable = true}), .amount = cpus * 1000}})
      .value();
}

enum class Sharing : uint8_t { kRegular, kShared };

// `on` is the disk space, reserved as the volume shall be; `holders` of a shared one.
inline Resources volume(const Resources& on, const std::string& id, Sharing sharing,
                        uint32_t holders = 1) {
  Resource item = on.items()[0];
  ResourceKind kind = *item.kind;
  kind.disk = Disk{.persistence_id = id, .principal = {}, .container_path = "data"};
  kind.shared = sharing == Sharing::kShared;
  item.kind = make_kind(std::move(kind));
  item.shares = holders;
  return Resources::create({std::move(item)}).value();
}

inline Resources mount_disk(int64_t megabytes, const std::string& root) {
  const Disk disk{
      .source = Disk::Source::kMount, .source_root = root, .persistence_id = {}, .principal = {}};
  return Resources::create(
             {{.kind = make_kind({.name = "disk", .disk = disk}), .amount = megabytes * 1000}})
      .value();
}

class HierarchicalAllocator : public AllocatorTest {
 protected:
  static constexpr Duration kInterval = 1s;
  static constexpr Duration kDay = 24h;

  HierarchicalAllocator() { begin({}); }

  void begin(AllocatorOptions options) {
    if (options.min_allocatable.empty()) {
      options.min_allocatable = {"cpus:0.01"_r.quantities(), "mem:32"_r.quantities()};
    }
    start(std::move(options));
  }

  // With what frameworks hold there already.
  void agent_with(const std::string& name, const Resources& total, const Gots& used) {
    agent(name, total);
    for (const Got& got : used) hold(got.framework, got.role, name, got.resources);
  }
  void hold(const std::string& framework, const std::string& role, const std::string& agent,
            const Resources& what) {
    allocator_->allocate(frameworks_.at(framework), agents_.at(agent), role, what);
  }

  void guarantee(const std::string& role, const Resources& guarantees,
                 std::map<std::string, int64_t> limits_milli) {
    allocator_->set_quota(
        role, {.guarantees = guarantees.quantities(), .limits_milli = std::move(limits_milli)});
  }
  // Guaranteed, and no more.
  void quota(const std::string& role, const Resources& both) {
    std::map<std::string, int64_t> limits;
    const Quantities quantities = both.quantities();
    for (const Quantities::Item& item : quantities.items()) limits[item.name] = item.milli;
    guarantee(role, both, std::move(limits));
  }
  void no_quota(const std::string& role) { allocator_->set_quota(role, {}); }

  Gots run() {
    last_.clear();
    round();
    return last_gots();
  }
  Gots tick() {
    last_.clear();
    pass(kInterval);
    timer_round();
    return last_gots();
  }

  void give_back(const Got& got, std::optional<Duration> refuse = {}) {
    give_back(got.framework, got.role, got.agent, got.resources, refuse);
  }
  void give_back(const Gots& gots, std::optional<Duration> refuse = {}) {
    for (const Got& got : gots) give_back(got, refuse);
  }
  void give_back(const std::string& framework, const std::string& role, const std::string& agent,
                 const Resources& what, std::optional<Duration> refuse = {}) {
    allocator_->recover(now_, frameworks_.at(framework), agents_.at(agent), role, what, refuse);
  }
  Result<void> convert(const Got& got, const Resources& from, const Resources& to) {
    return allocator_->convert_allocated(frameworks_.at(got.framework), agents_.at(got.agent),
                                         got.role, from, to);
  }

  // On how many agents a filter keeps the framework from an offer.
  uint32_t refusing(const std::string& framework, const std::string& role) const {
    return allocator_->explain(frameworks_.at(framework), role).count(OfferCause::kRefused);
  }

  void suppress(const std::string& framework, std::vector<std::string> roles = {}) {
    allocator_->suppress(frameworks_.at(framework), roles);
  }
  void revive(const std::string& framework, std::vector<std::string> roles = {}) {
    allocator_->revive(frameworks_.at(framework), roles);
  }
  void set_active(const std::string& framework, bool active) {
    allocator_->set_framework_active(frameworks_.at(framework), active);
  }
  void remove_agent(const std::string& name) { allocator_->remove_agent(agents_.at(name)); }

 private:
  Gots last_gots() const {
    Gots gots;
    for (const Grant& grant : last_) {
      gots.push_back({.framework = name_of(frameworks_, grant.framework),
                      .role = std::string(grant.role),
                      .agent = name_of(agents_, grant.agent),
                      .resources = grant.resources});
    }
    std::sort(gots.begin(), gots.end(), [](const Got& a, const Got& b) {
      return std::tie(a.framework, a.role, a.agent) < std::tie(b.framework, b.role, b.agent);
    });
    return gots;
  }
};

inline const Gots kNothing;

// For cases that must not depend on how something was reserved.
class WithReservations : public HierarchicalAllocator,
                         public testing::WithParamInterface<Reservation::Type> {
 protected:
  Resources reserved_to(const std::string& role, const Resources& what) const {
    return reserve(what, role, GetParam());
  }
};

}  // namespace tepui
