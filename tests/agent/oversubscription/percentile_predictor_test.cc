#include "agent/oversubscription/percentile_predictor.h"

#include <gtest/gtest.h>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

TEST(PercentilePredictor, AddsUpTheTasksPercentiles) {
  PercentilePredictor predictor({.percentile_permille = 900});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 1000});
  for (int64_t i = 0; i < 100; ++i) {
    predictor.on_sample(0, minute(i), i % 25 == 0 ? 900 : 100);  // 4 of 100: not in the percentile
    predictor.on_sample(1, minute(i), i % 5 == 0 ? 400 : 10);    // 20 of 100
  }
  const Prediction prediction = predictor.predict(minute(99));
  EXPECT_GE(prediction.peak, 500);
  EXPECT_LE(prediction.peak, 500 * 17 / 16);
}

TEST(PercentilePredictor, CountsTheUnknownWithTheirLimits) {
  PercentilePredictor predictor({});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 300, .limit = 300});
  feed(predictor, 0, 60, {{0, 0}});
  EXPECT_GE(predictor.predict(minute(60)).peak, 300);
  EXPECT_LE(predictor.predict(minute(60)).peak, 302);
  EXPECT_EQ(predictor.predict(minute(120)).peak, 1300);
}

}  // namespace
}  // namespace tepui
