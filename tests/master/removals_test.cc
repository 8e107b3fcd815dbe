// How fast agents are given up, and when none is.
#include <gtest/gtest.h>

#include <vector>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

MasterTunables one_a_minute() { return {.removal_gap = 60s}; }

TEST(Removals, WithoutALimitAllComeAtOnce) {
  Bench bench;
  for (int i = 0; i < 5; ++i) bench.agent();
  bench.pass(76s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 5u);
}

TEST(Removals, ComeOneByOneAtTheRateThatIsAllowed) {
  Bench bench(one_a_minute());
  for (int i = 0; i < 3; ++i) bench.agent();
  bench.pass(76s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  bench.pass(58s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  bench.pass(2s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 2u);
  bench.pass(60s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 3u);
}

TEST(Removals, AnAnswerWithdrawsTheOneThatWaits) {
  Bench bench(one_a_minute());
  bench.agent();
  const TestAgent late = bench.agent();
  const TestAgent last = bench.agent();
  bench.pass(76s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  EXPECT_FALSE(bench.take<Ping>(late.session).empty()) << "it is still asked";
  bench.say(late.session, Pong{});
  bench.answer_pings(late.session);
  bench.pass(60s);
  // Its turn was not used up.
  EXPECT_EQ(bench.master().totals().agents_unreachable, 2u);
  EXPECT_TRUE(bench.effects.closed.contains(last.session));
  bench.pass(300s);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Removals, AnAgentThatFallsSilentAgainWaitsAgain) {
  Bench bench(one_a_minute());
  bench.agent();
  const TestAgent late = bench.agent();
  bench.pass(76s);
  bench.say(late.session, Pong{});
  bench.pass(90s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 2u);
}

TEST(Removals, ComingBackWithdrawsTheOneThatWaits) {
  Bench bench({.agent_reregister_timeout = 10s, .removal_gap = 60s});
  std::vector<TestAgent> agents;
  for (int i = 0; i < 3; ++i) agents.push_back(bench.agent());
  bench.restart();
  bench.pass(11s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  EXPECT_EQ(bench.master().totals().agents_recovered, 2u);
  for (TestAgent& agent : agents) {
    if (bench.store.contains("unreachable/" + agent.info.id.value)) continue;
    bench.reregister(agent);
    bench.answer_pings(agent.session);
  }
  bench.pass(300s);
  EXPECT_EQ(bench.master().totals().agents_active, 2u);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
}

TEST(Removals, WhatAnOperatorOrdersDoesNotWait) {
  Bench bench(one_a_minute());
  bench.agent();
  const TestAgent second = bench.agent();
  bench.pass(76s);
  ASSERT_EQ(bench.master().totals().agents_unreachable, 1u);
  bench.answer_pings(second.session);
  bench.say(second.session, UnregisterAgent{});
  bench.settle();
  EXPECT_TRUE(bench.store.contains("gone/" + second.info.id.value));
}

TEST(Removals, ALooserLimitHoldsAtOnce) {
  Bench bench(one_a_minute());
  for (int i = 0; i < 4; ++i) bench.agent();
  bench.pass(76s);
  ASSERT_EQ(bench.master().totals().agents_unreachable, 1u);
  bench.master().on_tunables(bench.now, {});
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_unreachable, 4u);
}

TEST(Removals, TooManyMissingAfterAnElectionEndTheLeadershipInstead) {
  for (const int percent : {50, 49}) {
    Bench bench({.agent_reregister_timeout = 10s, .recovery_removal_percent_max = percent});
    std::vector<TestAgent> agents;
    for (int i = 0; i < 4; ++i) agents.push_back(bench.agent());
    bench.restart();
    for (size_t i = 0; i < 2; ++i) {
      bench.reregister(agents[i]);
      bench.answer_pings(agents[i].session);
    }
    // Not pass(): a master that has resigned waits for nothing.
    bench.now.mono += 11s;
    bench.master().on_time(bench.now);
    bench.settle();
    if (percent == 50) {
      EXPECT_EQ(bench.master().totals().agents_unreachable, 2u);
      EXPECT_TRUE(bench.effects.resignations.empty());
    } else {
      ASSERT_EQ(bench.effects.resignations.size(), 1u);
      EXPECT_EQ(bench.effects.resignations[0],
                "2 of 4 agents did not come back after the election, and at most 49 % may be "
                "given up for that");
      EXPECT_TRUE(bench.store.contains("agents/" + agents[3].info.id.value));
    }
  }
}

}  // namespace
}  // namespace tepui
