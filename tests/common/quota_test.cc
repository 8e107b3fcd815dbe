#include "common/quota.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace tepui {
namespace {

Quota quota(std::initializer_list<std::pair<std::string_view, int64_t>> guarantees,
            std::map<std::string, int64_t> limits) {
  Quota made{.limits_milli = std::move(limits)};
  for (const auto& [name, milli] : guarantees) made.guarantees.add(name, milli);
  return made;
}

std::string error_of(const Quota& quota) {
  const auto valid = validate(quota);
  return valid ? "" : valid.error().message;
}

TEST(Quota, IsValidWhenGuaranteesAreWithinLimits) {
  EXPECT_EQ(error_of({}), "");
  EXPECT_EQ(error_of(quota({{"cpus", 1000}}, {})), "");
  EXPECT_EQ(error_of(quota({{"cpus", 1000}}, {{"cpus", 1000}, {"mem", 0}})), "");
}

TEST(Quota, RefusesAGuaranteeAboveItsLimit) {
  EXPECT_EQ(error_of(quota({{"cpus", 1001}}, {{"cpus", 1000}})),
            "the guarantee of 1.001 cpus is above its limit of 1");
  EXPECT_EQ(error_of(quota({{"mem", 1000}}, {{"mem", 0}})),
            "the guarantee of 1 mem is above its limit of 0");
}

TEST(Quota, RefusesAmountsAndNamesThatNoResourceCanHave) {
  EXPECT_EQ(error_of(quota({}, {{"cpus", -1}})),
            "the limit of cpus is -0.001, expected no less than 0");
  EXPECT_NE(error_of(quota({}, {{"cpus", limits::kScalarMilliMax + 1}})), "");
  EXPECT_NE(error_of(quota({{"cpus", limits::kScalarMilliMax + 1}}, {})), "");
  EXPECT_EQ(error_of(quota({}, {{"", 1}})), "the name of a resource is empty");
}

TEST(Quota, IsDefaultOnlyWithoutGuaranteesAndLimits) {
  EXPECT_TRUE(Quota{}.is_default());
  EXPECT_FALSE(quota({}, {{"cpus", 0}}).is_default());
}

TEST(Quota, ReadsAsText) {
  EXPECT_EQ(to_text(Quota{}), "none");
  EXPECT_EQ(to_text(quota({{"cpus", 4000}, {"mem", 1000}}, {{"cpus", 8500}})),
            "guarantees cpus:4; mem:1, limits cpus:8.5");
  EXPECT_EQ(to_text(quota({}, {{"cpus", 0}})), "limits cpus:0");
}

}  // namespace
}  // namespace tepui
