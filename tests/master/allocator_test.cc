// Fair shares and rounds: the named behaviour cases of Apache Mesos' hierarchical allocator that
// need no quota, maintenance or operations, and what is our own.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

// ---------------------------------------------------------------- fair shares

TEST_F(AllocatorTest, UnreservedDRF) {
  agent("a1", "cpus:2;mem:1024");
  framework("f1", "role1");
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus:2; mem:1024"}}));

  // role1 has everything: the next two agents go to role2 until it has more than role1.
  framework("f2", "role2");
  agent("a2", "cpus:1;mem:512");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a2", "cpus:1; mem:512"}}));
  agent("a3", "cpus:3;mem:2048");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a3", "cpus:3; mem:2048"}}));

  // Inside role1, f3 has nothing yet.
  framework("f3", "role1");
  agent("a4", "cpus:4;mem:4096");
  EXPECT_EQ(round(), (Round{{"f3", "role1", "a4", "cpus:4; mem:4096"}}));

  // 4/10 of the cpus and 4.5/7.5 of the memory are role1's, 4/10 and 2.5/7.5 role2's.
  agent("a5", "cpus:1;mem:512");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a5", "cpus:1; mem:512"}}));
}

TEST_F(AllocatorTest, ReservedDRF) {
  agent("a1", "cpus:1;cpus(role1):100;mem:1024");
  framework("f1", "role1");
  EXPECT_EQ(round().size(), 1u);  // all of it: the reserved part counts in role1's share
  framework("f2", "role2");
  agent("a2", "cpus:2;mem:512");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a2", "cpus:2; mem:512"}}));
  agent("a3", "cpus:2;mem:512");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a3", "cpus:2; mem:512"}}));
}

TEST_F(AllocatorTest, DRFWithFairnessExclusion) {
  start({.min_allocatable = {}, .fairness_excluded = {"gpus"}, .region = ""});
  framework("f1", {.roles = {"role1"}, .suppressed = {}, .gpu_resources = true});
  agent("a1", "cpus:2;mem:1024;gpus:1");
  EXPECT_EQ(round().size(), 1u);
  framework("f2", {.roles = {"role2"}, .suppressed = {}, .gpu_resources = true});
  agent("a2", "cpus:3;mem:2048");
  EXPECT_EQ(round()[0].framework, "f2");
  // All gpus are role1's, but by cpus and memory it is behind.
  EXPECT_EQ(share_ppm("role1"), 400000);
  agent("a3", "cpus:1;mem:128");
  EXPECT_EQ(round()[0].framework, "f1");
}

TEST_F(AllocatorTest, NestedRoleDRF) {
  framework("fa", "a");
  agent("a1", "cpus:2;mem:1024");
  EXPECT_EQ(round()[0].role, "a");
  framework("fb", "b/c");
  agent("a2", "cpus:2;mem:1024");
  EXPECT_EQ(round()[0].role, "b/c");
  // "b/d" has nothing, but what is below "b" competes as one: "a" and "b" are even by share and by
  // count, then comes the name.
  framework("fd", "b/d");
  agent("a3", "cpus:3;mem:1024");
  EXPECT_EQ(round()[0].role, "a");
  agent("a4", "cpus:1;mem:512");
  EXPECT_EQ(round()[0].role, "b/d");
  agent("a5", "cpus:1;mem:512");
  EXPECT_EQ(round()[0].role, "b/d");
}

TEST_F(AllocatorTest, CoarseGrained) {
  agent("a1", "cpus:2;mem:1024");
  agent("a2", "cpus:2;mem:1024");
  framework("f1", "role1");
  framework("f2", "role2");
  const Round given = round();
  ASSERT_EQ(given.size(), 2u);
  EXPECT_NE(given[0].framework, given[1].framework);
  EXPECT_NE(given[0].agent, given[1].agent);
  for (const Given& one : given) EXPECT_EQ(one.resources, "cpus:2; mem:1024");
}

TEST_F(AllocatorTest, SameShareFairness) {
  framework("f1", "*");
  framework("f2", "*");
  agent("a1", "cpus:2;mem:1024");
  std::map<std::string, int> counts;
  for (int i = 0; i < 10; ++i) {
    const Round given = round();
    ASSERT_EQ(given.size(), 1u);
    ++counts[given[0].framework];
    recover(given[0]);
  }
  EXPECT_EQ(counts["f1"], 5);
  EXPECT_EQ(counts["f2"], 5);
}

TEST_F(AllocatorTest, UpdateWeight) {
  for (int i = 0; i < 6; ++i) agent("a" + std::to_string(i), "cpus:2;mem:1024");
  framework("f1", "role1");
  framework("f2", "role2");
  const auto divide = [this] {
    std::map<std::string, int> counts;
    const Round given = round();
    for (const Given& one : given) ++counts[one.role];
    for (const Given& one : given) recover(one);
    return counts;
  };
  EXPECT_EQ(divide(), (std::map<std::string, int>{{"role1", 3}, {"role2", 3}}));

  allocator_->set_weight("role2", 2000);
  EXPECT_EQ(divide(), (std::map<std::string, int>{{"role1", 2}, {"role2", 4}}));

  allocator_->set_weight("role3", 3000);
  framework("f3", "role3");
  EXPECT_EQ(divide(), (std::map<std::string, int>{{"role1", 1}, {"role2", 2}, {"role3", 3}}));
}

TEST_F(AllocatorTest, AWeightAloneMovesNothing) {
  framework("f1", "role1");
  agent("a1", "cpus:2");
  round();
  allocator_->set_weight("role1", 5000);
  EXPECT_FALSE(allocator_->wants_round());
}

