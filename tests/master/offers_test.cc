// What is offered to whom, and how offers end.
#include <gtest/gtest.h>

#include <set>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

TEST(Offers, HoldAllOfAnAgentForOneFramework) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework first = bench.framework();
  const auto offers = bench.offers(first);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].agent, agent.info.id);
  EXPECT_EQ(offers[0].role, "*");
  EXPECT_EQ(offers[0].resources, machine());
  const TestFramework second = bench.framework();
  EXPECT_TRUE(bench.offers(second).empty()) << "the same resources in two offers";
}

TEST(Offers, AreDividedBetweenRolesByWeight) {
  Bench bench;
  bench.weights = {{"heavy", 2000}};
  bench.restart();
  const TestFramework heavy = bench.framework(framework_info("heavy"));
  const TestFramework light = bench.framework(framework_info("light"));
  bench.say(heavy.session, Suppress{});
  bench.say(light.session, Suppress{});
  for (int i = 0; i < 9; ++i) bench.agent();
  bench.say(heavy.session, Revive{});
  bench.say(light.session, Revive{});
  bench.settle();
  EXPECT_EQ(bench.offers(heavy).size(), 6u);
  EXPECT_EQ(bench.offers(light).size(), 3u);
}

TEST(Offers, AreOnlyOfAgentsThatTheFrameworkWants) {
  Bench bench;
  TestAgent wanted = bench.agent();
  bench.lose(wanted.session);
  wanted.info.attributes = parse_attributes("rack:r1").value();
  wanted.info.domain = {.region = "eu", .zone = "a"};
  bench.reregister(wanted);
  const TestAgent unwanted = bench.agent();
  FrameworkInfo info = framework_info("eng");
  add_constraints(info, "eng",
                  {parse_constraint("rack=r1").value(), parse_constraint("zone=a").value()});
  const TestFramework framework = bench.framework(info);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].agent, wanted.info.id);
}

TEST(Offers, HoldAtLeastWhatTheFrameworkCallsWorthIt) {
  Bench bench;
  const TestAgent agent = bench.agent();
  FrameworkInfo info = framework_info("eng");
  Quantities set;
  set.add("cpus", machine().total_milli("cpus") + 1);
  set_min_allocatable(info, "eng", {set});
  EXPECT_TRUE(bench.offers(bench.framework(info)).empty());
  set = {};
  set.add("cpus", machine().total_milli("cpus"));
  set_min_allocatable(info, "eng", {set});
  EXPECT_EQ(bench.offers(bench.framework(info)).size(), 1u);
}

TEST(Offers, AreRefusedToAFrameworkWhoseConstraintsCannotBeUnderstood) {
  Bench bench;
  FrameworkInfo info = framework_info("eng");
  add_constraints(
      info, "eng",
      {{.attribute = "rack", .test = OfferConstraint::Test::kTextMatches, .value = "("}});
  const SessionId session = bench.new_session();
  bench.say(session, SchedulerToMaster(Hello{}));
  bench.say(session, Subscribe{info});
  bench.settle();
  const auto errors = bench.take<ErrorMessage>(session);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].message,
            "offer constraints of role 'eng': regular expression '(' is wrong: missing ): (");
}

TEST(Offers, IntroduceAnAgentOncePerSession) {
  Bench bench;
  const TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  auto batches = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].agents.size(), 1u);
  EXPECT_EQ(batches[0].agents[0].id, agent.info.id);
  EXPECT_EQ(batches[0].agents[0].address, "10.0.0.1:5051");
  const uint32_t number = batches[0].agents[0].agent;

  bench.decline(framework, batches[0].offers[0].id, 0s);
  batches = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].agents.empty());
  EXPECT_EQ(batches[0].offers[0].agent, number);

  bench.resubscribe(framework);
  batches = bench.take<OfferBatch>(framework.session);
  EXPECT_EQ(batches.at(0).agents.size(), 1u);
}

