#include "agent/oversubscription/task_table.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

TaskTable table() { return {std::chrono::minutes(30), std::chrono::minutes(15)}; }

TEST(TaskTable, AddsUpWhatIsTaken) {
  TaskTable tasks = table();
  tasks.add(0, {.request = 100, .limit = 200});
  tasks.add(7, {.request = 50, .limit = 0});
  EXPECT_EQ(tasks.allocated(), 150);
  EXPECT_EQ(tasks.limit(0), 200);
  EXPECT_EQ(tasks.limit(7), 50);
  EXPECT_FALSE(tasks.taken(3));
  tasks.sample(0, minute(0), 30);
  tasks.sample(7, minute(0), 12);
  tasks.sample(0, minute(5), 20);
  EXPECT_EQ(tasks.total(), 32);
  tasks.remove(0);
  tasks.remove(0);
  tasks.remove(99);
  EXPECT_EQ(tasks.allocated(), 50);
  EXPECT_EQ(tasks.total(), 12);
}

TEST(TaskTable, GivesATakenSlotToTheNewTask) {
  TaskTable tasks = table();
  tasks.add(0, {.request = 100, .limit = 100});
  tasks.sample(0, minute(0), 30);
  tasks.add(0, {.request = 10, .limit = 10});
  EXPECT_EQ(tasks.allocated(), 10);
  EXPECT_EQ(tasks.total(), 0);
  EXPECT_FALSE(tasks.known(0, minute(60)));
}

TEST(TaskTable, BoundsAmounts) {
  TaskTable tasks = table();
  const TaskTerms counted = tasks.add(0, {.request = kHuge, .limit = -1});
  EXPECT_EQ(counted.request, kMaxTaskAmount);
  EXPECT_EQ(counted.limit, kMaxTaskAmount);
  EXPECT_EQ(tasks.sample(0, minute(0), -5), 0);
  EXPECT_EQ(tasks.sample(0, minute(5), kHuge), kMaxTaskAmount);
  for (TaskSlot slot = 0; slot < kMaxTaskSlots; ++slot) tasks.add(slot, {.request = kHuge});
  EXPECT_EQ(tasks.allocated(), kMaxTaskAmount * kMaxTaskSlots);
}

TEST(TaskTable, IgnoresSamplesOfNobodyAndOfThePast) {
  TaskTable tasks = table();
  EXPECT_EQ(tasks.sample(0, minute(0), 5), std::nullopt);
  tasks.add(0, {.request = 100});
  EXPECT_EQ(tasks.sample(0, minute(10), 5), 5);
  EXPECT_EQ(tasks.sample(0, minute(10), 6), std::nullopt);
  EXPECT_EQ(tasks.sample(0, minute(9), 6), std::nullopt);
  EXPECT_EQ(tasks.total(), 5);
}

TEST(TaskTable, KnowsATaskAfterItsFirstTimeAndWhileItIsHeard) {
  TaskTable tasks = table();
  tasks.add(0, {.request = 100});
  EXPECT_FALSE(tasks.known(0, minute(100)));
  for (int64_t at = 0; at <= 30; at += 5) tasks.sample(0, minute(at), 5);
  EXPECT_FALSE(tasks.known(0, minute(29)));
  EXPECT_TRUE(tasks.known(0, minute(30)));
  EXPECT_TRUE(tasks.known(0, minute(45)));
  EXPECT_FALSE(tasks.known(0, minute(46)));
  // After a silence it has to be watched as long as at the start.
  tasks.sample(0, minute(50), 5);
  EXPECT_FALSE(tasks.known(0, minute(50)));
  for (int64_t at = 55; at <= 80; at += 5) tasks.sample(0, minute(at), 5);
  EXPECT_TRUE(tasks.known(0, minute(80)));
}

TEST(TaskTable, RoundsPeaksUpAndKeepsThemInBounds) {
  TaskTable tasks = table();
  tasks.add(0, {.request = 100});
  EXPECT_EQ(tasks.within_bounds(-3).peak, 0);
  EXPECT_EQ(tasks.within_bounds(41.0).peak, 41);
  EXPECT_EQ(tasks.within_bounds(41.1).peak, 42);
  EXPECT_EQ(tasks.within_bounds(1e300).peak, 100);
}

}  // namespace
}  // namespace tepui
