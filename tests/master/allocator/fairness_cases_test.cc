// Who comes first: shares of roles and of frameworks in them.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

// Agents come one by one; each goes whole to the framework with the lowest share of the role with
// the lowest share.
TEST_F(HierarchicalAllocator, UnreservedDRF) {
  const Resources a1 = "cpus:4;mem:2048"_r;
  agent("a1", a1);
  framework("f1", "role1");
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", a1}}));

  framework("f2", "role2");
  const Resources a2 = "cpus:2;mem:1024"_r;
  agent("a2", a2);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a2", a2}}));

  // Of 12 cpus role1 has 4, role2 has 2.
  const Resources a3 = "cpus:6;mem:4096"_r;
  agent("a3", a3);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a3", a3}}));

  // Of 20 cpus role1 has 4, role2 has 8; in role1 the new framework has nothing.
  framework("f3", "role1");
  const Resources a4 = "cpus:8;mem:8192"_r;
  agent("a4", a4);
  EXPECT_EQ(run(), (Gots{{"f3", "role1", "a4", a4}}));

  // Now role1 has 12 of 22, so that a newcomer there has to wait.
  framework("f4", "role1");
  const Resources a5 = "cpus:2;mem:1024"_r;
  agent("a5", a5);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a5", a5}}));
}

// What is reserved counts in its role's share once it is allocated.
TEST_F(HierarchicalAllocator, ReservedDRF) {
  const Resources a1 = "cpus:2;mem:1024;cpus(role1):200;mem(role1):2048"_r;
  agent("a1", a1);
  framework("f1", "role1");
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", a1}}));

  framework("f2", "role2");
  const Resources small = "cpus:4;mem:1024"_r;
  agent("a2", small);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a2", small}}));
  agent("a3", small);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a3", small}}));

  // What is reserved for role1 goes there in spite of its share, to the framework with the least.
  framework("f3", "role1");
  const Resources a4 = "cpus(role1):4;mem(role1):2048"_r;
  agent("a4", a4);
  EXPECT_EQ(run(), (Gots{{"f3", "role1", "a4", a4}}));
}

TEST_F(HierarchicalAllocator, DRFWithFairnessExclusion) {
  begin({.fairness_excluded = {"gpus"}});
  const Resources a1 = "cpus:3;mem:1536;gpus:2"_r;
  agent("a1", a1);
  framework("f1", {.roles = {"role1"}, .gpu_resources = true});
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", a1}}));

  framework("f2", "role2");
  const Resources a2 = "cpus:1;mem:512"_r;
  agent("a2", a2);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a2", a2}}));
  const Resources a3 = "cpus:4;mem:2048"_r;
  agent("a3", a3);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a3", a3}}));

  // role1 has all gpus and 3 of 14 cpus, role2 5 of them: only if gpus do not count, role1 is next.
  framework("f3", "role1");
  const Resources a4 = "cpus:6;mem:3072"_r;
  agent("a4", a4);
  EXPECT_EQ(run(), (Gots{{"f3", "role1", "a4", a4}}));
}

// Siblings are compared at each level: `d/e` comes before `a/c`, though both have nothing, for `a`
// has more than `d`.
TEST_F(HierarchicalAllocator, NestedRoleDRF) {
  const Resources large = "cpus:4;mem:2048"_r;
  const Resources small = "cpus:2;mem:1024"_r;
  agent("a1", large);
  framework("f1", "a/b");
  EXPECT_EQ(run(), (Gots{{"f1", "a/b", "a1", large}}));

  framework("f2", "a/c");
  framework("f3", "d/e");
  agent("a2", small);
  EXPECT_EQ(run(), (Gots{{"f3", "d/e", "a2", small}}));

  // `d` still has less than `a`, and in it the newcomer has least.
  framework("f4", "d/f");
  agent("a3", large);
  EXPECT_EQ(run(), (Gots{{"f4", "d/f", "a3", large}}));
}

// An agent is not divided: the next framework finds it empty and takes the next agent.
TEST_F(HierarchicalAllocator, CoarseGrained) {
  const Resources total = "cpus:3;mem:1536"_r;
  agent("a1", total);
  agent("a2", total);
  framework("f1", "role1");
  const Gots all = run();
  EXPECT_EQ(all, (Gots{{"f1", "role1", "a1", total}, {"f1", "role1", "a2", total}}));

  give_back(all);
  framework("f2", "role2");
  const Gots halves = run();
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].framework, "f1");
  EXPECT_EQ(halves[1].framework, "f2");
  EXPECT_NE(halves[0].agent, halves[1].agent);
  EXPECT_EQ(halves[0].resources, total);
  EXPECT_EQ(halves[1].resources, total);
}

// Equal shares take turns; the name does not decide.
TEST_F(HierarchicalAllocator, SameShareFairness) {
  framework("f1", "*");
  framework("f2", "*");
  agent("a1", "cpus:2;mem:1024"_r);
  std::map<std::string, int> counts;
  for (int i = 0; i < 12; ++i) {
    const Gots got = i == 0 ? run() : tick();
    ASSERT_EQ(got.size(), 1u);
    ++counts[got[0].framework];
    give_back(got);
  }
  EXPECT_EQ(counts, (std::map<std::string, int>{{"f1", 6}, {"f2", 6}}));
}

