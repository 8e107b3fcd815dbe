// What keeps an agent from a framework: refusals, suppression, minimum sets, the whitelist.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

const Resources kTotal = "cpus:2;mem:1024"_r;

// A framework that wants agents with one attribute, as text.
class HasAttribute final : public AgentFilter {
 public:
  explicit HasAttribute(std::string name) : name_(std::move(name)) {}
  bool allows(const AgentTraits& agent) const override {
    return std::any_of(agent.attributes.begin(), agent.attributes.end(),
                       [this](const Attribute& attribute) { return attribute.name == name_; });
  }

 private:
  const std::string name_;
};

TEST_F(HierarchicalAllocator, OfferFilter) {
  framework("f1", "role");
  agent("a1", kTotal);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role", "a1", kTotal}}));
  give_back(got, 2 * kInterval);
  EXPECT_EQ(refusing("f1", "role"), 1u);

  EXPECT_EQ(tick(), kNothing);
  EXPECT_EQ(tick(), got);
  EXPECT_EQ(refusing("f1", "role"), 0u);
}

// However short, a filter acts on the next round, so that others get the agent meanwhile.
TEST_F(HierarchicalAllocator, SmallOfferFilterTimeout) {
  framework("f1", "role");
  framework("f2", "role");
  agent_with("a1", kTotal, {{"f1", "role", "a1", kTotal}});
  EXPECT_EQ(run(), kNothing);
  agent("a2", kTotal);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f2", "role", "a2", kTotal}}));

  give_back(got, 1ms);
  const Gots other = run();
  EXPECT_EQ(other, (Gots{{"f1", "role", "a2", kTotal}}));

  give_back(other);
  EXPECT_EQ(tick(), got) << "the filter has expired";
}

TEST_F(HierarchicalAllocator, Allocatable) {
  framework("f1", "role1");
  // Below both alternatives, whatever else it has.
  agent("a1", "cpus:0.005;mem:16;disk:128"_r);
  EXPECT_EQ(run(), kNothing);
  const Resources enough_cpus = "cpus:0.01;mem:16;disk:128"_r;
  agent("a2", enough_cpus);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a2", enough_cpus}}));
  const Resources enough_mem = "cpus:0.005;mem:32;disk:128"_r;
  agent("a3", enough_mem);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a3", enough_mem}}));
  // Reserved and unreserved together.
  const Resources mixed = "cpus:0.005;mem:16;cpus(role1):0.005;mem(role1):16"_r;
  agent("a4", mixed);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a4", mixed}}));
}

TEST_F(HierarchicalAllocator, FrameworkMinAllocatable) {
  framework("f1", "role1");
  const Resources little = "cpus:0.005;mem:16;disk:128"_r;
  agent("a1", little);
  EXPECT_EQ(run(), kNothing);

  FrameworkShape shape{.roles = {"role1"}};
  shape.min_allocatable["role1"] = {"cpus:0.003"_r.quantities()};
  allocator_->update_framework(frameworks_["f1"], shape);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", little}}));

  // Its own minimum also replaces the master's where it wants more.
  framework("f2", {.roles = {"role2"}, .min_allocatable = {{"role2", {"cpus:8"_r.quantities()}}}});
  suppress("f1");
  agent("a2", kTotal);
  EXPECT_EQ(run(), kNothing);
}

TEST_F(HierarchicalAllocator, FrameworkEmptyMinAllocatable) {
  framework("f1", {.roles = {"role1"}, .min_allocatable = {{"role1", {}}}});
  const Resources little = "cpus:0.005;mem:16;disk:128"_r;
  agent("a1", little);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", little}}));
}

TEST_F(HierarchicalAllocator, RecoverResources) {
  agent("a1", "cpus:2;mem:200;cpus(role1):1;mem(role1):100"_r);
  framework("f1", "role1");
  const Resources reserved = "cpus(role1):1;mem(role1):100"_r;
  const Resources unreserved = "cpus:2;mem:200"_r;
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", reserved + unreserved}}));

  give_back("f1", "role1", "a1", reserved);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", reserved}}));
  give_back("f1", "role1", "a1", unreserved);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", unreserved}}));
}

