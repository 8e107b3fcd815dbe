#include "agent/oversubscription/estimator.h"

#include <gtest/gtest.h>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

constexpr int64_t kGigabyte = int64_t{1} << 30;

// Two cpus and four gigabytes for each of ten tasks.
void add_ten(Estimator& estimator) {
  for (TaskSlot slot = 0; slot < 10; ++slot) {
    estimator.on_task_added(slot, {.request = 2000, .limit = 2000},
                            {.request = 4 * kGigabyte, .limit = 4 * kGigabyte});
  }
}

Revocable run(Estimator& estimator, int64_t from, int64_t to, int64_t cpus, int64_t memory) {
  Revocable last;
  for (int64_t at = from; at <= to; at += 5) {
    for (TaskSlot slot = 0; slot < 10; ++slot) {
      estimator.on_cpu_sample(slot, minute(at), cpus);
      estimator.on_memory_sample(slot, minute(at), memory);
    }
    last = estimator.revocable(minute(at));
  }
  return last;
}

TEST(Estimator, GivesWhatIsLeftOfEach) {
  auto estimator = Estimator::make({});
  ASSERT_TRUE(estimator.has_value());
  add_ten(*estimator);
  EXPECT_EQ(run(*estimator, 0, 25, 100, kGigabyte), Revocable{});  // too young
  const Revocable amount = run(*estimator, 30, 300, 100, kGigabyte);
  // 20 cpus, less ten times 0.1, one rise of 1.9, and 2 percent; less a trifle that waits.
  EXPECT_LE(amount.cpus_milli, 20'000 - 1000 - 1900 - 400);
  EXPECT_GE(amount.cpus_milli, 20'000 - 1000 - 1900 - 400 - 200);
  // 40 GB, less ten, one rise of three, and five percent.
  EXPECT_LE(amount.memory_bytes, 25 * kGigabyte);
  EXPECT_GE(amount.memory_bytes, 25 * kGigabyte - 40 * kGigabyte / 100);
}

TEST(Estimator, KeepsCpusAndMemoryApart) {
  auto estimator = Estimator::make({});
  add_ten(*estimator);
  run(*estimator, 0, 300, 100, 4 * kGigabyte);
  const Revocable amount = run(*estimator, 305, 310, 100, 4 * kGigabyte);
  EXPECT_GT(amount.cpus_milli, 0);
  EXPECT_EQ(amount.memory_bytes, 0);
}

TEST(Estimator, TakesBackAtOnceWhenNobodyIsHeardOrNobodyIsLeft) {
  auto estimator = Estimator::make({});
  add_ten(*estimator);
  EXPECT_GT(run(*estimator, 0, 300, 100, kGigabyte).cpus_milli, 0);
  EXPECT_EQ(estimator->revocable(minute(316)), Revocable{});
  EXPECT_GT(run(*estimator, 320, 600, 100, kGigabyte).cpus_milli, 0);
  for (TaskSlot slot = 0; slot < 10; ++slot) estimator->on_task_removed(slot);
  EXPECT_EQ(estimator->revocable(minute(600)), Revocable{});
}

TEST(Estimator, SaysWhichPartIsWrong) {
  const auto cpu = Estimator::make({.cpu_predictor = "x"});
  ASSERT_FALSE(cpu.has_value());
  EXPECT_TRUE(cpu.error().message.starts_with("cpus: there is no predictor 'x', expected limits"));
  const auto memory = Estimator::make({.memory_slack = {.margin_permille = 2000}});
  ASSERT_FALSE(memory.has_value());
  EXPECT_TRUE(memory.error().message.starts_with("memory: margin_permille"));
}

TEST(WorkingSet, IsWithoutTheCacheThatCanGo) {
  EXPECT_EQ(working_set_bytes(100, 30), 70);
  EXPECT_EQ(working_set_bytes(100, 300), 0);
  EXPECT_EQ(working_set_bytes(100, -1), 100);
  EXPECT_EQ(working_set_bytes(-1, 0), 0);
}

}  // namespace
}  // namespace tepui
