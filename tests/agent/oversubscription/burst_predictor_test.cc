#include "agent/oversubscription/burst_predictor.h"

#include <gtest/gtest.h>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

TEST(BurstPredictor, LeavesRoomForTheOneTaskThatCanRiseMost) {
  BurstPredictor predictor({});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 2000, .limit = 2000});
  predictor.on_task_added(2, {.request = 500, .limit = 500});
  feed(predictor, 0, 60, {{0, 10}, {1, 900}, {2, 500}});  // the second is 1100 below its limit
  EXPECT_EQ(predictor.predict(minute(60)).peak, 10 + 900 + 500 + 1100);
  EXPECT_EQ(predictor.predict(minute(60)).allocated, 3500);
}

TEST(BurstPredictor, AddsTheLargerDeviation) {
  const PredictorSettings settings = {.moments_half_life = std::chrono::hours(100'000),
                                      .burst_sigmas_milli = 2000};
  BurstPredictor together(settings);
  BurstPredictor apart(settings);
  for (BurstPredictor* predictor : {&together, &apart}) {
    for (TaskSlot slot = 0; slot < 2; ++slot) {
      predictor->on_task_added(slot, {.request = 1000, .limit = 1000});
    }
  }
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t one = i % 2 == 0 ? 50 : 150;
    together.on_sample(0, minute(i), one);
    together.on_sample(1, minute(i), one);
    apart.on_sample(0, minute(i), one);
    apart.on_sample(1, minute(i), 200 - one);
  }
  // Means 100 each, 900 to the limit; the whole deviates by 100, or not at all (the tasks by 50).
  EXPECT_NEAR(static_cast<double>(together.predict(minute(99)).peak), 200 + 2 * 100 + 900, 1);
  EXPECT_NEAR(static_cast<double>(apart.predict(minute(99)).peak), 200 + 2 * 70.7 + 900, 1);
}

TEST(BurstPredictor, IsNeverBelowWhatIsUsedNow) {
  BurstPredictor predictor({});
  std::vector<SlotUsage> calm;
  std::vector<SlotUsage> wild;
  for (TaskSlot slot = 0; slot < 10; ++slot) {
    predictor.on_task_added(slot, {.request = 1000, .limit = 1000});
    calm.push_back({slot, 10});
    wild.push_back({slot, 950});
  }
  feed(predictor, 0, 600, calm);
  feed(predictor, 605, 605, wild);
  EXPECT_GE(predictor.predict(minute(605)).peak, 9500);
}

TEST(BurstPredictor, CountsWhoIsNotHeardWithItsLimit) {
  BurstPredictor predictor({});
  predictor.on_task_added(0, {.request = 1000, .limit = 1000});
  predictor.on_task_added(1, {.request = 1000, .limit = 1000});
  predictor.on_task_added(2, {.request = 1000, .limit = 1000});
  feed(predictor, 0, 60, {{0, 100}, {1, 100}});
  EXPECT_EQ(predictor.predict(minute(60)).peak, 200 + 900 + 1000);
  feed(predictor, 65, 80, {{0, 100}});
  EXPECT_EQ(predictor.predict(minute(80)).peak, 100 + 900 + 2000);
}

}  // namespace
}  // namespace tepui
