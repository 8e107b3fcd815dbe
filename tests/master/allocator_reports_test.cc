// What the allocator answers to people, the rules of frameworks, operations, and inverse offers.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

class OnlyHost final : public AgentFilter {
 public:
  explicit OnlyHost(std::string host) : host_(std::move(host)) {}
  bool allows(const AgentTraits& agent) const override { return agent.hostname == host_; }

 private:
  const std::string host_;
};

Quantities cpus(int64_t milli) {
  Quantities quantities;
  quantities.add("cpus", milli);
  return quantities;
}

// ---------------------------------------------------------------- rules

TEST_F(AllocatorTest, OnlyWhitelistedHostsAreOffered) {
  framework("one", "a");
  agent("1", "cpus:1");
  agent("2", "cpus:1");
  allocator_->set_whitelist(std::set<std::string>{"2"});
  const Round given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].agent, "2");
  allocator_->set_whitelist(std::set<std::string>{});
  recover(given[0]);
  EXPECT_TRUE(round().empty());
  allocator_->set_whitelist({});
  EXPECT_EQ(round().size(), 2);
}

TEST_F(AllocatorTest, ConstraintsExcludeAgentsPerRole) {
  framework("one", FrameworkShape{.roles = {"a", "b"},
                                  .constraints = {{"a", std::make_shared<OnlyHost>("1")},
                                                  {"b", std::make_shared<OnlyHost>("3")}}});
  for (const char* name : {"1", "2", "3"}) agent(name, "cpus:1");
  const Round given = round();
  ASSERT_EQ(given.size(), 2);
  for (const Given& one : given) EXPECT_EQ(one.agent, one.role == "a" ? "1" : "3");
  allocator_->update_framework(frameworks_["one"], {.roles = {"a", "b"}});
  EXPECT_EQ(round().size(), 1);
}

TEST_F(AllocatorTest, AFrameworksMinimumReplacesTheGlobalOne) {
  start({.min_allocatable = {cpus(2000)}});
  framework("any", FrameworkShape{.roles = {"a"}, .min_allocatable = {{"a", {}}}});
  framework("much", FrameworkShape{.roles = {"b"}, .min_allocatable = {{"b", {cpus(3000)}}}});
  framework("global", "c");
  agent("1", "cpus:1");
  agent("2", "cpus:4");
  allocator_->suppress(frameworks_["any"], {});
  EXPECT_EQ(round().size(), 1);
  allocator_->revive(frameworks_["any"], {});
  const Round given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].framework, "any");
  EXPECT_EQ(given[0].agent, "1");
}

TEST_F(AllocatorTest, AChangedAttributeDropsTheFiltersOfTheAgent) {
  framework("one", "a");
  agent("1", "cpus:1");
  recover(round().at(0), 100s);
  allocator_->update_agent(agents_["1"],
                           {.total = Resources::parse("cpus:1").value(), .hostname = "1"});
  EXPECT_TRUE(timer_round().empty());
  AgentShape changed{.total = Resources::parse("cpus:1").value(), .hostname = "1"};
  changed.attributes = parse_attributes("rack:r1").value();
  allocator_->update_agent(agents_["1"], changed);
  EXPECT_EQ(timer_round().size(), 1);
}

// ---------------------------------------------------------------- operations

TEST_F(AllocatorTest, AConversionOfWhatIsHeldShowsInTheNextOffer) {
  framework("one", "a");
  agent("1", "cpus:2;mem:512");
  const Given given = round().at(0);
  const Resources to = Resources::create({reserved("cpus", 1000, {"a"})}).value();
  const Resources from = Resources::parse("cpus:1").value();
  ASSERT_TRUE(allocator_->convert_allocated(frameworks_["one"], agents_["1"], "a", from, to));
  recover(given, Resources::parse("cpus:1;mem:512").value() + to);
  EXPECT_EQ(round().at(0).resources, "cpus:1; cpus(a):1; mem:512");
}

TEST_F(AllocatorTest, AConversionDoesNotCountAsAnAllocation) {
  framework("one", "a");
  framework("two", "b");
  agent("1", "cpus:2");
  agent("2", "cpus:2");
  const Round first = round();
  ASSERT_EQ(first.size(), 2);
  const Resources from = Resources::parse("cpus:2").value();
  const Resources to = Resources::create({reserved("cpus", 2000, {first[0].role})}).value();
  ASSERT_TRUE(allocator_->convert_allocated(frameworks_[first[0].framework],
                                            agents_[first[0].agent], first[0].role, from, to));
  // Both were allocated to once: the name decides, not the conversion.
  agent("3", "cpus:2");
  EXPECT_EQ(round().at(0).role, "a");
}