TEST(Offers, IntroduceAnAgentAgainWhenItsFactsChanged) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const uint32_t before = bench.take<OfferBatch>(framework.session).at(0).agents.at(0).agent;
  bench.lose(agent.session);
  agent.info.attributes = {{"rack", std::string("r2")}};
  bench.reregister(agent);
  const auto batches = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(batches.at(0).agents.size(), 1u);
  EXPECT_NE(batches[0].agents[0].agent, before) << "numbers are never used again in a session";
  EXPECT_EQ(batches[0].agents[0].attributes, agent.info.attributes);
}

TEST(Offers, LeaveInBatchesWithTheirShapesOnce) {
  Bench bench;
  const TestFramework framework = bench.framework();
  bench.say(framework.session, Suppress{});
  bench.audits = false;  // 1,500 times
  for (int i = 0; i < 1500; ++i) bench.agent();
  bench.audits = true;
  bench.say(framework.session, Revive{});
  bench.settle();
  const auto batches = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].offers.size(), 1024u);
  EXPECT_EQ(batches[1].offers.size(), 476u);
  EXPECT_EQ(batches[0].shapes.size(), 1u);
  EXPECT_EQ(batches[0].roles.size(), 1u);
  std::set<OfferId> ids;
  for (const OfferBatch& batch : batches) {
    for (const OfferItem& offer : batch.offers) ids.insert(offer.id);
  }
  EXPECT_EQ(ids.size(), 1500u);
}

TEST(Offers, ThatAreDeclinedComeBackAfterTheFilter) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  const TestFramework framework = bench.framework();
  bench.decline(framework, bench.offers(framework).at(0).id, 30s);
  EXPECT_EQ(bench.events().offers_ended.back(), event::OfferEnd::kDeclined);
  bench.pass(29s);
  EXPECT_TRUE(bench.offers(framework).empty());
  bench.pass(3s);
  EXPECT_EQ(bench.offers(framework).size(), 1u);
}

TEST(Offers, RefusedByOneAreOfferedToAnother) {
  Bench bench;
  bench.agent();
  const TestFramework first = bench.framework();
  const TestFramework second = bench.framework();
  bench.decline(first, bench.offers(first).at(0).id, 1h);
  EXPECT_EQ(bench.offers(second).size(), 1u);
}

TEST(Offers, AreRefusedForFiveSecondsUnlessSaidOtherwise) {
  struct Case {
    std::optional<Duration> refuse;
    Duration silent;
    Duration back;
  };
  for (const Case& one : {Case{std::nullopt, 4s, 8s}, Case{-1s, 4s, 8s}, Case{0s, 0s, 1s}}) {
    Bench bench;
    const TestFramework framework = bench.framework();
    const TestAgent agent = bench.agent();
    bench.answer_pings(agent.session);
    bench.decline(framework, bench.offers(framework).at(0).id, one.refuse);
    if (one.silent > 0s) {
      bench.pass(one.silent);
      EXPECT_TRUE(bench.offers(framework).empty());
    }
    bench.pass(one.back);
    EXPECT_EQ(bench.offers(framework).size(), 1u);
  }
}

TEST(Offers, ReviveEndsAllRefusals) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework();
  bench.decline(framework, bench.offers(framework).at(0).id, 1h);
  bench.say(framework.session, Revive{});
  bench.settle();
  EXPECT_EQ(bench.offers(framework).size(), 1u);
}

TEST(Offers, OfOthersCannotBeDeclined) {
  Bench bench;
  bench.agent();
  const TestFramework owner = bench.framework();
  const TestFramework other = bench.framework();
  const auto offers = bench.offers(owner);
  bench.decline(other, offers.at(0).id);
  EXPECT_EQ(bench.events().dropped.back(), "the offer is no longer valid");
  EXPECT_EQ(bench.master().totals().offers, 1u);
}

