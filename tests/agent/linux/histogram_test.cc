// The buckets in which the BPF programs count, and the percentiles that are read from them.

#include <gtest/gtest.h>

#include <array>

#include "agent/linux/quantiles.h"
#include "ebpf/block.h"
#include "ebpf/sched.h"

namespace tepui {
namespace {

TEST(Histogram, EveryWaitLiesInItsBucket) {
  EXPECT_EQ(wait_bucket(0), 0u);
  EXPECT_EQ(wait_bucket(~0ULL), kWaitBuckets - 1u);
  for (uint64_t wait = 1; wait < 2'000'000'000; wait += 1 + wait / 37) {
    const uint32_t bucket = wait_bucket(wait);
    ASSERT_LT(bucket, static_cast<uint32_t>(kWaitBuckets));
    EXPECT_GE(wait, wait_bucket_begin_ns(bucket)) << wait;
    EXPECT_LT(wait, wait_bucket_begin_ns(bucket + 1)) << wait;
  }
}

TEST(Histogram, WaitBucketsGrowByAQuarterAtMost) {
  for (uint32_t bucket = kWaitSteps; bucket + 1 < kWaitBuckets; ++bucket) {
    EXPECT_LE(wait_bucket_begin_ns(bucket + 1) * 4, wait_bucket_begin_ns(bucket) * 5);
  }
  EXPECT_GT(wait_bucket_begin_ns(kWaitBuckets), 2'000'000'000u);
}

TEST(Histogram, EveryRequestLiesInItsBucket) {
  EXPECT_EQ(block_bucket(0), 0u);
  EXPECT_EQ(block_bucket(~0ULL), kBlockBuckets - 1u);
  for (uint64_t latency = 1; latency < 130'000'000'000; latency += 1 + latency / 37) {
    const uint32_t bucket = block_bucket(latency);
    ASSERT_LT(bucket, static_cast<uint32_t>(kBlockBuckets));
    EXPECT_GE(latency, block_bucket_begin_ns(bucket)) << latency;
    EXPECT_LT(latency, block_bucket_begin_ns(bucket + 1)) << latency;
  }
}

TEST(Histogram, PercentilesAreFoundByRank) {
  std::array<uint32_t, 5> counts{};
  EXPECT_FALSE(quantile_buckets(counts).has_value());
  counts[3] = 1;
  EXPECT_EQ(quantile_buckets(counts), (QuantileBuckets{.p50 = 3, .p99 = 3}));
  counts[0] = 98;
  EXPECT_EQ(quantile_buckets(counts), (QuantileBuckets{.p50 = 0, .p99 = 3}));
  counts[0] = 99;
  EXPECT_EQ(quantile_buckets(counts), (QuantileBuckets{.p50 = 0, .p99 = 0}));
  counts = {1, 0, 1, 0, 1};
  EXPECT_EQ(quantile_buckets(counts), (QuantileBuckets{.p50 = 2, .p99 = 4}));
  counts = {1, 1, 0, 0, 0};
  EXPECT_EQ(quantile_buckets(counts), (QuantileBuckets{.p50 = 0, .p99 = 1}));
}

}  // namespace
}  // namespace tepui
