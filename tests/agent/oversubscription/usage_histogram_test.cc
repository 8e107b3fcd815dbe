// Goal: a percentile is not below the true one, and at most a bucket above it. Method: random
// samples, compared with the sorted list of them.

#include "agent/oversubscription/usage_histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace tepui {
namespace {

constexpr Duration kHour = std::chrono::hours(1);

RC_GTEST_PROP(UsageHistogram, IsAtMostABucketTooHigh, ()) {
  const int64_t limit = *rc::gen::element<int64_t>(1000, 64'000, int64_t{1} << 40);
  Decay decay(kHour);
  UsageHistogram histogram(limit);
  std::vector<int64_t> all;
  const int count = *rc::gen::inRange(1, 300);
  for (int i = 0; i < count; ++i) {
    all.push_back(*rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(0, limit)));
    histogram.add(decay, Instant(), all.back());
  }
  std::ranges::sort(all);
  const auto permille = *rc::gen::inRange<uint32_t>(1, 1000);
  // The highest that at most the rest lies above; the sum of weights is exact here.
  const size_t above = static_cast<size_t>(count) * (1000 - permille) / 1000;
  const auto exact = static_cast<double>(all[all.size() - 1 - above]);
  const double found = histogram.percentile(permille);
  RC_ASSERT(found >= exact);
  RC_ASSERT(found <= exact * 17 / 16 + static_cast<double>(limit) / 32768);
}

TEST(UsageHistogram, OfNothingIsNothing) { EXPECT_EQ(UsageHistogram(1000).percentile(990), 0); }

TEST(UsageHistogram, ForgetsByHalves) {
  Decay decay(kHour);
  UsageHistogram histogram(1000);
  for (int i = 0; i < 10; ++i) histogram.add(decay, Instant(), 900);
  EXPECT_GE(histogram.percentile(500), 900);
  // Ten samples that count for less than five after an hour and a bit, beside five new ones.
  for (int i = 0; i < 5; ++i) histogram.add(decay, Instant(std::chrono::minutes(70)), 100);
  EXPECT_LT(histogram.percentile(500), 110);
  EXPECT_GE(histogram.percentile(990), 900);
}

TEST(UsageHistogram, KeepsItsProportionsWhenScaledBack) {
  Decay decay(kHour);
  UsageHistogram histogram(1000);
  // A quarter is high at any time; over ten half-lives the weights are scaled back again and again.
  for (int i = 0; i < 20000; ++i) {
    histogram.add(decay, Instant(std::chrono::minutes(i)), i % 4 == 0 ? 800 : 200);
    if (i < 600) continue;
    ASSERT_LT(histogram.percentile(700), 220) << i;
    ASSERT_GE(histogram.percentile(800), 800) << i;
  }
}

TEST(UsageHistogram, IsEmptiedByALongSilence) {
  Decay decay(kHour);
  UsageHistogram histogram(1000);
  histogram.add(decay, Instant(), 900);
  histogram.add(decay, Instant(std::chrono::hours(100)), 10);
  EXPECT_LT(histogram.percentile(1000), 11);
}

TEST(UsageHistogram, TakesWhatIsAboveTheLimitForTheLimit) {
  Decay decay(kHour);
  UsageHistogram histogram(1000);
  histogram.add(decay, Instant(), int64_t{1} << 50);
  EXPECT_EQ(histogram.percentile(990), 1000);
  UsageHistogram nothing(0);
  nothing.add(decay, Instant(), 5);
  EXPECT_EQ(nothing.percentile(990), 0);
}

}  // namespace
}  // namespace tepui
