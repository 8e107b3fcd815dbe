#include "agent/oversubscription/limits_predictor.h"

#include <gtest/gtest.h>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

TEST(LimitsPredictor, TakesItsPartOfTheLimits) {
  LimitsPredictor predictor({}, 900);
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 500});
  feed(predictor, 0, 60, {{0, 1}});
  EXPECT_EQ(predictor.predict(minute(60)).peak, 1800);
  EXPECT_EQ(predictor.predict(minute(60)).allocated, 2000);
  predictor.on_task_added(1, {.request = 100, .limit = 100});
  EXPECT_EQ(predictor.predict(minute(60)).peak, 990);
  predictor.on_task_removed(0);
  predictor.on_task_removed(0);
  EXPECT_EQ(predictor.predict(minute(60)).peak, 90);
}

TEST(LimitsPredictor, IsNeverAboveWhatIsAllocated) {
  LimitsPredictor predictor({}, 900);
  predictor.on_task_added(0, {.request = 100, .limit = 4000});
  EXPECT_EQ(predictor.predict(minute(0)).peak, 100);
}

}  // namespace
}  // namespace tepui
