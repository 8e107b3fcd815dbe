#include "agent/qos/usage_history.h"

#include <gtest/gtest.h>

#include <functional>

namespace tepui {
namespace {

// A container that in each reading uses as many milli-cpus as it is said.
UsageHistory using_cpus(int readings, const std::function<int64_t(int)>& milli) {
  UsageHistory history;
  int64_t sum = 0;
  for (int reading = 0; reading < readings; ++reading) {
    sum += milli(reading) * 100'000;
    history.add(
        static_cast<uint64_t>(reading),
        {.at = Instant(std::chrono::milliseconds(100) * (reading + 1)), .cpu_usage_ns = sum});
  }
  return history;
}

TEST(UsageHistory, KeepsWhatWasUsedInEachReading) {
  UsageHistory history;
  EXPECT_EQ(history.latest(Contended::kCpu), 0);
  EXPECT_EQ(history.mean(Contended::kCpu, 10), 0);
  history.add(7, {.at = Instant(std::chrono::seconds(1)),
                  .cpu_usage_ns = 0,
                  .memory_bytes = 4 << 20,
                  .io_read_bytes = 0,
                  .io_written_bytes = 0,
                  .net_sent_bytes = 0});
  history.add(8, {.at = Instant(std::chrono::seconds(2)),
                  .cpu_usage_ns = 1'500'000'000,
                  .memory_bytes = 8 << 20,
                  .io_read_bytes = 1024,
                  .io_written_bytes = 4096,
                  .net_sent_bytes = 10'240});
  EXPECT_EQ(history.at(Contended::kCpu, 8), 1500);
  EXPECT_EQ(history.at(Contended::kMemory, 8), 8192);
  EXPECT_EQ(history.at(Contended::kIo, 8), 5);
  EXPECT_EQ(history.at(Contended::kNetwork, 8), 10);
  EXPECT_EQ(history.at(Contended::kCpu, 9), 0) << "not measured";
  EXPECT_EQ(history.at(Contended::kCpu, 8 + kReadingsKept), 0) << "another one's place";
}

TEST(UsageHistory, BlamesWhoIsActiveWhileTheOtherSuffers) {
  Suffering victim;
  const auto suffers = [](int reading) { return reading % 20 >= 10; };
  for (int reading = 0; reading < 60; ++reading) {
    victim.add(static_cast<uint64_t>(reading), suffers(reading) ? 8000 : 1000, 4000);
  }
  const UsageHistory culprit = using_cpus(60, [&](int r) { return suffers(r) ? 2000 : 0; });
  const UsageHistory innocent = using_cpus(60, [&](int r) { return suffers(r) ? 0 : 2000; });
  const UsageHistory steady = using_cpus(60, [](int) { return 2000; });
  const UsageHistory small = using_cpus(60, [&](int r) { return suffers(r) ? 20 : 0; });
  const auto of = [&](const UsageHistory& usage) {
    return blame(usage, Contended::kCpu, victim, 59);
  };
  EXPECT_GT(of(culprit), of(steady));
  EXPECT_GT(of(culprit), of(small) * 50);
  EXPECT_LT(of(innocent), 0);
  EXPECT_GT(of(small), 0);
}

TEST(UsageHistory, BlamesNobodyWithoutSuffering) {
  Suffering victim;
  const UsageHistory steady = using_cpus(60, [](int) { return 2000; });
  EXPECT_EQ(blame(steady, Contended::kCpu, victim, 59), 0);
  for (uint64_t reading = 0; reading < 60; ++reading) victim.add(reading, 4000, 4000);
  EXPECT_EQ(blame(steady, Contended::kCpu, victim, 59), 0) << "just borne";
}

TEST(Suffering, IsBoundedAndGrowsWithTheValue) {
  Suffering suffering;
  suffering.add(0, 0, 4000);
  EXPECT_EQ(suffering.at(0), -1000);
  suffering.add(1, 8000, 4000);
  EXPECT_EQ(suffering.at(1), 500);
  suffering.add(2, INT64_MAX, 4000);
  EXPECT_EQ(suffering.at(2), 1000);
  suffering.add(3, 2000, 4000);
  EXPECT_EQ(suffering.at(3), -500);
  EXPECT_EQ(suffering.at(4), 0);
}

}  // namespace
}  // namespace tepui
