#include "agent/linux/cgroup_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace tepui {
namespace {

constexpr int64_t kPage = 4096;

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

cgroup_walk good_walk() {
  return {.version = kCgroupRecordVersion,
          .record_bytes = sizeof(cgroup_record),
          .walk = 7,
          .records = 1,
          .flushed = 1,
          .unused = 0};
}

cgroup_record good_record() {
  cgroup_record record{};
  record.cgroup_id = 99;
  record.walk = 7;
  record.usage_ns = 1000;
  record.user_raw_ns = 30;
  record.system_raw_ns = 10;
  return record;
}

Result<bool> decode(const cgroup_record& record, Sample& sample) {
  return decode_record(bytes_of(record), good_walk(), 99, kPage, sample);
}

TEST(CgroupRecord, WhatTheKernelHasNotIsAbsent) {
  Sample sample;
  ASSERT_EQ(decode(good_record(), sample).value_or(false), true);
  EXPECT_EQ(sample.cpu_usage_ns, Measured(1000));
  EXPECT_EQ(sample.cpu_user_ns, Measured(750));
  EXPECT_EQ(sample.cpu_system_ns, Measured(250));
  for (const Measured& absent : {sample.cpu_periods, sample.memory_bytes, sample.swap_bytes,
                                 sample.io_reads, sample.cpu_some_ns, sample.on_cpu_ns}) {
    EXPECT_FALSE(absent.known());
  }
}

TEST(CgroupRecord, EveryPartIsPut) {
  cgroup_record record = good_record();
  record.has = kHasThrottling | kHasMemory | kHasSwap | kHasIo | kHasPressure;
  record.throttled_ns = 5;
  record.memory_pages = 3;
  record.memory_peak_pages = 4;
  record.oom_kills = 1;
  record.io_written_bytes = 512;
  for (uint64_t i = 0; i < 6; ++i) record.pressure_ns[i] = 10 + i;
  Sample sample;
  ASSERT_EQ(decode(record, sample).value_or(false), true);
  EXPECT_EQ(sample.cpu_throttled_ns, Measured(5));
  EXPECT_EQ(sample.memory_bytes, Measured(3 * kPage));
  EXPECT_EQ(sample.memory_peak_bytes, Measured(4 * kPage));
  EXPECT_EQ(sample.swap_bytes, Measured(0)) << "zero is not absent";
  EXPECT_EQ(sample.oom_kills, Measured(1));
  EXPECT_EQ(sample.io_written_bytes, Measured(512));
  EXPECT_EQ(sample.io_some_ns, Measured(10));
  EXPECT_EQ(sample.memory_full_ns, Measured(13));
  EXPECT_EQ(sample.cpu_some_ns, Measured(14));
}

TEST(CgroupRecord, OfAnotherWalkOrCgroupSaysNothing) {
  cgroup_record older = good_record();
  older.walk = 6;
  cgroup_record other = good_record();
  other.cgroup_id = 98;
  for (const cgroup_record& record : {older, other}) {
    Sample sample;
    EXPECT_EQ(decode(record, sample).value_or(true), false);
    EXPECT_EQ(sample, Sample{});
  }
}

TEST(CgroupRecord, RefusesWhatNoWalkWrites) {
  const cgroup_record good = good_record();
  Sample sample;
  for (size_t size = 0; size < sizeof good; ++size) {
    std::vector<std::byte> shorter = bytes_of(good);
    shorter.resize(size);
    EXPECT_FALSE(decode_record(shorter, good_walk(), 99, kPage, sample).has_value());
  }
  cgroup_record unknown = good;
  unknown.has = 1U << 9;
  EXPECT_FALSE(decode(unknown, sample).has_value());
  cgroup_record negative = good;
  negative.usage_ns = 1ULL << 63;
  EXPECT_FALSE(decode(negative, sample).has_value());
  cgroup_record huge = good;
  huge.has = kHasMemory;
  huge.memory_pages = 1ULL << 60;
  EXPECT_FALSE(decode(huge, sample).has_value());
  EXPECT_EQ(sample, Sample{}) << "nothing of a record that is refused";
}

TEST(CgroupWalkAnswer, RefusesOtherVersionsAndSizes) {
  EXPECT_TRUE(decode_walk(bytes_of(good_walk())).has_value());
  cgroup_walk other = good_walk();
  other.version = 2;
  EXPECT_FALSE(decode_walk(bytes_of(other)).has_value());
  other = good_walk();
  other.record_bytes += 8;
  EXPECT_FALSE(decode_walk(bytes_of(other)).has_value());
  std::vector<std::byte> shorter = bytes_of(good_walk());
  shorter.pop_back();
  EXPECT_FALSE(decode_walk(shorter).has_value());
  EXPECT_FALSE(decode_walk({}).has_value());
}

TEST(KernelEvent, RefusesWhatNoProgramWrites) {
  const kernel_event good{.at_ns = 1,
                          .cgroup_id = 99,
                          .kind = kEventExit,
                          .slot = 3,
                          .pid = 10,
                          .exit_status = 0,
                          .was_oom_victim = 0,
                          .unused = 0};
  EXPECT_TRUE(decode_event(bytes_of(good)).has_value());
  std::vector<std::byte> shorter = bytes_of(good);
  shorter.pop_back();
  EXPECT_FALSE(decode_event(shorter).has_value());
  kernel_event bad = good;
  bad.kind = 3;
  EXPECT_FALSE(decode_event(bytes_of(bad)).has_value());
  bad = good;
  bad.pid = 0;
  EXPECT_FALSE(decode_event(bytes_of(bad)).has_value());
  bad = good;
  bad.slot = 0;
  EXPECT_FALSE(decode_event(bytes_of(bad)).has_value());
  bad.cgroup_id = 0;
  EXPECT_FALSE(decode_event(bytes_of(bad)).has_value()) << "an exit is always somebody's";
  bad.kind = kEventOomVictim;
  EXPECT_TRUE(decode_event(bytes_of(bad)).has_value());
}

}  // namespace
}  // namespace tepui
