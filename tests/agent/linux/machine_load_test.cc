#include "agent/linux/machine_load.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

constexpr std::string_view kMeminfo =
    "MemTotal:       24590772 kB\nMemFree:        14014528 kB\nMemAvailable:   23512664 kB\n";
constexpr std::string_view kStat =
    "cpu  100 20 30 5000 400 5 6 7 50 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n";

TEST(MachineLoad, ReadsWhatTheKernelWrites) {
  const MachineSample sample = parse_machine("0.52 1.58 12.59 3/602 58763\n", kMeminfo, kStat, 100);
  EXPECT_EQ(sample.load_5min_milli, 1580);
  EXPECT_EQ(sample.load_15min_milli, 12590);
  EXPECT_EQ(sample.memory_total_bytes, int64_t{24590772} * 1024);
  EXPECT_EQ(sample.memory_available_bytes, int64_t{23512664} * 1024);
  EXPECT_EQ(sample.cpu_usage_ns, (100 + 20 + 30 + 5 + 6 + 7) * int64_t{10'000'000})
      << "not what it waited, and guests are in the users' time";
}

TEST(MachineLoad, WhatIsMissingIsZero) {
  EXPECT_EQ(parse_machine("", "", "", 100), MachineSample{});
  EXPECT_EQ(parse_machine("x y z", "MemTotal: kB", "cpu a b", 0), MachineSample{});
}

TEST(MachineLoad, IsReadHere) {
  const Result<MachineLoad> load = MachineLoad::open();
  ASSERT_TRUE(load.has_value()) << load.error().message;
  const MachineSample sample = load->read(Instant(std::chrono::seconds(7)));
  EXPECT_EQ(sample.at, Instant(std::chrono::seconds(7)));
  EXPECT_GT(sample.memory_total_bytes, sample.memory_available_bytes);
  EXPECT_GT(sample.memory_available_bytes, 0);
  EXPECT_GT(sample.cpu_usage_ns, 0);
}

}  // namespace
}  // namespace tepui
