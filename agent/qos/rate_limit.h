#pragma once
// RateLimit permits so many events in each period, with all of a period's at once at most: a bucket
// that fills evenly.
//
// Pure.

#include <algorithm>
#include <cstdint>

#include "common/time.h"

namespace tepui {

class RateLimit {
 public:
  RateLimit(int64_t events, Duration period) { set(events, period); }
  // What was spent stays spent.
  void set(int64_t events, Duration period) {
    const bool first = gap_ == Duration{};
    events_ = events;
    gap_ = events > 0 ? period / events : period;
    full_ = gap_ * events;
    credit_ = first ? full_ : std::min(credit_, full_);
  }
  bool take(Instant now) {
    if (now > refilled_) {
      const Duration passed = now - refilled_;
      credit_ = passed >= full_ - credit_ ? full_ : credit_ + passed;
      refilled_ = now;
    }
    if (events_ <= 0 || credit_ < gap_) return false;
    credit_ -= gap_;
    return true;
  }

 private:
  int64_t events_ = 0;
  Duration gap_{};
  Duration full_{};
  Duration credit_{};
  Instant refilled_{};
};

}  // namespace tepui