TEST_F(HierarchicalAllocator, Whitelist) {
  allocator_->set_whitelist(std::set<std::string>{"another"});
  agent("a1", kTotal);
  framework("f1", "*");
  EXPECT_EQ(run(), kNothing);
  EXPECT_EQ(tick(), kNothing);

  allocator_->set_whitelist(std::set<std::string>{"another", "a1"});
  EXPECT_EQ(tick(), (Gots{{"f1", "*", "a1", kTotal}}));
}

// Suppressed, gone, back and revived.
TEST_F(HierarchicalAllocator, DeactivateAndReactivateFramework) {
  agent("a1", kTotal);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role1", "a1", kTotal}}));
  give_back(got);
  suppress("f1");
  set_active("f1", false);
  EXPECT_EQ(tick(), kNothing);

  set_active("f1", true);
  revive("f1");
  EXPECT_EQ(run(), got);
}

TEST_F(HierarchicalAllocator, SuppressAndReviveOffers) {
  agent("a1", kTotal);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role1", "a1", kTotal}}));
  revive("f1");
  EXPECT_EQ(run(), kNothing) << "reviving who is not suppressed changes nothing";

  give_back(got);
  suppress("f1");
  EXPECT_EQ(tick(), kNothing);
  revive("f1");
  EXPECT_EQ(run(), got);
}

TEST_F(HierarchicalAllocator, ReviveOffers) {
  agent("a1", kTotal);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role1", "a1", kTotal}}));
  give_back(got, 1000s);
  EXPECT_EQ(tick(), kNothing);
  revive("f1");
  EXPECT_EQ(run(), got);
}

TEST_F(HierarchicalAllocator, SuppressAndReviveOffersWithMultiRole) {
  framework("f1", {.roles = {"role1", "role2"}});
  suppress("f1", {"role1"});
  agent("a1", kTotal);
  Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role2", "a1", kTotal}}));

  give_back(got, kDay);
  EXPECT_EQ(tick(), kNothing);
  // Reviving one role does not touch the other's filter.
  revive("f1", {"role1"});
  got = run();
  EXPECT_EQ(got, (Gots{{"f1", "role1", "a1", kTotal}}));
  give_back(got, kDay);
  EXPECT_EQ(tick(), kNothing);
}

// All agents here serve frameworks with several roles. What an agent can do and a framework insists
// on is said with attributes and constraints.
TEST_F(HierarchicalAllocator, DontOfferOldAgentToMultiRoleFramework) {
  const auto filter = std::make_shared<const HasAttribute>("multi-role");
  framework("f1", {.roles = {"bar", "foo"}, .constraints = {{"bar", filter}, {"foo", filter}}});
  agent("a1", kTotal);
  EXPECT_EQ(run(), kNothing);
  EXPECT_EQ(tick(), kNothing);
}

TEST_F(HierarchicalAllocator, UpdateSlaveCapabilities) {
  const auto filter = std::make_shared<const HasAttribute>("multi-role");
  framework("f1", {.roles = {"role1"}, .constraints = {{"role1", filter}}});
  agent("a1", kTotal);
  EXPECT_EQ(run(), kNothing);

  allocator_->update_agent(agents_["a1"],
                           {.total = kTotal,
                            .hostname = "a1",
                            .attributes = {{.name = "multi-role", .value = std::string("yes")}}});
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", kTotal}}));
}

// An agent that came back with other attributes is another one to whoever refused it.
TEST_F(HierarchicalAllocator, RemoveFilters) {
  framework("f1", "role");
  agent("a1", kTotal);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role", "a1", kTotal}}));
  give_back(got, 2 * kInterval);
  EXPECT_EQ(tick(), kNothing);

  allocator_->update_agent(agents_["a1"],
                           {.total = kTotal,
                            .hostname = "a1",
                            .attributes = parse_attributes("foo:bar;baz:quux").value()});
  EXPECT_EQ(run(), got);
}

}  // namespace
}  // namespace tepui
