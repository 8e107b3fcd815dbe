#include "agent/oversubscription/decay.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tepui {
namespace {

TEST(Decay, IsThePowerOfTwo) {
  const Duration life = std::chrono::hours(3);
  for (int64_t seconds = 0; seconds < 64 * 3 * 3600; seconds += 611) {
    const double expected = std::exp2(-static_cast<double>(seconds) / (3 * 3600));
    EXPECT_NEAR(decay(std::chrono::seconds(seconds), life) / expected, 1, 1e-12) << seconds;
  }
}

TEST(Decay, IsWithinItsEnds) {
  EXPECT_EQ(decay(Duration(0), Duration(1)), 1);
  EXPECT_EQ(decay(Duration(-5), Duration(1)), 1);
  EXPECT_EQ(decay(Duration(64), Duration(1)), 0);
  EXPECT_EQ(decay(Duration::max(), Duration(1)), 0);
  EXPECT_GT(decay(Duration::max(), Duration::max()), 0.49);
}

TEST(Elapsed, DoesNotOverflow) {
  EXPECT_EQ(elapsed(Instant(Duration(3)), Instant(Duration(8))), Duration(5));
  EXPECT_EQ(elapsed(Instant::min(), Instant::max()), Duration::max());
  EXPECT_EQ(elapsed(Instant::max(), Instant::min()), Duration::min());
}

}  // namespace
}  // namespace tepui
