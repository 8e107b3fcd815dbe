#include "agent/qos/ladder.h"

#include <gtest/gtest.h>

#include <vector>

namespace tepui {
namespace {

UsageHistory usage(int64_t cpu_milli, int64_t memory_bytes = 1 << 30, int64_t io_kb = 0) {
  UsageHistory history;
  for (int reading = 0; reading < 12; ++reading) {
    const int64_t second = reading + 1;
    history.add(static_cast<uint64_t>(reading), {.at = Instant(std::chrono::seconds(second)),
                                                 .cpu_usage_ns = second * cpu_milli * 1'000'000,
                                                 .memory_bytes = memory_bytes,
                                                 .io_read_bytes = 0,
                                                 .io_written_bytes = second * io_kb * 1024});
  }
  return history;
}

std::vector<Ladder::Taken> climb(Contended contended, const UsageHistory& used,
                                 bool may_lose_memory = true, const char* profile = "balanced") {
  const QosSettings settings = profile_named(profile).value();
  Ladder ladder;
  std::vector<Ladder::Taken> all;
  for (int tries = 0; tries < 100; ++tries) {
    const auto next = ladder.next(contended, settings, used, may_lose_memory);
    if (!next) break;
    all.push_back(*next);
    ladder.take(contended, *next);
  }
  return all;
}

TEST(Ladder, HalvesTheProcessorsDownToTheFloorAndThenFreezes) {
  const auto taken = climb(Contended::kCpu, usage(1600));
  ASSERT_GE(taken.size(), 7u);
  EXPECT_EQ(taken[0].step, Step::kIdle);
  EXPECT_EQ(taken[1].step, Step::kCpuMax);
  EXPECT_EQ(taken[1].value, 800);
  EXPECT_EQ(taken[1].permille, 500);
  EXPECT_EQ(taken[2].value, 400);
  EXPECT_EQ(taken[2].permille, 250);
  EXPECT_EQ(taken[taken.size() - 3].value, 50) << "the floor";
  EXPECT_EQ(taken[taken.size() - 2].step, Step::kFreeze);
  EXPECT_EQ(taken.back().step, Step::kEvict);
}

TEST(Ladder, MemoryIsTakenInTenthsAndNotBelowItsFloor) {
  const auto taken = climb(Contended::kMemory, usage(0, 100 << 20));
  EXPECT_EQ(taken[0].step, Step::kMemoryHigh);
  EXPECT_EQ(taken[0].value, (100 << 20) / 10 * 9);
  for (const Ladder::Taken& each : taken) {
    if (each.step == Step::kMemoryHigh) {
      EXPECT_GE(each.value, 64 << 20);
    }
  }
  EXPECT_EQ(taken.back().step, Step::kEvict);
}

TEST(Ladder, OwnMemoryIsNotTaken) {
  for (const Ladder::Taken& each : climb(Contended::kMemory, usage(0), false)) {
    EXPECT_NE(each.step, Step::kMemoryHigh);
  }
}

TEST(Ladder, IsUndoneFromItsTop) {
  const QosSettings settings = profile_named("balanced").value();
  const UsageHistory used = usage(1600);
  Ladder ladder;
  std::vector<Corrections> before;
  while (const auto next = ladder.next(Contended::kCpu, settings, used, true)) {
    before.push_back(ladder.corrections());
    ladder.take(Contended::kCpu, *next);
  }
  EXPECT_TRUE(ladder.frozen());
  while (!before.empty()) {
    ASSERT_TRUE(ladder.undo(Contended::kCpu).has_value());
    EXPECT_EQ(ladder.corrections(), before.back());
    before.pop_back();
  }
  EXPECT_TRUE(ladder.none());
  EXPECT_FALSE(ladder.undo(Contended::kCpu).has_value());
}

TEST(Ladder, ResourcesAreCorrectedApartAndHoldTogether) {
  Ladder ladder;
  ladder.take(Contended::kCpu, {.step = Step::kFreeze, .at = Instant(std::chrono::seconds(9))});
  ladder.take(Contended::kMemory, {.step = Step::kMemoryHigh, .value = 1 << 30});
  ladder.take(Contended::kMemory, {.step = Step::kFreeze, .at = Instant(std::chrono::seconds(4))});
  EXPECT_EQ(ladder.frozen_since(), Instant(std::chrono::seconds(4)));
  (void)ladder.undo(Contended::kCpu);
  EXPECT_TRUE(ladder.corrections().frozen);
  (void)ladder.undo(Contended::kMemory);
  EXPECT_FALSE(ladder.corrections().frozen);
  EXPECT_EQ(ladder.corrections().memory_high_bytes, 1 << 30);
}

TEST(Ladder, DevicesAndPacketsHaveFloorsToo) {
  const auto taken = climb(Contended::kIo, usage(0, 0, 4096));
  EXPECT_EQ(taken[0].step, Step::kIoMax);
  EXPECT_EQ(taken[0].value, 2048 << 10);
  int64_t least = INT64_MAX;
  for (const Ladder::Taken& each : taken) {
    if (each.step == Step::kIoMax) least = std::min(least, each.value);
  }
  EXPECT_EQ(least, 256 << 10);
}

}  // namespace
}  // namespace tepui
