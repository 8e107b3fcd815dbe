#include "agent/qos/signals.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

constexpr Duration kStep = std::chrono::milliseconds(100);

Instant at(int step) { return Instant(std::chrono::hours(1)) + kStep * step; }

TEST(ContainerSignals, EverySignalHasItsNameOnce) {
  for (const SignalInfo& info : kSignals) {
    EXPECT_EQ(signal_named(info.name), info.signal);
    EXPECT_EQ(&info_of(info.signal), &info);
    EXPECT_FALSE(info.unit.empty());
  }
  EXPECT_FALSE(signal_named("load").has_value());
}

TEST(ContainerSignals, AreAbsentWithoutSamplesAndWhereNothingWasMeasured) {
  ContainerSignals signals;
  for (const SignalInfo& info : kSignals) EXPECT_FALSE(signals.value(info.signal)) << info.name;
  for (int step = 0; step < 20; ++step) signals.add({.at = at(step)});
  for (const SignalInfo& info : kSignals) EXPECT_FALSE(signals.value(info.signal)) << info.name;
}

TEST(ContainerSignals, PartsOfTheTimeAreOverTheirWindow) {
  ContainerSignals signals;
  // Nothing for a second, then 40 ms of each 100.
  int64_t stalled = 0;
  for (int step = 0; step < 30; ++step) {
    if (step > 10) stalled += 40'000'000;
    signals.add({.at = at(step), .reclaim_stall_ns = stalled});
    if (step == 11) {
      EXPECT_EQ(signals.value(Signal::kReclaim), 80);  // 40 of 500 ms
    }
    if (step == 13) {
      EXPECT_EQ(signals.value(Signal::kReclaim), 240);  // 120 of 500 ms
    }
  }
  EXPECT_EQ(signals.value(Signal::kReclaim), 400);
}

// As the iterator reads it: the kernel adds it up every two seconds.
TEST(ContainerSignals, PressureThatComesInLumpsIsEvenedOut) {
  ContainerSignals signals;
  int64_t waited = 0;
  int64_t all = 0;
  for (int step = 0; step < 200; ++step) {
    if (step % 20 == 19) {
      waited += 600'000'000;
      all += 2'200'000'000;  // and late, too
    }
    signals.add({.at = at(step), .cpu_some_ns = waited, .io_some_ns = all});
    if (step < 60) continue;
    const int64_t value = signals.value(Signal::kCpuPressure).value_or(0);
    EXPECT_GE(value, 250) << step;
    EXPECT_LE(value, 450) << step;
    EXPECT_LE(signals.value(Signal::kIoPressure).value_or(0), 1000) << step;
  }
}

TEST(ContainerSignals, ThrottlingIsOfPeriodsNotOfTime) {
  ContainerSignals signals;
  for (int step = 0; step < 12; ++step) {
    signals.add({.at = at(step), .cpu_periods = step * 10, .cpu_throttled_periods = step * 3});
  }
  EXPECT_EQ(signals.value(Signal::kCpuThrottling), 300);
  // Who wants no processor has no periods, and is not throttled.
  for (int step = 12; step < 24; ++step) {
    signals.add({.at = at(step), .cpu_periods = 110, .cpu_throttled_periods = 33});
  }
  EXPECT_EQ(signals.value(Signal::kCpuThrottling), 0);
}

TEST(ContainerSignals, FasterSamplesDoNotShortenTheWindow) {
  ContainerSignals signals;
  // Every 10 ms; a fifth of the time until one second before the end, all of it then.
  int64_t waited = 0;
  for (int step = 0; step < 300; ++step) {
    waited += step < 275 ? 2'000'000 : 10'000'000;
    signals.add(
        {.at = Instant(std::chrono::hours(1)) + kStep / 10 * step, .reclaim_stall_ns = waited});
  }
  // Of half a second a quarter at 1000, the rest at 200.
  const int64_t value = signals.value(Signal::kReclaim).value_or(0);
  EXPECT_GT(value, 500);
  EXPECT_LT(value, 660);
}