TEST_F(AllocatorTest, AConversionOfWhatIsNotHeldIsRefusedAndChangesNothing) {
  framework("one", "a");
  framework("two", "b");
  agent("1", "cpus:2");
  const Given given = round().at(0);
  const auto convert = [&](const char* name, const char* role, const char* from) {
    const auto done = allocator_->convert_allocated(frameworks_[name], agents_["1"], role,
                                                    Resources::parse(from).value(), {});
    return done ? "" : done.error().message;
  };
  EXPECT_EQ(convert("one", "a", "cpus:3"),
            "the framework holds cpus:2 there in role 'a', not cpus:3");
  EXPECT_EQ(convert("one", "b", "cpus:1"), "the framework holds nothing there in role 'b'");
  EXPECT_EQ(convert("two", "b", "cpus:1"), "the framework holds nothing there in role 'b'");
  EXPECT_EQ(allocator_->use("a").offered_or_allocated.get("cpus"), 2000);
  EXPECT_EQ(convert("one", "a", "cpus:2"), "");
  EXPECT_TRUE(allocator_->use("a").offered_or_allocated.empty());
}

TEST_F(AllocatorTest, AnOperatorConvertsOnlyWhatIsAvailable) {
  framework("one", "a");
  agent("1", "cpus:2");
  const Resources from = Resources::parse("cpus:2").value();
  const Resources to = Resources::create({reserved("cpus", 2000, {"b"})}).value();
  const Given given = round().at(0);
  const auto refused = allocator_->convert_available(agents_["1"], from, to);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "the agent has nothing available, not cpus:2");
  recover(given);
  ASSERT_TRUE(allocator_->convert_available(agents_["1"], from, to));
  EXPECT_TRUE(round().empty());
  framework("two", "b");
  EXPECT_EQ(round().at(0).resources, "cpus(b):2");
}

// ---------------------------------------------------------------- explanations

TEST_F(AllocatorTest, ExplainsWhyAFrameworkIsNotOffered) {
  start({.min_allocatable = {cpus(500)}, .region = "here"});
  framework("asks", FrameworkShape{.roles = {"a"}});
  framework("other", "b");
  allocator_->suppress(frameworks_["other"], {});
  agent("inactive", "cpus:1");
  agent("hidden", "cpus:1");
  agent("gpu", "cpus:1;gpus:1");
  agent("far", Resources::parse("cpus:1").value(), "there");
  agent("small", "cpus:0.1");
  agent("taken", "cpus:1");
  agent("theirs", Resources::create({reserved("cpus", 1000, {"b"})}).value());
  agent("mine", "cpus:1");
  agent("free", "cpus:1");
  allocator_->set_agent_active(agents_["inactive"], false);
  std::set<std::string> listed;
  for (const auto& [name, handle] : agents_) listed.insert(name);
  listed.erase("hidden");
  allocator_->set_whitelist(listed);
  const Resources one = Resources::parse("cpus:1").value();
  allocator_->allocate(frameworks_["other"], agents_["taken"], "b", one);
  allocator_->allocate(frameworks_["asks"], agents_["mine"], "a", one);

  const OfferExplanation why = allocator_->explain(frameworks_["asks"], "a");
  EXPECT_TRUE(why.known && why.active && why.subscribed && !why.suppressed);
  for (const OfferCause cause :
       {OfferCause::kAgentInactive, OfferCause::kNotWhitelisted, OfferCause::kGpu,
        OfferCause::kRegion, OfferCause::kBelowMinimum, OfferCause::kNothingLeft,
        OfferCause::kNotUsable, OfferCause::kOffered, OfferCause::kWaiting}) {
    EXPECT_EQ(why.count(cause), 1) << to_text(cause);
  }
  recover(round().at(0), 10s);
  EXPECT_EQ(allocator_->explain(frameworks_["asks"], "a").count(OfferCause::kRefused), 1);
}

