#include "common/quota_text.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

TEST(QuotaText, ReadsAmountsWithUnits) {
  const auto guarantees = parse_guarantees("cpus:1.5; mem:2GB");
  ASSERT_TRUE(guarantees.has_value()) << guarantees.error().message;
  EXPECT_EQ(to_text(*guarantees), "cpus:1.5; mem:2048");
}

TEST(QuotaText, ALimitOfZeroIsALimit) {
  const auto limits = parse_limits("gpus:0;cpus:4");
  ASSERT_TRUE(limits.has_value()) << limits.error().message;
  EXPECT_EQ(limits->size(), 2u);
  EXPECT_EQ(limits->at("gpus"), 0);
  EXPECT_EQ(to_text(*limits), "cpus:4; gpus:0");
  EXPECT_TRUE(parse_guarantees("gpus:0")->empty());
}

TEST(QuotaText, RefusesWhatIsNoPlainScalar) {
  for (const char* bad : {"cpus", "cpus:x", "ports:[1-2]", "cpus(eng):1", "cpus:1;cpus:2", ":1",
                          "cpus:-1", "a b:0"}) {
    EXPECT_FALSE(parse_limits(bad).has_value()) << bad;
  }
  EXPECT_TRUE(parse_limits("")->empty());
}

}  // namespace
}  // namespace tepui
