#include "agent/oversubscription/slack.h"

#include <algorithm>

#include "agent/oversubscription/decay.h"

namespace tepui {

namespace {

// A part of an amount that is at most kMaxTaskSlots * kMaxTaskAmount, rounded down.
int64_t part_of(int64_t amount, double part) {
  return static_cast<int64_t>(static_cast<double>(amount) * std::clamp(part, 0.0, 1.0));
}

}  // namespace

Result<void> check(const SlackSettings& settings) {
  if (settings.margin_permille > 1000 || settings.step_permille > 1000) {
    return fail("margin_permille and step_permille must be at most 1000");
  }
  if (settings.growth_time <= Duration::zero()) {
    return fail("growth_time must be longer than nothing");
  }
  return {};
}

int64_t Slack::on_prediction(Instant now, const Prediction& prediction) {
  const int64_t allocated = std::max<int64_t>(prediction.allocated, 0);
  const int64_t margin = part_of(allocated, settings_.margin_permille / 1000.0);
  const int64_t free = allocated - std::clamp<int64_t>(prediction.peak, 0, allocated);
  const int64_t target = std::max<int64_t>(free - margin, 0);
  if (target <= amount_ || !since_) {
    amount_ = std::min(target, amount_);
    since_ = now;
    return amount_;
  }
  const double waited = static_cast<double>(elapsed(*since_, now).count()) /
                        static_cast<double>(settings_.growth_time.count());
  const int64_t grown = std::min(target, amount_ + part_of(allocated, waited));
  if (grown - amount_ > part_of(allocated, settings_.step_permille / 1000.0)) {
    amount_ = grown;
    since_ = now;
  }
  return amount_;
}

}  // namespace tepui
