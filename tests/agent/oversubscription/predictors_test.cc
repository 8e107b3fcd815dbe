// Goal: what every predictor promises, for any tasks, samples and times: peaks between 0 and what
// is allocated, the same for the same inputs, and nothing left of who went. Method: random
// inputs with the extremes of every amount and clocks that stand or leap, against a model of what
// is allocated.

#include "agent/oversubscription/predictors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tests/agent/oversubscription/feed.h"

namespace tepui {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

// Uniform from the first case on: RapidCheck would begin with the small end of every range.
template <class T>
T in_range(T low, T high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

int64_t any_amount() {
  return in_range(0, 4) == 0 ? *rc::gen::element<int64_t>(0, 1, -1, kHuge, -kHuge, kMaxTaskAmount)
                             : in_range<int64_t>(0, 4000);
}

Duration any_step() {
  return *rc::gen::element<Duration>(Duration(0), Duration(1), std::chrono::seconds(15),
                                     std::chrono::minutes(5), std::chrono::hours(1),
                                     std::chrono::hours(10'000));
}

class Twins {
 public:
  explicit Twins(std::string_view name)
      : a_(std::move(*make_predictor(name, {}))), b_(std::move(*make_predictor(name, {}))) {}

  void add(TaskSlot slot, const TaskTerms& terms) {
    requests_[slot] = std::clamp<int64_t>(terms.request, 0, kMaxTaskAmount);
    for (PeakPredictor* predictor : {a_.get(), b_.get()}) predictor->on_task_added(slot, terms);
  }
  void remove(TaskSlot slot) {
    requests_.erase(slot);
    for (PeakPredictor* predictor : {a_.get(), b_.get()}) predictor->on_task_removed(slot);
  }
  void sample(TaskSlot slot, Instant at, int64_t usage) {
    for (PeakPredictor* predictor : {a_.get(), b_.get()}) predictor->on_sample(slot, at, usage);
  }
  void hold(Instant now) const {
    int64_t allocated = 0;
    for (const auto& [slot, request] : requests_) allocated += request;
    const Prediction prediction = a_->predict(now);
    RC_ASSERT(prediction.allocated == allocated);
    RC_ASSERT(prediction.peak >= 0);
    RC_ASSERT(prediction.peak <= allocated);
    RC_ASSERT(b_->predict(now).peak == prediction.peak);
    RC_ASSERT(a_->predict(now).peak == prediction.peak);
  }

 private:
  std::unique_ptr<PeakPredictor> a_;
  std::unique_ptr<PeakPredictor> b_;
  std::map<TaskSlot, int64_t> requests_;
};

RC_GTEST_PROP(Predictors, StayInBoundsAndAnswerTheSame, ()) {
  for (const std::string_view name : kPredictorNames) {
    Twins twins(name);
    Instant now{};
    for (int i = in_range(1, 80); i > 0; --i) {
      const auto slot = in_range<TaskSlot>(0, 6);
      switch (in_range(0, 10)) {
        case 0:
        case 1:
          twins.add(slot, {.request = any_amount(), .limit = any_amount()});
          break;
        case 2:
          twins.remove(slot);
          break;
        default:
          now = later(now, any_step());
          twins.sample(slot, now, any_amount());
      }
      twins.hold(now);
    }
    for (TaskSlot slot = 0; slot < 6; ++slot) twins.remove(slot);
    twins.hold(now);  // which is: nothing allocated, no peak
  }
}

RC_GTEST_PROP(Predictors, CountATaskWithItsLimitUntilItIsKnown, ()) {
  const auto limit = in_range<int64_t>(1, 4000);
  const auto usage = in_range<int64_t>(0, limit + 1);
  for (const std::string_view name : kPredictorNames) {
    if (name == "borg-default") continue;  // looks at no history
    auto predictor = std::move(*make_predictor(name, {}));
    predictor->on_task_added(0, {.request = limit, .limit = limit});
    RC_ASSERT(predictor->predict(minute(0)).peak == limit);
    feed(*predictor, 0, 25, {{0, usage}});
    RC_ASSERT(predictor->predict(minute(25)).peak == limit);
    feed(*predictor, 30, 60, {{0, usage}});
    RC_ASSERT(predictor->predict(minute(60)).peak >= usage);
    RC_ASSERT(predictor->predict(minute(76)).peak == limit);
  }
}

TEST(Predictors, ReclaimFromManyThatUseLittle) {
  for (const std::string_view name : {"percentile", "n-sigma", "max", "burst"}) {
    auto predictor = std::move(*make_predictor(name, {}));
    for (TaskSlot slot = 0; slot < 10; ++slot) {
      predictor->on_task_added(slot, {.request = 1000, .limit = 1000});
    }
    for (int64_t at = 0; at <= 60; at += 5) {
      for (TaskSlot slot = 0; slot < 10; ++slot) predictor->on_sample(slot, minute(at), 100);
    }
    EXPECT_LT(predictor->predict(minute(60)).peak, 2000) << name;
    EXPECT_GE(predictor->predict(minute(60)).peak, 1000) << name;
  }
}

TEST(Predictors, TheMaximumIsThatOfItsParts) {
  auto max = std::move(*make_predictor("max", {}));
  auto sigma = std::move(*make_predictor("n-sigma", {}));
  auto percentile = std::move(*make_predictor("percentile", {}));
  bool sigma_won = false;
  bool percentile_won = false;
  for (PeakPredictor* one : {max.get(), sigma.get(), percentile.get()}) {
    one->on_task_added(0, {.request = 1000, .limit = 1000});
  }
  for (int64_t i = 0; i < 400; ++i) {
    const int64_t usage = i < 200 ? 100 : 100 + (i % 10 == 0 ? 400 : 0);
    for (PeakPredictor* one : {max.get(), sigma.get(), percentile.get()}) {
      one->on_sample(0, minute(i), usage);
    }
    const int64_t a = sigma->predict(minute(i)).peak;
    const int64_t b = percentile->predict(minute(i)).peak;
    EXPECT_EQ(max->predict(minute(i)).peak, std::max(a, b));
    sigma_won |= a > b;
    percentile_won |= b > a;
  }
  EXPECT_TRUE(sigma_won && percentile_won);
}

TEST(Predictors, AnUnknownNameIsToldTheKnown) {
  const auto predictor = make_predictor("crystal-ball", {});
  ASSERT_FALSE(predictor.has_value());
  EXPECT_EQ(predictor.error().message,
            "there is no predictor 'crystal-ball', expected limits, borg-default, percentile, "
            "n-sigma, max, burst");
}

TEST(Predictors, RefuseSettingsThatCannotWork) {
  for (const PredictorSettings& settings :
       {PredictorSettings{.min_history = Duration(-1)},
        PredictorSettings{.max_silence = Duration(-1)},
        PredictorSettings{.moments_half_life = Duration(0)},
        PredictorSettings{.percentile_half_life = Duration(0)},
        PredictorSettings{.borg_permille = 1001}, PredictorSettings{.percentile_permille = 1001}}) {
    EXPECT_FALSE(make_predictor("burst", settings).has_value());
  }
  EXPECT_TRUE(make_predictor("burst", {}).has_value());
}

}  // namespace
}  // namespace tepui
