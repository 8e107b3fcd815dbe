// Weights as operators set them, and what becomes of offers and of the configuration.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

UpdateWeights weigh(std::string role, int64_t weight_milli) {
  return {.weights = {{.role = std::move(role), .weight_milli = weight_milli}}};
}

int64_t weight_of(Bench& bench, std::string_view role) {
  for (const RoleShare& share : bench.master().role_shares()) {
    if (share.role == role) return share.weight_milli;
  }
  return 0;
}

TEST(Weights, OutliveTheLeader) {
  Bench bench;
  EXPECT_EQ(bench.command(weigh("eng", 2500)), "");
  EXPECT_TRUE(bench.store.contains("weights/eng"));
  bench.restart();
  bench.framework(framework_info("eng"));
  EXPECT_EQ(weight_of(bench, "eng"), 2500);
}

TEST(Weights, TheConfigurationOnlySeedsWhatTheRegistryLacks) {
  Bench bench;
  bench.weights = {{"eng", 2000}, {"ops", 3000}};
  bench.restart();
  EXPECT_TRUE(bench.store.contains("weights/eng"));
  EXPECT_EQ(bench.command(weigh("eng", 1000)), "");
  bench.restart();
  bench.framework(framework_info("eng"));
  bench.framework(framework_info("ops"));
  EXPECT_EQ(weight_of(bench, "eng"), 1000);
  EXPECT_EQ(weight_of(bench, "ops"), 3000);
}

TEST(Weights, OffersAreRescindedOnlyIfSomeRoleIsActive) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework(framework_info("eng/search"));
  ASSERT_EQ(bench.offers(framework).size(), 1u);
  EXPECT_EQ(bench.command(weigh("idle", 2000)), "");
  EXPECT_TRUE(bench.take<Rescind>(framework.session).empty());
  EXPECT_EQ(bench.command(weigh("eng", 2000)), "");
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
}

TEST(Weights, OnesThatMakeNoSenseAreRefusedWithTheReason) {
  Bench bench;
  EXPECT_EQ(bench.command(UpdateWeights{}), "no role is named");
  EXPECT_EQ(bench.command(weigh("eng", 0)),
            "'eng' cannot weigh 0, expected more than 0 and at most 1000000");
  EXPECT_NE(bench.command(weigh("eng/", 1000)), "");
  UpdateWeights twice = weigh("eng", 1000);
  twice.weights.push_back(twice.weights[0]);
  EXPECT_EQ(bench.command(twice), "the role 'eng' is named twice");
}

}  // namespace
}  // namespace tepui
