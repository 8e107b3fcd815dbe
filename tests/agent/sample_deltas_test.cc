#include "agent/sample_deltas.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/rng.h"

namespace tepui {
namespace {

constexpr Instant kAt{Duration(5)};

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(SampleDeltas, AnIdleContainerTakesTwoBytes) {
  SampleDeltaWriter writer;
  Sample sample{.cpu_usage_ns = 5'000'000'000, .memory_bytes = 1 << 30};
  writer.begin();
  writer.add(1, sample);
  EXPECT_GT(writer.bytes().size(), 10U);
  writer.begin();
  writer.add(1, sample);
  EXPECT_EQ(writer.bytes().size(), 2U);
}

TEST(SampleDeltas, ReadBackAsWritten) {
  Rng rng(7);
  SampleDeltaWriter writer;
  SampleBase base;
  for (int round = 0; round < 50; ++round) {
    std::vector<NumberedSample> wrote;
    writer.begin();
    for (int i = 0; i < 20; ++i) {
      NumberedSample one{.number = static_cast<uint32_t>(rng.next() % 40 + 1), .sample = {.at = kAt}};
      for (const SampleField& field : kSampleFields) {
        // Absent, far apart and equal ones.
        const uint64_t kind = rng.next() % 4;
        if (kind == 0) continue;
        one.sample.*field.member =
            static_cast<int64_t>(kind == 1 ? rng.next() % 3 : rng.next() >> (rng.next() % 60 + 1));
      }
      writer.add(one.number, one.sample);
      wrote.push_back(one);
    }
    const auto read = read_sample_deltas(writer.bytes(), kAt, base);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), wrote.size());
    for (size_t i = 0; i < wrote.size(); ++i) {
      EXPECT_EQ((*read)[i].number, wrote[i].number);
      EXPECT_EQ((*read)[i].sample, wrote[i].sample);
    }
  }
}

TEST(SampleDeltas, AForgottenContainerBeginsAnew) {
  SampleDeltaWriter writer;
  writer.begin();
  writer.add(3, {.cpu_usage_ns = 100});
  const auto first = copy(writer.bytes());
  writer.base().forget(3);
  writer.begin();
  writer.add(3, {.cpu_usage_ns = 100});
  EXPECT_EQ(copy(writer.bytes()), first);
}

TEST(SampleDeltas, WhatNoWriterWroteIsRefused) {
  const auto refusal = [](std::vector<uint8_t> bytes) {
    SampleBase base;
    const auto read = read_sample_deltas(std::as_bytes(std::span(bytes)), kAt, base);
    return read ? "" : read.error().message;
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({2, 1, 2}), "");  // absent + 1
  EXPECT_EQ(refusal({2}), "the samples end too early");
  EXPECT_EQ(refusal({2, 1}), "the samples end too early");
  EXPECT_EQ(refusal({2, 1, 0x80}), "the samples end too early");
  EXPECT_EQ(refusal({0, 0}), "the number after container 0 is 0");
  EXPECT_EQ(refusal({2, 0, 3, 0}), "the number after container 1 is -1");
  EXPECT_EQ(refusal({2, 1, 1}), "a count of container 1 is -2");
  EXPECT_EQ(refusal({2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 2}),
            "the mask 0x8000000000000000 of container 1 names fields that nobody knows");
}

}  // namespace
}  // namespace tepui
