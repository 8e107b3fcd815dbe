#include "agent/rates.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

using namespace std::chrono_literals;

Reading at(Duration when, Sample sample) {
  sample.at = Instant(when);
  return {.container_id = {"c"}, .sample = sample};
}

TEST(Rates, AreWhatHappenedPerSecond) {
  const Rates rates = rates_between(at(10s, {.cpu_usage_ns = 1'000'000'000,
                                             .cpu_periods = 100,
                                             .cpu_throttled_periods = 10,
                                             .switches_voluntary = 5,
                                             .switches_forced = 1,
                                             .io_read_bytes = 0,
                                             .cpu_some_ns = 0,
                                             .net_sent_bytes = 1000}),
                                    at(12s, {.cpu_usage_ns = 4'000'000'000,
                                             .cpu_periods = 120,
                                             .cpu_throttled_periods = 15,
                                             .switches_voluntary = 11,
                                             .switches_forced = 3,
                                             .io_read_bytes = 8192,
                                             .cpu_some_ns = 500'000'000,
                                             .net_sent_bytes = 1000}));
  EXPECT_DOUBLE_EQ(*rates.cpus, 1.5);
  EXPECT_DOUBLE_EQ(*rates.throttled, 0.25);
  EXPECT_DOUBLE_EQ(*rates.cpu_pressure, 0.25);
  EXPECT_DOUBLE_EQ(*rates.io_read_bytes, 4096);
  EXPECT_DOUBLE_EQ(*rates.net_sent_bytes, 0);
  EXPECT_DOUBLE_EQ(*rates.switches, 4);
}

TEST(Rates, OfWhatWasNotMeasuredAreAbsent) {
  const Rates rates = rates_between(at(1s, {.cpu_usage_ns = 1, .net_sent_bytes = 5}),
                                    at(2s, {.cpu_usage_ns = 1, .net_received_bytes = 5}));
  EXPECT_TRUE(rates.cpus);
  EXPECT_FALSE(rates.net_sent_bytes);
  EXPECT_FALSE(rates.net_received_bytes);
  EXPECT_FALSE(rates.throttled);
  EXPECT_FALSE(rates.switches);
}

TEST(Rates, OfACountThatBeganAnewAreAbsent) {
  const Rates rates = rates_between(at(1s, {.cpu_usage_ns = 100, .net_sent_bytes = 5}),
                                    at(2s, {.cpu_usage_ns = 99, .net_sent_bytes = 6}));
  EXPECT_FALSE(rates.cpus);
  EXPECT_DOUBLE_EQ(*rates.net_sent_bytes, 1);
}

TEST(Rates, AcrossARestartOrNoTimeAreAbsent) {
  const Reading before = at(1s, {.cpu_usage_ns = 100});
  Reading after = at(2s, {.cpu_usage_ns = 200});
  EXPECT_TRUE(rates_between(before, after).cpus);
  after.container_id = {"another"};
  EXPECT_FALSE(rates_between(before, after).cpus);
  EXPECT_FALSE(rates_between(before, before).cpus);
  EXPECT_FALSE(rates_between(at(2s, {.cpu_usage_ns = 1}), at(1s, {.cpu_usage_ns = 2})).cpus);
}

TEST(Rates, OfPressureAreAtMostAll) {
  EXPECT_DOUBLE_EQ(
      *rates_between(at(1s, {.io_some_ns = 0}), at(2s, {.io_some_ns = 3'000'000'000})).io_pressure,
      1.0);
}

TEST(Rates, CountCyclesForEachInstruction) {
  const auto cpi = [](const Sample& from, const Sample& to) {
    return rates_between(at(1s, from), at(2s, to)).cycles_per_instruction;
  };
  EXPECT_DOUBLE_EQ(*cpi({.cycles = 100, .instructions = 100}, {.cycles = 400, .instructions = 300}),
                   1.5);
  EXPECT_FALSE(cpi({.cycles = 100, .instructions = 100}, {.cycles = 400, .instructions = 100}));
  EXPECT_FALSE(cpi({.instructions = 100}, {.cycles = 400, .instructions = 300}));
}

TEST(Rates, WithoutAPeriodNothingIsThrottled) {
  EXPECT_DOUBLE_EQ(*rates_between(at(1s, {.cpu_periods = 7, .cpu_throttled_periods = 2}),
                                  at(2s, {.cpu_periods = 7, .cpu_throttled_periods = 2}))
                        .throttled,
                   0);
}

}  // namespace
}  // namespace tepui