TEST_F(AllocatorTest, ExplainsLimitsHeadroomAndConstraints) {
  framework("limited", "a");
  framework("held", "b");
  framework("picky", FrameworkShape{.roles = {"c"},
                                    .constraints = {{"c", std::make_shared<OnlyHost>("none")}}});
  allocator_->set_quota("a", {.limits_milli = {{"cpus", 0}, {"mem", 0}}});
  set_quota("absent", "cpus:2;mem:512", "");
  agent("1", "cpus:2;mem:512;ports:[1-9]");
  EXPECT_EQ(allocator_->explain(frameworks_["limited"], "a").count(OfferCause::kQuotaLimit), 1);
  EXPECT_EQ(allocator_->explain(frameworks_["held"], "b").count(OfferCause::kHeadroom), 1);
  EXPECT_EQ(allocator_->explain(frameworks_["picky"], "c").count(OfferCause::kConstraint), 1);
  EXPECT_FALSE(allocator_->explain({.index = 99, .generation = 1}, "a").known);
  EXPECT_FALSE(allocator_->explain(frameworks_["picky"], "a").subscribed);
}

TEST_F(AllocatorTest, ListsTheUseOfEveryRoleWithWhatIsBelowIt) {
  framework("one", "eng/x");
  set_quota("idle", "cpus:1", "");
  agent("1", Resources::parse("cpus:2").value() +
                 Resources::create({reserved("mem", 1000, {"ops"})}).value());
  EXPECT_EQ(round().size(), 1);
  std::vector<std::string> lines;
  for (const RoleUse& use : allocator_->uses()) {
    lines.push_back(use.role + " consumes " + to_text(Quota{.guarantees = use.consumed}));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "eng consumes guarantees cpus:1", "eng/x consumes guarantees cpus:1",
                       "idle consumes none", "ops consumes guarantees mem:1"}));
}

// ---------------------------------------------------------------- maintenance

class MaintenanceTest : public AllocatorTest {
 protected:
  std::vector<std::string> asked() {
    timer_round();
    std::vector<std::string> names;
    for (const InverseGrant& grant : allocator_->take_inverse_grants()) {
      names.push_back(name_of(frameworks_, grant.framework) + " on " +
                      name_of(agents_, grant.agent));
    }
    return names;
  }
  void answer(const std::string& name, std::optional<Duration> refuse) {
    allocator_->answer_inverse(now_, frameworks_[name], agents_["1"], refuse);
  }
  using Asked = std::vector<std::string>;
};

TEST_F(MaintenanceTest, OnlyThoseWhoHoldSomethingThereAreAskedAndOnce) {
  framework("one", "a");
  framework("two", "b");
  agent("1", "cpus:1");
  agent("2", "cpus:1");
  round();
  allocator_->set_maintenance(agents_["1"], true);
  EXPECT_TRUE(allocator_->wants_round());
  const Asked first = asked();
  ASSERT_EQ(first.size(), 1);
  EXPECT_EQ(asked(), Asked{});
  allocator_->set_maintenance(agents_["1"], true);
  EXPECT_EQ(asked(), first);
  allocator_->set_maintenance(agents_["1"], false);
  EXPECT_EQ(asked(), Asked{});
}

TEST_F(MaintenanceTest, WhoAnsweredIsAskedAgainAfterTheTimeItAskedFor) {
  framework("one", "a");
  agent("1", "cpus:1");
  allocator_->set_maintenance(agents_["1"], true);
  EXPECT_EQ(asked(), Asked{"one on 1"});
  answer("one", 5s);
  EXPECT_EQ(asked(), Asked{});
  EXPECT_EQ(allocator_->next_deadline(), now_.mono + 5s);
  pass(5s);
  EXPECT_EQ(asked(), Asked{"one on 1"});
  answer("one", {});
  EXPECT_EQ(asked(), Asked{"one on 1"});
  answer("one", 100s);
  allocator_->revive(frameworks_["one"], {});
  EXPECT_EQ(asked(), Asked{"one on 1"});
}

TEST_F(MaintenanceTest, WhoIsNotActiveIsAskedWhenItIsBack) {
  framework("one", "a");
  agent("1", "cpus:1");
  round();
  allocator_->set_framework_active(frameworks_["one"], false);
  allocator_->set_maintenance(agents_["1"], true);
  EXPECT_EQ(asked(), Asked{});
  allocator_->set_framework_active(frameworks_["one"], true);
  EXPECT_EQ(asked(), Asked{"one on 1"});
}

TEST_F(MaintenanceTest, WhoHasNothingThereAnyMoreIsNotAsked) {
  framework("one", "a");
  agent("1", "cpus:1");
  const Given given = round().at(0);
  recover(given, 100s);
  allocator_->set_maintenance(agents_["1"], true);
  EXPECT_EQ(asked(), Asked{});
}

}  // namespace
}  // namespace tepui
