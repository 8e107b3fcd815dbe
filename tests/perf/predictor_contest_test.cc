#include "perf/predictor_contest.h"

#include <gtest/gtest.h>

#include "perf/usage_generator.h"

namespace tepui::perf {
namespace {

// Twenty tasks that use a tenth, all day.
UsageTrace calm() {
  UsageTrace trace{.name = "calm"};
  for (int i = 0; i < 20; ++i) {
    trace.tasks.push_back({.usage_milli = std::vector<int64_t>(kSamplesADay, 100)});
  }
  return trace;
}

TEST(Contest, AsksEveryQuarterOfAnHourAfterTwoHours) {
  const Contest contest(calm(), 1, 10);
  EXPECT_EQ(contest.machines(), 2U);
  EXPECT_EQ(contest.predictions(), 2U * 84);
  EXPECT_EQ(Contest(calm(), 1, 21).machines(), 0U);
}

TEST(Contest, CountsReclaimViolationsAndSeverity) {
  UsageTrace trace = calm();
  const Contest quiet(trace, 1, 10);
  EXPECT_NEAR(quiet.oracle().reclaim, 90, 1e-9);
  EXPECT_NEAR(quiet.run("n-sigma", {}).reclaim, 90, 1e-9);
  EXPECT_EQ(quiet.run("n-sigma", {}).violations, 0);
  EXPECT_EQ(quiet.run("limits", {}).reclaim, 0);
  // One task doubles the use of its machine (1000 to 2000 with the limit of ten) at one time: the
  // four predictions that look at that time from before are too low by half.
  trace.tasks[3].usage_milli.assign(kSamplesADay, 0);
  trace.tasks[3].usage_milli[150] = 900;
  const Score score = Contest(trace, 1, 10).run("n-sigma", {});
  EXPECT_NEAR(score.violations, 100.0 * 4 / (2 * 84), 1e-9);
  EXPECT_NEAR(score.severity, 50, 1e-9);
  EXPECT_EQ(Contest(trace, 1, 10).oracle().violations, 0);
}

TEST(Contest, NobodySeesTheFuture) {
  // Whoever saw sample 150 before it was there would not be surprised by it. And whoever was fed
  // more than ten hours would still know of it at the end of the day.
  UsageTrace trace = calm();
  for (TaskUsage& task : trace.tasks) task.usage_milli[30] = 1000;
  const PredictorSettings sharp = {.percentile_permille = 1000};
  const Score with = Contest(trace, 1, 10).run("percentile", sharp);
  EXPECT_NEAR(with.violations, 100.0 * 3 / 84, 1e-9);  // asked at 24, 27 and 30
  // Remembered when asked at 33 to 150, which is 40 of 84 times; else a tenth is predicted.
  EXPECT_NEAR(with.reclaim, 90.0 * 44 / 84, 0.4);
}

TEST(Contest, HindsightKnowsTheHighestOfADay) {
  UsageTrace trace = calm();
  trace.tasks[3].usage_milli[150] = 600;
  const Score score = Contest(trace, 1, 10).hindsight();
  EXPECT_EQ(score.violations, 0);
  EXPECT_NEAR(score.reclaim, (90 + 85) / 2.0, 1e-9);
}

TEST(Contest, TheGeneratorsDayIsTheSameForASeed) {
  const UsageTrace a = generated_churn(3);
  const UsageTrace b = generated_churn(3);
  ASSERT_EQ(a.tasks.size(), b.tasks.size());
  for (size_t i = 0; i < a.tasks.size(); ++i) {
    EXPECT_EQ(a.tasks[i].usage_milli, b.tasks[i].usage_milli);
    EXPECT_LE(a.tasks[i].first + a.tasks[i].usage_milli.size(), kSamplesADay);
    for (const int64_t usage : a.tasks[i].usage_milli) {
      EXPECT_TRUE(usage >= 0 && usage <= a.tasks[i].limit_milli);
    }
  }
  EXPECT_NE(generated_churn(4).tasks[0].usage_milli, a.tasks[0].usage_milli);
}

}  // namespace
}  // namespace tepui::perf
