// Quota as operators set it: what is refused and why, what offers go for it, what outlives a
// leader.
#include "master/quota.h"

#include <gtest/gtest.h>

#include "common/quota_text.h"
#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

Quota quota(std::string_view guarantees, std::string_view limits) {
  return {.guarantees = *parse_guarantees(guarantees), .limits_milli = *parse_limits(limits)};
}

UpdateQuota update(std::string role, std::string_view guarantees, std::string_view limits,
                   bool force = false) {
  return {.quotas = {{.role = std::move(role), .quota = quota(guarantees, limits)}},
          .force = force};
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Quota, IsDurableBeforeItIsAnsweredAndOutlivesTheLeader) {
  Bench bench;
  bench.agent();
  const SessionId session = bench.new_session();
  bench.master().on_message(bench.now, session, "op", update("eng", "cpus:1", "cpus:2"));
  bench.master().work(bench.now);
  EXPECT_TRUE(bench.take<RequestDone>(session).empty());
  bench.settle();
  EXPECT_EQ(bench.take<RequestDone>(session).size(), 1u);
  EXPECT_TRUE(bench.store.contains("quota/eng"));
  EXPECT_EQ(bench.events().count<event::QuotaChanged>(), 1);

  bench.restart();
  EXPECT_EQ(bench.events().count<event::QuotaChanged>(), 2);
  EXPECT_EQ(bench.command(update("eng", "", "")), "");
  EXPECT_FALSE(bench.store.contains("quota/eng"));
}

TEST(Quota, ALimitBoundsWhatIsOffered) {
  Bench bench;
  ASSERT_EQ(bench.command(update("eng", "", "cpus:1; mem:1000")), "");
  bench.agent();
  const TestFramework framework = bench.framework(framework_info("eng"));
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources, machine(1000, 1000000));
}

TEST(Quota, TheDefaultRoleCanBeLimitedToo) {
  Bench bench;
  bench.agent();
  const TestFramework anybody = bench.framework(framework_info("*"));
  ASSERT_EQ(bench.offers(anybody).size(), 1u);
  EXPECT_EQ(bench.command(update("*", "", "cpus:1")), "");
  EXPECT_EQ(bench.take<Rescind>(anybody.session).size(), 1u);
  const auto offers = bench.offers(anybody);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources.total_milli("cpus"), 1000);
  bench.restart();
  EXPECT_EQ(bench.events().count<event::QuotaChanged>(), 2);
}

TEST(Quota, WhatIsOfferedAboveANewLimitIsRescinded) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework(framework_info("eng/search"));
  ASSERT_EQ(bench.offers(framework).size(), 1u);
  EXPECT_EQ(bench.command(update("eng", "", "cpus:1")), "");
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources.total_milli("cpus"), 1000);
}

TEST(Quota, OffersOfOthersGoUntilAGuaranteeCanBeMet) {
  Bench bench;
  bench.agent();
  bench.agent();
  const TestFramework greedy = bench.framework(framework_info("greedy"));
  ASSERT_EQ(bench.offers(greedy).size(), 2u);
  // Half of what one agent has.
  EXPECT_EQ(bench.command(update("eng", "cpus:2", "")), "");
  size_t rescinded = 0;
  for (const Rescind& rescind : bench.take<Rescind>(greedy.session)) {
    rescinded += rescind.offers.size();
  }
  EXPECT_EQ(rescinded, 1u);
}

TEST(Quota, ALimitBelowWhatRunsNeedsForce) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework(framework_info("eng"));
  bench.launch(framework, "t", machine(3000, 512000));
  const std::string why = bench.command(update("eng", "", "cpus:2"));
  EXPECT_TRUE(says(why, "'eng' uses 3 cpus now, more than the limit of 2")) << why;
  EXPECT_FALSE(bench.store.contains("quota/eng"));
  EXPECT_EQ(bench.command(update("eng", "", "cpus:2", true)), "");
  EXPECT_EQ(bench.command(update("eng", "", "cpus:3")), "");
}

