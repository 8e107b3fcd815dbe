#include "common/timers.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"

namespace tepui {
namespace {

Instant at(int64_t ns) { return Instant(Duration(ns)); }

std::vector<int> due(Timers<int>& timers, Instant now) {
  std::vector<int> fired;
  timers.advance_to(now, [&fired](int payload) { fired.push_back(payload); });
  return fired;
}

TEST(Timers, FireInOrderOfDeadlineAndThenOfArming) {
  Timers<int> timers;
  EXPECT_EQ(timers.next_deadline(), kNever);
  timers.arm(at(30), 3);
  timers.arm(at(10), 1);
  timers.arm(at(20), 2);
  timers.arm(at(10), 11);
  EXPECT_EQ(timers.next_deadline(), at(10));
  EXPECT_EQ(due(timers, at(9)), (std::vector<int>{}));
  EXPECT_EQ(due(timers, at(20)), (std::vector<int>{1, 11, 2}));
  EXPECT_EQ(timers.next_deadline(), at(30));
  EXPECT_EQ(timers.size(), 1u);
}

TEST(Timers, CancelledOnesDoNotFire) {
  Timers<int> timers;
  const TimerId first = timers.arm(at(10), 1);
  const TimerId second = timers.arm(at(20), 2);
  EXPECT_TRUE(timers.cancel(first));
  EXPECT_FALSE(timers.cancel(first));
  EXPECT_FALSE(timers.cancel(TimerId{}));
  EXPECT_EQ(timers.next_deadline(), at(20));
  EXPECT_EQ(due(timers, at(100)), (std::vector<int>{2}));
  EXPECT_FALSE(timers.cancel(second));
}

TEST(Timers, AStaleIdDoesNotCancelTheTimerThatTookItsPlace) {
  Timers<int> timers;
  const TimerId old = timers.arm(at(10), 1);
  timers.cancel(old);
  const TimerId young = timers.arm(at(10), 2);
  EXPECT_EQ(old.index, young.index);
  EXPECT_FALSE(timers.is_armed(old));
  EXPECT_FALSE(timers.cancel(old));
  EXPECT_EQ(due(timers, at(10)), (std::vector<int>{2}));
}

TEST(Timers, RearmMovesTheDeadline) {
  Timers<std::string> timers;
  TimerId id = timers.arm(at(10), "old");
  id = timers.rearm(id, at(50), "new");
  EXPECT_EQ(timers.take_due(at(40)), std::nullopt);
  EXPECT_EQ(timers.take_due(at(50)), "new");
  EXPECT_FALSE(timers.is_armed(id));
}

TEST(Timers, ADeadlineOfNeverNeverFires) {
  Timers<int> timers;
  timers.arm(kNever, 1);
  EXPECT_EQ(timers.next_deadline(), kNever);
  EXPECT_EQ(due(timers, kNever), (std::vector<int>{}));
}

TEST(Timers, WhatAFiringTimerArmsWaitsForTheNextTurn) {
  Timers<int> timers;
  timers.arm(at(10), 0);
  const TimerId victim = timers.arm(at(11), 99);
  timers.arm(at(12), 50);
  std::vector<int> fired;
  for (int turn = 0; turn < 3; ++turn) {
    timers.advance_to(at(20), [&](int payload) {
      fired.push_back(payload);
      timers.cancel(victim);
      if (payload != 50) timers.arm(at(5), payload + 1);
    });
  }
  EXPECT_EQ(fired, (std::vector<int>{0, 50, 1, 2}));
}

// Method: the same random steps on Timers and on a sorted map.
TEST(Timers, DoWhatASortedMapDoes) {
  Rng rng(7);
  Timers<uint64_t> timers;
  std::map<std::pair<Instant, uint64_t>, TimerId> model;
  uint64_t next = 0;
  Instant now = at(0);
  for (int step = 0; step < 20000; ++step) {
    if (rng.chance(1, 2)) {
      const Instant when = now + Duration(static_cast<int64_t>(rng.below(50)));
      model[{when, next}] = timers.arm(when, next);
      ++next;
    } else if (!model.empty() && rng.chance(1, 2)) {
      const auto victim = std::next(model.begin(), static_cast<long>(rng.below(model.size())));
      ASSERT_TRUE(timers.cancel(victim->second));
      model.erase(victim);
    } else {
      now += Duration(static_cast<int64_t>(rng.below(10)));
      std::vector<uint64_t> expected;
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->first.second);
        model.erase(model.begin());
      }
      std::vector<uint64_t> fired;
      timers.advance_to(now, [&fired](uint64_t payload) { fired.push_back(payload); });
      ASSERT_EQ(fired, expected);
    }
    ASSERT_EQ(timers.size(), model.size());
    ASSERT_EQ(timers.next_deadline(), model.empty() ? kNever : model.begin()->first.first);
  }
}

}  // namespace
}  // namespace tepui
