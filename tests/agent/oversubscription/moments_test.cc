// Goal: the moments are those of the definition. Method: random samples, compared with sums over
// all of them that are made anew.

#include "agent/oversubscription/moments.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

namespace tepui {
namespace {

struct Weighted {
  Instant at;
  double value = 0;
};

RC_GTEST_PROP(Moments, AreThoseOfTheDefinition, ()) {
  const double offset = *rc::gen::element(0.0, 1e6, 1e12);
  std::vector<Weighted> all;
  Instant now{};
  Moments moments;
  Decay decay(std::chrono::hours(1));
  for (int i = *rc::gen::inRange(1, 60); i > 0; --i) {
    now += std::chrono::seconds(*rc::gen::inRange(0, 4000));
    all.push_back({now, offset + *rc::gen::inRange(0, 100000)});
    moments.add(decay, now, all.back().value);
  }
  double weight = 0;
  double mean = 0;
  double variance = 0;
  const auto weight_of = [now](const Weighted& one) {
    return std::exp2(-to_secs(now - one.at) / 3600);
  };
  for (const Weighted& one : all) weight += weight_of(one);
  for (const Weighted& one : all) mean += weight_of(one) / weight * one.value;
  for (const Weighted& one : all) {
    variance += weight_of(one) / weight * (one.value - mean) * (one.value - mean);
  }
  RC_ASSERT(std::abs(moments.mean() - mean) <= 1e-9 * (1 + mean));
  RC_ASSERT(std::abs(moments.variance() - variance) <= 1e-3 + 1e-4 * variance);
}

TEST(Moments, OfNothingAreNothing) {
  const Moments moments;
  EXPECT_TRUE(moments.empty());
  EXPECT_EQ(moments.mean(), 0);
  EXPECT_EQ(moments.variance(), 0);
}

TEST(Moments, ForgetWhatIsLongAgo) {
  Moments moments;
  Decay decay(std::chrono::hours(1));
  moments.add(decay, Instant(), 1000);
  moments.add(decay, Instant(std::chrono::hours(1000)), 3);
  EXPECT_EQ(moments.mean(), 3);
  EXPECT_EQ(moments.variance(), 0);
}

}  // namespace
}  // namespace tepui