TEST(Quota, MoreGuaranteesThanAgentsNeedForce) {
  Bench bench;
  bench.agent(machine(4000));
  EXPECT_EQ(bench.command(update("a", "cpus:3", "")), "");
  const std::string why = bench.command(update("b", "cpus:2", ""));
  EXPECT_TRUE(says(why, "all guarantees together are 5 cpus")) << why;
  EXPECT_EQ(bench.command(update("b", "cpus:2", "", true)), "");
}

TEST(Quota, AllRolesOfACommandSucceedOrNone) {
  Bench bench;
  bench.agent();
  UpdateQuota both = update("a", "cpus:1", "");
  both.quotas.push_back({.role = "b", .quota = quota("cpus:100", "")});
  EXPECT_NE(bench.command(both), "");
  EXPECT_FALSE(bench.store.contains("quota/a"));
  both.force = true;
  EXPECT_EQ(bench.command(both), "");
  EXPECT_TRUE(bench.store.contains("quota/a"));
  EXPECT_TRUE(bench.store.contains("quota/b"));
}

TEST(Quota, CommandsThatMakeNoSenseAreRefusedWithTheReason) {
  Bench bench;
  EXPECT_EQ(bench.command(UpdateQuota{}), "no role is named");
  EXPECT_NE(bench.command(update("a//b", "cpus:1", "")), "");
  EXPECT_TRUE(says(bench.command(update("a", "cpus:2", "cpus:1", true)), "role 'a'"));
  UpdateQuota twice = update("a", "", "cpus:1");
  twice.quotas.push_back(twice.quotas[0]);
  EXPECT_EQ(bench.command(twice), "the role 'a' is named twice");
  EXPECT_TRUE(bench.store.size() == 1u) << "only the cluster's name";
}

TEST(Quota, NestedGuaranteesFitTheirParent) {
  const auto check = [](std::map<std::string, Quota> quotas) {
    const Result<void> result = master::check_quota_tree(quotas);
    return result.has_value() ? std::string() : result.error().message;
  };
  EXPECT_EQ(
      check(
          {{"a", quota("cpus:4", "")}, {"a/b", quota("cpus:1", "")}, {"a/c", quota("cpus:3", "")}}),
      "");
  EXPECT_TRUE(says(
      check(
          {{"a", quota("cpus:4", "")}, {"a/b", quota("cpus:2", "")}, {"a/c", quota("cpus:3", "")}}),
      "guaranteed 5 cpus together, more than its own guarantee of 4"));
  // Without a guarantee of its own the parent's limit is the bound, however deep.
  EXPECT_TRUE(says(check({{"a", quota("", "cpus:4")}, {"a/b/c", quota("cpus:5", "")}}),
                   "more than its limit of 4"));
  EXPECT_TRUE(says(check({{"a", quota("", "cpus:4")},
                          {"a/b", quota("mem:1", "")},
                          {"a/b/c", quota("cpus:5", "")}}),
                   "more than its limit of 4"));
  EXPECT_TRUE(says(check({{"a", quota("", "cpus:4")}, {"a/b", quota("", "cpus:5")}}),
                   "is above the limit of 4 for 'a'"));
  // A name that only begins the same is not below.
  EXPECT_EQ(check({{"a", quota("", "cpus:4")}, {"a-b", quota("cpus:9", "")}}), "");
}

TEST(Quota, WhatIsGuaranteedBelowCountsOnce) {
  const std::map<std::string, Quota> quotas = {
      {"a", quota("cpus:4", "")}, {"a/b", quota("cpus:3; mem:7", "")}, {"z", quota("cpus:1", "")}};
  EXPECT_EQ(to_text(master::total_guarantees(quotas)), "cpus:5; mem:7");
}

}  // namespace
}  // namespace tepui