TEST(ContainerSignals, CyclesPerInstructionAreComparedWithWhatIsUsual) {
  ContainerSignals signals;
  int64_t cycles = 0;
  int64_t instructions = 0;
  int step = 0;
  const auto run = [&](int steps, int64_t per_thousand) {
    for (int end = step + steps; step < end; ++step) {
      instructions += 10'000'000;
      cycles += 10'000 * per_thousand;
      signals.add({.at = at(step), .cycles = cycles, .instructions = instructions});
    }
  };
  run(300, 800);
  EXPECT_FALSE(signals.value(Signal::kCyclesPerInstruction)) << "not known before a minute";
  run(900, 800);
  const int64_t usual = signals.value(Signal::kCyclesPerInstruction).value_or(0);
  EXPECT_NEAR(static_cast<double>(usual), 100, 3);
  run(20, 1600);
  EXPECT_NEAR(static_cast<double>(signals.value(Signal::kCyclesPerInstruction).value_or(0)), 200,
              10);
  // An hour of interference does not become usual, but what lasts does.
  run(36'000, 1600);
  EXPECT_GT(signals.value(Signal::kCyclesPerInstruction).value_or(0), 115);
  run(100'000, 1600);
  EXPECT_NEAR(static_cast<double>(signals.value(Signal::kCyclesPerInstruction).value_or(0)), 100,
              5);
}

TEST(ContainerSignals, MemoryThatGrowsIsSoonAtItsMaximum) {
  ContainerSignals signals;
  signals.set_memory_max(1000 << 20);
  for (int step = 0; step < 12; ++step) {
    signals.add({.at = at(step), .memory_bytes = (500 + step * 20) << 20});
  }
  EXPECT_EQ(signals.value(Signal::kMemoryUse), 720);
  EXPECT_EQ(signals.value(Signal::kOutOfMemorySoon), 920);  // 200 MB/s more
  for (int step = 12; step < 24; ++step) {
    signals.add({.at = at(step), .memory_bytes = (720 - step) << 20});
  }
  EXPECT_EQ(signals.value(Signal::kOutOfMemorySoon), signals.value(Signal::kMemoryUse));
  signals.set_memory_max(0);
  EXPECT_FALSE(signals.value(Signal::kMemoryUse));
}

TEST(ContainerSignals, LossesOfFewPacketsSayNothing) {
  ContainerSignals signals;
  for (int step = 0; step < 12; ++step) {
    signals.add({.at = at(step), .net_sent_packets = step, .net_retransmissions = step});
  }
  EXPECT_EQ(signals.value(Signal::kRetransmissions), 0);
  for (int step = 12; step < 24; ++step) {
    signals.add({.at = at(step), .net_sent_packets = step * 100, .net_retransmissions = step * 10});
  }
  EXPECT_EQ(signals.value(Signal::kRetransmissions), 100);
}

TEST(ContainerSignals, DropsAreOfWhatItWantedToSend) {
  ContainerSignals signals;
  for (int step = 0; step < 12; ++step) {
    signals.add({.at = at(step), .net_sent_packets = step * 30, .net_dropped_packets = step * 10});
  }
  EXPECT_EQ(signals.value(Signal::kDrops), 250);
}

TEST(ContainerSignals, WhatATaskReportsCountsForASecondOrTwo) {
  ContainerSignals signals;
  signals.add({.at = at(1)});
  signals.report(at(1), 900);
  EXPECT_EQ(signals.value(Signal::kReportedLatency), 900);
  signals.add({.at = at(20)});
  EXPECT_EQ(signals.value(Signal::kReportedLatency), 900);
  signals.add({.at = at(40)});
  EXPECT_FALSE(signals.value(Signal::kReportedLatency));
  signals.report(at(40), -5);
  EXPECT_EQ(signals.value(Signal::kReportedLatency), 0);
}

TEST(ContainerSignals, ACountThatBeganAnewIsNotCompared) {
  ContainerSignals signals;
  for (int step = 0; step < 12; ++step) {
    signals.add({.at = at(step), .cpu_usage_ns = step * 50'000'000, .cpu_some_ns = 1'000'000'000});
  }
  EXPECT_EQ(signals.cpu_milli(), 500);
  signals.add({.at = at(12), .cpu_usage_ns = 0, .cpu_some_ns = 0});
  EXPECT_FALSE(signals.value(Signal::kCpuPressure));
  EXPECT_FALSE(signals.cpu_milli());
}

TEST(ContainerSignals, ATimeThatDoesNotPassIsIgnored) {
  ContainerSignals signals;
  signals.add({.at = at(1), .cpu_some_ns = 0});
  signals.add({.at = at(1), .cpu_some_ns = 500});
  EXPECT_FALSE(signals.value(Signal::kCpuPressure));
  signals.add({.at = at(0), .cpu_some_ns = 500});
  EXPECT_FALSE(signals.value(Signal::kCpuPressure));
}

}  // namespace
}  // namespace tepui
