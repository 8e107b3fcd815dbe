#include "agent/oversubscription/slack.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

constexpr SlackSettings kPlain = {
    .margin_permille = 0, .growth_time = std::chrono::minutes(100), .step_permille = 10};

TEST(Slack, GrowsSlowly) {
  Slack slack(kPlain);
  EXPECT_EQ(slack.on_prediction(minute(0), {.peak = 200, .allocated = 1000}), 0);
  EXPECT_EQ(slack.on_prediction(minute(10), {.peak = 200, .allocated = 1000}), 100);
  EXPECT_EQ(slack.on_prediction(minute(20), {.peak = 200, .allocated = 1000}), 200);
  EXPECT_EQ(slack.on_prediction(minute(500), {.peak = 200, .allocated = 1000}), 800);
  EXPECT_EQ(slack.on_prediction(minute(900), {.peak = 200, .allocated = 1000}), 800);
}

TEST(Slack, ShrinksAtOnceAndGrowsFromThen) {
  Slack slack(kPlain);
  slack.on_prediction(minute(0), {.peak = 200, .allocated = 1000});
  slack.on_prediction(minute(500), {.peak = 200, .allocated = 1000});
  EXPECT_EQ(slack.on_prediction(minute(501), {.peak = 900, .allocated = 1000}), 100);
  EXPECT_EQ(slack.on_prediction(minute(511), {.peak = 200, .allocated = 1000}), 200);
  EXPECT_EQ(slack.on_prediction(minute(511), {.peak = 0, .allocated = 50}), 50);
  EXPECT_EQ(slack.on_prediction(minute(512), {.peak = 0, .allocated = 0}), 0);
}

TEST(Slack, WaitsWithATrifle) {
  Slack slack(kPlain);
  slack.on_prediction(minute(0), {.peak = 200, .allocated = 1000});
  EXPECT_EQ(slack.on_prediction(minute(1), {.peak = 200, .allocated = 1000}), 0);  // ten
  EXPECT_EQ(slack.on_prediction(minute(2), {.peak = 200, .allocated = 1000}), 20);
  slack.on_prediction(minute(500), {.peak = 200, .allocated = 1000});
  EXPECT_EQ(slack.on_prediction(minute(900), {.peak = 190, .allocated = 1000}), 800);
  EXPECT_EQ(slack.on_prediction(minute(901), {.peak = 189, .allocated = 1000}), 811);
}

TEST(Slack, HoldsTheMarginBack) {
  SlackSettings settings = kPlain;
  settings.margin_permille = 50;
  Slack slack(settings);
  slack.on_prediction(minute(0), {.peak = 200, .allocated = 1000});
  EXPECT_EQ(slack.on_prediction(minute(500), {.peak = 200, .allocated = 1000}), 750);
  EXPECT_EQ(slack.on_prediction(minute(501), {.peak = 980, .allocated = 1000}), 0);
}

TEST(Slack, DoesNotGrowWhileTheClockStands) {
  Slack slack(kPlain);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(slack.on_prediction(minute(7), {.peak = 0, .allocated = 1000}), 0);
  }
}

RC_GTEST_PROP(Slack, NeverBreaksItsPromises, ()) {
  const SlackSettings settings;
  Slack slack(settings);
  Instant now{};
  Instant changed{};
  int64_t before = 0;
  for (int i = *rc::gen::inRange(1, 100); i > 0; --i) {
    now = later(now, *rc::gen::element<Duration>(Duration(0), std::chrono::seconds(15),
                                                 std::chrono::minutes(7), std::chrono::hours(999),
                                                 Duration::max()));
    const auto amount = [] {
      return *rc::gen::element<int64_t>(0, 1, 999, 1000, 5000, kMaxTaskAmount * 4096, -7);
    };
    const Prediction prediction = {.peak = amount(), .allocated = amount()};
    const int64_t after = slack.on_prediction(now, prediction);
    const int64_t allocated = std::max<int64_t>(prediction.allocated, 0);
    RC_ASSERT(after >= 0);
    RC_ASSERT(after <= allocated);
    RC_ASSERT(after <= std::max<int64_t>(0, allocated - std::max<int64_t>(prediction.peak, 0)));
    if (after > before) {
      const double part = std::min(1.0, to_secs(now - changed) / 3600);
      RC_ASSERT(static_cast<double>(after - before) <= static_cast<double>(allocated) * part + 1);
    }
    if (after != before) changed = now;
    RC_ASSERT(slack.amount() == after);
    before = after;
  }
}

TEST(Slack, RefusesSettingsThatCannotWork) {
  EXPECT_TRUE(check(SlackSettings{}).has_value());
  EXPECT_FALSE(check(SlackSettings{.margin_permille = 1001}).has_value());
  EXPECT_FALSE(check(SlackSettings{.step_permille = 1001}).has_value());
  EXPECT_FALSE(check(SlackSettings{.growth_time = Duration(0)}).has_value());
}

}  // namespace
}  // namespace tepui
