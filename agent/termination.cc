#include "agent/termination.h"

#include <algorithm>
#include <utility>

namespace tepui {

Termination::Step Termination::request(Instant now, KillCause cause, Duration grace) {
  const bool first = !requested();
  take_cause(cause);
  if (finished_) return Step::kNone;
  deadline_ = std::min(deadline_, later(now, std::max(grace, Duration::zero())));
  if (deadline_ <= now) return finish();
  return first ? Step::kTerminate : Step::kNone;
}

void Termination::request_at_launch(KillCause cause) {
  take_cause(cause);
  during_launch_ = true;
}

void Termination::request_before_adoption(Instant now, KillCause cause, Duration grace) {
  // An end that was asked at once needs no time.
  if (!requested() || deadline_ != kNever) {
    deadline_ = std::min(deadline_, later(now, std::max(grace, Duration::zero())));
    resumed_ = true;
  }
  take_cause(cause);
}

void Termination::resume(KillCause cause, bool during_launch, Instant deadline) {
  cause_ = cause;
  during_launch_ = during_launch;
  deadline_ = cause == KillCause::kNone ? kNever : deadline;
  resumed_ = deadline_ != kNever;
}

Termination::Step Termination::on_launched() {
  if (!requested() || finished_) return Step::kNone;
  if (deadline_ == kNever) return finish();
  return std::exchange(resumed_, false) ? Step::kTerminate : Step::kNone;
}

Termination::Step Termination::on_time(Instant now) {
  return deadline_ <= now ? finish() : Step::kNone;
}

void Termination::take_cause(KillCause cause) {
  if (!requested() || cause_ == KillCause::kCompletionTime) cause_ = cause;
}

Termination::Step Termination::finish() {
  finished_ = true;
  deadline_ = kNever;
  return Step::kKill;
}

}  // namespace tepui
