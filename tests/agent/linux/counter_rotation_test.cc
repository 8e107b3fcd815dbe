#include "agent/linux/counter_rotation.h"

#include <gtest/gtest.h>

#include <map>

namespace tepui {
namespace {

using namespace std::chrono_literals;
using Turn = CounterRotation::Turn;

Instant at(Duration time) { return Instant(100s + time); }

TEST(CounterRotation, CountsAllWhereTheyFit) {
  CounterRotation rotation(3, 1s);
  EXPECT_EQ(rotation.advance(at(0s)), Turn());
  rotation.add(7);
  rotation.add(5);
  EXPECT_EQ(rotation.advance(at(1s)), (Turn{.end = {}, .begin = {7, 5}}));
  EXPECT_EQ(rotation.advance(at(100s)), Turn()) << "nobody waits";
  rotation.add(9);
  EXPECT_EQ(rotation.advance(at(100s)), (Turn{.end = {}, .begin = {9}})) << "a place was free";
}

TEST(CounterRotation, GivesTheLongestCountedPlaceToWhoeverWaits) {
  CounterRotation rotation(2, 1s);
  for (const uint32_t slot : {1, 2, 3}) rotation.add(slot);
  EXPECT_EQ(rotation.advance(at(0s)), (Turn{.end = {}, .begin = {1, 2}}));
  EXPECT_EQ(rotation.advance(at(999ms)), Turn()) << "a turn has its time";
  EXPECT_EQ(rotation.advance(at(1s)), (Turn{.end = {1}, .begin = {3}}));
  EXPECT_EQ(rotation.advance(at(2s)), (Turn{.end = {2}, .begin = {1}}));
  EXPECT_EQ(rotation.advance(at(3s)), (Turn{.end = {3}, .begin = {2}}));
}

TEST(CounterRotation, ReplacesAllAtOnceWhereManyWait) {
  CounterRotation rotation(2, 1s);
  for (const uint32_t slot : {1, 2, 3, 4, 5}) rotation.add(slot);
  rotation.advance(at(0s));
  EXPECT_EQ(rotation.advance(at(1s)), (Turn{.end = {1, 2}, .begin = {3, 4}}));
  EXPECT_EQ(rotation.advance(at(2s)), (Turn{.end = {3, 4}, .begin = {5, 1}}));
}

TEST(CounterRotation, IsFairInTheLongRun) {
  CounterRotation rotation(3, 1s);
  std::map<uint32_t, int> turns;
  for (uint32_t slot = 1; slot <= 7; ++slot) rotation.add(slot);
  for (int second = 0; second < 700; ++second) {
    rotation.advance(at(std::chrono::seconds(second)));
    EXPECT_EQ(rotation.counted().size(), 3u);
    for (const uint32_t slot : rotation.counted()) ++turns[slot];
  }
  for (const auto& [slot, count] : turns) EXPECT_NEAR(count, 300, 3) << slot;
}

TEST(CounterRotation, ForgetsWhoGoes) {
  CounterRotation rotation(2, 1s);
  for (const uint32_t slot : {1, 2, 3}) rotation.add(slot);
  rotation.advance(at(0s));
  rotation.remove(1);
  EXPECT_EQ(rotation.advance(at(100ms)), (Turn{.end = {}, .begin = {3}}));
  rotation.remove(2);
  rotation.remove(3);
  EXPECT_EQ(rotation.advance(at(10s)), Turn());
  EXPECT_TRUE(rotation.counted().empty());
}

}  // namespace
}  // namespace tepui