// Whether the framework or the agent comes first does not change what is counted.
TEST_F(HierarchicalAllocator, NoDoubleAccounting) {
  const Resources total = "cpus:2"_r;
  framework("f1", "ROLE1");
  agent_with("a1", total, {{"f1", "ROLE1", "a1", total}});
  agent("a2", total);
  framework("f2", "ROLE2");
  hold("f2", "ROLE2", "a2", total);
  EXPECT_EQ(share_ppm("ROLE1"), 500'000);
  EXPECT_EQ(share_ppm("ROLE2"), 500'000);
  EXPECT_EQ(run(), kNothing);
}

// Six equal agents: by halves; then 1 to 2; then 1 to 2 to 3. A weight alone starts no round.
TEST_F(HierarchicalAllocator, UpdateWeight) {
  const auto counts = [](const Gots& gots) {
    std::map<std::string, int> by_role;
    for (const Got& got : gots) ++by_role[got.role];
    return by_role;
  };
  using Counts = std::map<std::string, int>;
  framework("f1", "role1");
  framework("f2", "role2");
  for (int i = 1; i <= 6; ++i) agent("a" + std::to_string(i), "cpus:2;mem:1024"_r);
  Gots got = run();
  EXPECT_EQ(counts(got), (Counts{{"role1", 3}, {"role2", 3}}));

  ASSERT_FALSE(allocator_->wants_round());
  allocator_->set_weight("role2", 2000);
  EXPECT_FALSE(allocator_->wants_round());
  give_back(got);
  got = tick();
  EXPECT_EQ(counts(got), (Counts{{"role1", 2}, {"role2", 4}}));

  allocator_->set_weight("role3", 3000);
  framework("f3", "role3");
  give_back(got);
  got = tick();
  EXPECT_EQ(counts(got), (Counts{{"role1", 1}, {"role2", 2}, {"role3", 3}}));
}

// What a removed agent had is forgotten in every share.
TEST_F(HierarchicalAllocator, RemoveSlaveRecoverResources) {
  agent("a1", "cpus:4;mem:400"_r);
  framework("f1", "role");
  EXPECT_EQ(run(), (Gots{{"f1", "role", "a1", "cpus:4;mem:400"_r}}));
  framework("f2", "role");
  agent("a2", "cpus:2;mem:200"_r);
  EXPECT_EQ(run(), (Gots{{"f2", "role", "a2", "cpus:2;mem:200"_r}}));

  remove_agent("a1");
  agent("a3", "cpus:2;mem:200"_r);
  EXPECT_EQ(run(), (Gots{{"f1", "role", "a3", "cpus:2;mem:200"_r}}));
}

// A framework that can use nothing of an agent must not hide the agent from those after it.
TEST_F(HierarchicalAllocator, FrameworkLoopMESOS_9554) {
  framework("f1", {.roles = {"parent/child"}, .reservation_refinement = true});
  const Resources plain = "cpus:2;mem:256"_r;
  agent("a1", plain);
  EXPECT_EQ(run(), (Gots{{"f1", "parent/child", "a1", plain}}));

  // f2 has nothing and comes first, but does not understand refined reservations.
  framework("f2", "parent/child");
  const Resources refined = reserve(reserve(plain, "parent"), "parent/child");
  agent("a2", refined);
  EXPECT_EQ(run(), (Gots{{"f1", "parent/child", "a2", refined}}));
}

TEST_F(HierarchicalAllocator, NonScalarReservationTrackingMESOS_9555) {
  const Resources total = "cpus:1;mem:64;ports(role):[1-2]"_r;
  agent("a1", total);
  agent("a2", total);
  audit();
  remove_agent("a1");
  audit();
  framework("f1", "role");
  EXPECT_EQ(run(), (Gots{{"f1", "role", "a2", total}}));
  remove_agent("a2");
}

// An agent that grows by what somebody already uses: it counts in shares, and is not offered.
TEST_F(HierarchicalAllocator, AddResourceProvider) {
  framework("f1", "role1");
  framework("f2", "role2");
  set_active("f1", false);
  set_active("f2", false);
  const Resources once = "cpus:2;mem:100;disk:10"_r;
  agent("a1", once);
  total("a1", once + once + once);
  hold("f1", "role1", "a1", once + once);
  set_active("f2", true);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a1", once}}));

  set_active("f1", true);
  agent("a2", once);
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a2", once}})) << "role1 has twice as much";
}

TEST_F(HierarchicalAllocator, AddResourceProviderOverallocated) {
  const Resources once = "cpus:2;mem:100;disk:10"_r;
  agent("a1", once + once);
  framework("f1", "role");
  set_active("f1", false);
  hold("f1", "role", "a1", once);
  set_active("f1", true);
  EXPECT_EQ(run(), (Gots{{"f1", "role", "a1", once}})) << "what is used must not be offered";
  EXPECT_EQ(tick(), kNothing);
}

}  // namespace
}  // namespace tepui
