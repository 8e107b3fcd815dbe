#pragma once
// What the tests of the allocator share: names for agents and frameworks, a round as a list of
// texts, a clock that stops at every deadline. The books are audited after every round and every
// test.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "master/allocator/drf_allocator.h"

namespace tepui {

class AllocatorTest : public testing::Test {
 protected:
  struct Given {
    std::string framework;
    std::string role;
    std::string agent;
    std::string resources;
    bool operator==(const Given&) const = default;
    friend void PrintTo(const Given& given, std::ostream* out) {
      *out << given.framework << " in " << given.role << " on " << given.agent << ": "
           << given.resources;
    }
  };
  using Round = std::vector<Given>;

  void TearDown() override { audit(); }

  void start(AllocatorOptions options) {
    allocator_ = std::make_unique<DrfAllocator>(std::move(options), 42);
  }

  void agent(const std::string& name, const Resources& total, const std::string& region = "") {
    agents_[name] = {.index = static_cast<uint32_t>(agents_.size()), .generation = 1};
    allocator_->add_agent(agents_[name], {.total = total, .hostname = name, .region = region});
  }
  void agent(const std::string& name, std::string_view total, const std::string& region = "") {
    agent(name, Resources::parse(total).value(), region);
  }
  void total(const std::string& name, const Resources& total) {
    allocator_->update_agent(agents_[name], {.total = total, .hostname = name});
  }
  void total(const std::string& name, std::string_view text) {
    total(name, Resources::parse(text).value());
  }
  void framework(const std::string& name, FrameworkShape shape) {
    frameworks_[name] = {.index = static_cast<uint32_t>(frameworks_.size()), .generation = 1};
    allocator_->add_framework(frameworks_[name], std::move(shape));
  }
  void framework(const std::string& name, const char* role) {
    framework(name, FrameworkShape{.roles = {role}});
  }

  // Texts like `cpus:2;mem:512`; an empty one says nothing.
  void set_quota(const std::string& role, std::string_view guarantees, std::string_view limits) {
    Quota quota;
    if (!guarantees.empty()) quota.guarantees = Resources::parse(guarantees).value().quantities();
    if (!limits.empty()) {
      const Resources parsed = Resources::parse(limits).value();
      for (const Resource& item : parsed.items()) {
        quota.limits_milli[std::string(item.name())] = item.scalar_milli();
      }
    }
    allocator_->set_quota(role, quota);
  }
  // How much of a name the role was given in these grants, with what is below it.
  static int64_t given_milli(const Round& given, std::string_view role, std::string_view name) {
    int64_t sum = 0;
    for (const Given& one : given) {
      if (one.role != role && !one.role.starts_with(std::string(role) + "/")) continue;
      sum += Resources::parse(one.resources).value().total_milli(name);
    }
    return sum;
  }

  Round round() {
    std::vector<Grant> grants;
    while (allocator_->step(now_, 1, grants) == Allocator::Step::kMore) {
    }
    last_.clear();
    Round given;
    for (const Grant& grant : grants) {
      given.push_back({.framework = name_of(frameworks_, grant.framework),
                       .role = std::string(grant.role),
                       .agent = name_of(agents_, grant.agent),
                       .resources = to_text(grant.resources)});
      last_.push_back(grant);
    }
    audit();
    return given;
  }
  // As the timer of Mesos' allocation interval does it.
  Round timer_round() {
    allocator_->request_full_round();
    return allocator_->wants_round() ? round() : Round{};
  }

  void recover(const Given& given, std::optional<Duration> refuse = {}) {
    recover(given, Resources::parse(given.resources).value(), refuse);
  }
  void recover(const Given& given, const Resources& resources,
               std::optional<Duration> refuse = {}) {
    allocator_->recover(now_, frameworks_[given.framework], agents_[given.agent], given.role,
                        resources, refuse);
  }
  // Time goes on to the next thing that the allocator waits for.
  void pass(Duration time) {
    const Instant end = now_.mono + time;
    while (allocator_->next_deadline() <= end) {
      now_.mono = std::max(now_.mono, allocator_->next_deadline());
      allocator_->on_time(now_);
    }
    now_.mono = end;
    allocator_->on_time(now_);
  }
  int64_t share_ppm(std::string_view role) {
    for (const RoleShare& share : allocator_->shares()) {
      if (share.role == role) return share.dominant_share_ppm;
    }
    return -1;
  }
  void audit() {
    const auto sound = allocator_->audit();
    ASSERT_TRUE(sound.has_value()) << sound.error().message;
  }

  template <class Handle>
  static std::string name_of(const std::map<std::string, Handle>& names, Handle handle) {
    for (const auto& [name, known] : names) {
      if (known == handle) return name;
    }
    return "unknown";
  }

  std::unique_ptr<Allocator> allocator_ = std::make_unique<DrfAllocator>(AllocatorOptions{}, 42);
  std::map<std::string, AgentHandle> agents_;
  std::map<std::string, FrameworkHandle> frameworks_;
  std::vector<Grant> last_;
  Now now_{};
};

inline Resource reserved(std::string name, int64_t milli, std::vector<std::string> roles) {
  ResourceKind kind{.name = std::move(name)};
  for (std::string& role : roles) {
    kind.reservations.push_back(
        {.type = Reservation::Type::kDynamic, .role = std::move(role), .principal = {}});
  }
  return {.kind = make_kind(std::move(kind)), .amount = milli};
}

inline Resources with_revocable(std::string_view plain, int64_t revocable_cpus_milli) {
  Resources resources = Resources::parse(plain).value();
  const Resource revocable = {.kind = make_kind({.name = "cpus", .revocable = true}),
                              .amount = revocable_cpus_milli};
  return resources + Resources::create({revocable}).value();
}

}  // namespace tepui
