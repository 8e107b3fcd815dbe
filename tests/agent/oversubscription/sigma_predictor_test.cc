#include "agent/oversubscription/sigma_predictor.h"

#include <gtest/gtest.h>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

TEST(SigmaPredictor, IsMeanAndDeviationsOfTheWhole) {
  SigmaPredictor predictor(
      {.moments_half_life = std::chrono::hours(100'000), .sigmas_milli = 3000});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 1000});
  for (int64_t i = 0; i < 100; ++i) {
    // Both rise together: their whole is 100 or 300, so its deviation is 100, not 71.
    predictor.on_sample(0, minute(i), i % 2 == 0 ? 50 : 150);
    predictor.on_sample(1, minute(i), i % 2 == 0 ? 50 : 150);
  }
  EXPECT_NEAR(static_cast<double>(predictor.predict(minute(99)).peak), 200 + 3 * 100, 1);
}

TEST(SigmaPredictor, KnowsThatWhatOneGivesAnotherTakes) {
  SigmaPredictor predictor({});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 1000});
  for (int64_t i = 0; i < 100; ++i) {
    predictor.on_sample(0, minute(i), i % 2 == 0 ? 50 : 150);
    predictor.on_sample(1, minute(i), i % 2 == 0 ? 150 : 50);
  }
  EXPECT_NEAR(static_cast<double>(predictor.predict(minute(99)).peak), 200, 1);
}

TEST(SigmaPredictor, ForgetsTheMeanOfATaskThatWent) {
  SigmaPredictor predictor({});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 1000});
  feed(predictor, 0, 60, {{0, 100}, {1, 100}});
  predictor.on_task_removed(1);
  EXPECT_EQ(predictor.predict(minute(60)).allocated, 1000);
  // The whole was 200 all the time but for the last round, in which one was gone.
  EXPECT_LT(predictor.predict(minute(60)).peak, 300);
  EXPECT_GE(predictor.predict(minute(60)).peak, 100);
}

}  // namespace
}  // namespace tepui
