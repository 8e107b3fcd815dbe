#include "agent/linux/cgroup_text.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

TEST(CgroupText, ReadsCpuStat) {
  Sample sample;
  read_cpu_stat(
      "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnice_usec 3\nnr_periods 4\n"
      "nr_throttled 2\nthrottled_usec 70\n",
      sample);
  EXPECT_EQ(sample.cpu_usage_ns, Measured(1'500'000));
  EXPECT_EQ(sample.cpu_user_ns, Measured(1'000'000));
  EXPECT_EQ(sample.cpu_system_ns, Measured(500'000));
  EXPECT_EQ(sample.cpu_periods, Measured(4));
  EXPECT_EQ(sample.cpu_throttled_periods, Measured(2));
  EXPECT_EQ(sample.cpu_throttled_ns, Measured(70'000));
}

TEST(CgroupText, WhatIsNoNumberStaysAbsent) {
  Sample sample;
  read_cpu_stat(
      "usage_usec\nuser_usec x\nsystem_usec -5\nnr_periods 5x\nnr_throttled 99999999999999999999\n",
      sample);
  EXPECT_EQ(sample, Sample{});
  read_cpu_stat("usage_usec 9223372036854775807\n", sample);
  EXPECT_FALSE(sample.cpu_usage_ns.known()) << "too many nanoseconds";
  EXPECT_FALSE(read_number("max\n").known());
  EXPECT_FALSE(read_number("").known());
  EXPECT_EQ(read_number("0\n"), Measured(0));
}

TEST(CgroupText, ReadsPressure) {
  Measured some;
  Measured full;
  read_pressure(
      "some avg10=0.00 avg60=1.50 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
      "total=7\n",
      some, full);
  EXPECT_EQ(some, Measured(12'000));
  EXPECT_EQ(full, Measured(7'000));
  Measured none;
  read_pressure("some avg10=0.00\nfull total=\n", none, none);
  EXPECT_FALSE(none.known());
}

TEST(CgroupText, AddsDevicesUp) {
  Sample sample;
  read_io_stat(
      "254:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n"
      "254:16 rbytes=1 wbytes=2 rios=3 wios=4\n",
      sample);
  EXPECT_EQ(sample.io_read_bytes, Measured(101));
  EXPECT_EQ(sample.io_written_bytes, Measured(22));
  EXPECT_EQ(sample.io_reads, Measured(6));
  EXPECT_EQ(sample.io_writes, Measured(8));
  Sample idle;
  read_io_stat("", idle);
  EXPECT_EQ(idle.io_reads, Measured(0)) << "it did nothing, and that is known";
}

TEST(CgroupText, ReadsMemoryEvents) {
  Sample sample;
  read_memory_events("low 0\nhigh 2\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n", sample);
  EXPECT_EQ(sample.memory_high_events, Measured(2));
  EXPECT_EQ(sample.memory_max_events, Measured(3));
  EXPECT_EQ(sample.oom_kills, Measured(1));
}

}  // namespace
}  // namespace tepui