TEST(Offers, AreRescindedWhenNobodyAnswersInTime) {
  Bench bench(MasterTunables{.offer_timeout = 20s});
  const TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.pass(19s);
  EXPECT_TRUE(bench.take<Rescind>(framework.session).empty());
  bench.pass(2s);
  const auto rescinds = bench.take<Rescind>(framework.session);
  ASSERT_EQ(rescinds.size(), 1u);
  EXPECT_EQ(rescinds[0].offers, std::vector<OfferId>{offers.at(0).id});
  EXPECT_EQ(bench.events().offers_ended.back(), event::OfferEnd::kTimedOut);
  EXPECT_EQ(bench.offers(framework).size(), 1u) << "without a filter it is offered again";
}

TEST(Offers, ThatWereNeverSentAreNotRescinded) {
  Bench bench;
  const TestFramework framework = bench.framework();
  const TestAgent agent = bench.agent();
  const auto offers = bench.offers(framework);
  bench.decline(framework, offers.at(0).id, 0s);
  bench.take<OfferBatch>(framework.session);
  bench.lose(agent.session);
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
}

TEST(Offers, DoNotGoToSchedulersThatReadTooSlowly) {
  Bench bench;
  const TestFramework slow = bench.framework();
  bench.master().on_peer_congested(bench.now, slow.session);
  const TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  bench.pass(30s);
  EXPECT_TRUE(bench.offers(slow).empty());
  EXPECT_EQ(bench.master().totals().offers, 0u);
  const TestFramework fast = bench.framework();
  const auto offers = bench.offers(fast);
  ASSERT_EQ(offers.size(), 1u) << "what the slow one does not take, others get";
  bench.decline(fast, offers[0].id, 1h);
  bench.master().on_peer_ready(bench.now, slow.session);
  bench.pass(2s);
  EXPECT_EQ(bench.offers(slow).size(), 1u);
}

TEST(Offers, CongestionKeepsTheRefusalsOfBefore) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  const TestFramework framework = bench.framework();
  bench.decline(framework, bench.offers(framework).at(0).id, 1h);
  bench.master().on_peer_congested(bench.now, framework.session);
  bench.settle();
  bench.master().on_peer_ready(bench.now, framework.session);
  bench.pass(60s);
  EXPECT_TRUE(bench.offers(framework).empty());
}

TEST(Offers, OfOneTurnAreCutIntoSlices) {
  Bench bench(MasterTunables{.allocation_slice_agents = 3});
  const TestFramework framework = bench.framework();
  bench.say(framework.session, Suppress{});
  for (int i = 0; i < 10; ++i) bench.agent();
  bench.say(framework.session, Revive{});
  bench.now.mono += 10ms;
  EXPECT_TRUE(bench.master().work(bench.now));
  EXPECT_EQ(bench.offers(framework).size(), 3u);
  bench.settle();
  EXPECT_EQ(bench.offers(framework).size(), 7u);
}

TEST(Offers, RoundsKeepTheirDistance) {
  Bench bench(MasterTunables{.allocation_gap = 50ms});
  bench.agent();
  const TestFramework framework = bench.framework();
  bench.pass(1s);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  bench.now.mono += 60ms;
  bench.say(framework.session, Decline{.offers = {offers[0].id}, .filters = {0s}});
  bench.master().work(bench.now);
  const auto again = bench.offers(framework);
  ASSERT_EQ(again.size(), 1u);
  bench.say(framework.session, Decline{.offers = {again[0].id}, .filters = {0s}});
  bench.now.mono += 10ms;
  bench.master().work(bench.now);
  EXPECT_TRUE(bench.offers(framework).empty());
  EXPECT_EQ(bench.effects.wake, bench.now.mono + 40ms);
  bench.now.mono += 40ms;
  bench.master().on_time(bench.now);
  bench.master().work(bench.now);
  EXPECT_EQ(bench.offers(framework).size(), 1u);
}

}  // namespace
}  // namespace tepui
