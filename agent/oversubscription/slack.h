#pragma once
// Slack turns predictions into the amount of one resource that may be given out again as revocable:
// what is allocated, less the predicted peak, less a margin. It shrinks at once, since a promise
// that does not hold hurts; it grows slowly and not for a trifle, since each change is a message to
// the master and rescinds offers.
//
// Never negative, never above what is allocated. Without tasks, without history and with a clock
// that stands still it does not grow.
// Pure.

#include <cstdint>
#include <optional>

#include "agent/oversubscription/peak_predictor.h"
#include "common/result.h"

namespace tepui {

struct SlackSettings {
  // Of what is allocated, held back beyond the prediction.
  uint32_t margin_permille = 20;
  // How long growing from nothing to all that is allocated would take.
  Duration growth_time = std::chrono::hours(1);
  // Growth below this part of what is allocated waits until it is more.
  uint32_t step_permille = 10;
};

Result<void> check(const SlackSettings& settings);

class Slack {
 public:
  explicit Slack(const SlackSettings& settings) : settings_(settings) {}

  // The amount from now on. `now` does not go back.
  int64_t on_prediction(Instant now, const Prediction& prediction);

  int64_t amount() const { return amount_; }

 private:
  const SlackSettings settings_;
  int64_t amount_ = 0;
  // Since when growth has been waiting: the last change, or the last time there was no room to
  // grow.
  std::optional<Instant> since_;
};

}  // namespace tepui