TEST_F(AllocatorTest, NoDoubleAccounting) {
  framework("f1", "role1");
  agent("a1", "cpus:1");
  agent("a2", "cpus:1");
  allocator_->allocate(frameworks_["f1"], agents_["a1"], "role1",
                       Resources::parse("cpus:1").value());
  EXPECT_EQ(share_ppm("role1"), 500000);
  framework("f2", "role2");
  allocator_->allocate(frameworks_["f2"], agents_["a2"], "role2",
                       Resources::parse("cpus:1").value());
  EXPECT_EQ(share_ppm("role1"), 500000);
  EXPECT_EQ(share_ppm("role2"), 500000);
  EXPECT_EQ(round(), Round{});
}

TEST_F(AllocatorTest, DominantShareMetrics) {
  agent("a1", "cpus:1;mem:1024");
  framework("f1", "role1");
  round();
  EXPECT_EQ(share_ppm("role1"), 1'000'000);
  agent("a2", "cpus:3;mem:1024");
  framework("f2", "role2");
  round();
  EXPECT_EQ(share_ppm("role1"), 500'000);
  EXPECT_EQ(share_ppm("role2"), 750'000);
  allocator_->remove_framework(frameworks_["f2"]);
  EXPECT_EQ(share_ppm("role2"), -1);
}

// ---------------------------------------------------------------- rounds

TEST_F(AllocatorTest, ARoundWithoutChangesVisitsNobody) {
  framework("f1", "role1");
  for (int i = 0; i < 5; ++i) agent("a" + std::to_string(i), "cpus:1");
  for (const Given& given : round()) recover(given, 100s);
  EXPECT_EQ(round(), Round{});
  const uint64_t visited = allocator_->stats().agents_visited;
  EXPECT_EQ(visited, 10u);
  allocator_->request_full_round();
  EXPECT_FALSE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{});
  EXPECT_EQ(allocator_->stats().agents_visited, visited);
}

TEST_F(AllocatorTest, WhatChangesBetweenSlicesCountsFromTheNextRound) {
  framework("f1", "role1");
  agent("a0", "cpus:1");
  agent("a1", "cpus:1");
  std::vector<Grant> grants;
  ASSERT_EQ(allocator_->step(now_, 1, grants), Allocator::Step::kMore);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_TRUE(allocator_->wants_round());
  const Grant first = grants[0];
  agent("a2", "cpus:1");
  allocator_->recover(now_, first.framework, first.agent, "role1", first.resources, {});
  ASSERT_EQ(allocator_->step(now_, 9, grants), Allocator::Step::kDone);
  EXPECT_EQ(grants.size(), 2u);
  EXPECT_NE(grants[1].agent, first.agent);
  EXPECT_NE(grants[1].agent, agents_["a2"]);
  EXPECT_EQ(round().size(), 2u);
  EXPECT_FALSE(allocator_->wants_round());
}

TEST_F(AllocatorTest, AnAgentRemovedBetweenSlicesIsNotOffered) {
  framework("f1", "role1");
  for (int i = 0; i < 4; ++i) agent("a" + std::to_string(i), "cpus:1");
  std::vector<Grant> grants;
  ASSERT_EQ(allocator_->step(now_, 1, grants), Allocator::Step::kMore);
  for (const auto& [name, handle] : agents_) {
    if (handle != grants[0].agent) allocator_->remove_agent(handle);
  }
  ASSERT_EQ(allocator_->step(now_, 9, grants), Allocator::Step::kDone);
  EXPECT_EQ(grants.size(), 1u);
}

// The order of a round depends on seed, round and agent only: leaving out some agents changes
// nothing in the order of the others.
TEST_F(AllocatorTest, TheOrderOfAgentsDoesNotDependOnTheOthers) {
  for (int i = 0; i < 200; ++i) agent("a" + std::to_string(i), "cpus:1");
  framework("f1", "role1");
  std::vector<std::string> all;
  for (const Given& given : round()) all.push_back(given.agent);
  ASSERT_EQ(all.size(), 200u);

  start({});
  frameworks_.clear();
  agents_.clear();
  for (int i = 0; i < 200; ++i) {
    agent("a" + std::to_string(i), i % 3 == 0 ? "cpus:1" : "");
  }
  framework("f1", "role1");
  std::vector<std::string> some;
  for (const Given& given : round()) some.push_back(given.agent);
  std::erase_if(all, [](const std::string& name) { return std::stoi(name.substr(1)) % 3 != 0; });
  EXPECT_EQ(some, all);
  EXPECT_NE(some.size(), 0u);
}

TEST_F(AllocatorTest, AnotherSeedGivesAnotherOrder) {
  std::vector<std::vector<uint32_t>> orders;
  for (const uint64_t seed : {1, 1, 2}) {
    DrfAllocator allocator({}, seed);
    allocator.add_framework({.index = 0, .generation = 1}, {.roles = {"r"}});
    for (uint32_t i = 0; i < 100; ++i) {
      allocator.add_agent({.index = i, .generation = 1},
                          {.total = Resources::parse("cpus:1").value()});
    }
    std::vector<Grant> grants;
    allocator.step({}, 100, grants);
    std::vector<uint32_t>& order = orders.emplace_back();
    for (const Grant& grant : grants) order.push_back(grant.agent.index);
  }
  EXPECT_EQ(orders[0], orders[1]);
  EXPECT_NE(orders[0], orders[2]);
}

}  // namespace
}  // namespace tepui
