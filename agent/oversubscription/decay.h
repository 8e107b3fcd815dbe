#pragma once
// By how much a sample counts less after some time: by half after each half-life. Computed from
// products only, so that it needs no mathematical library, whose last bit differs between machines.
//
// Pure.

#include "common/time.h"

namespace tepui {

// `to - from`; the longest duration where it does not fit.
Duration elapsed(Instant from, Instant to);

// 2^(-time / half_life), within 1e-12; 1 if no time passed, 0 after 64 half-lives.
double decay(Duration time, Duration half_life);

// The same, of one half-life; remembers the last answer, since all tasks of a round ask alike.
class Decay {
 public:
  explicit Decay(Duration half_life) : half_life_(half_life) {}

  double between(Instant from, Instant to) {
    const Duration time = elapsed(from, to);
    if (time != time_) {
      time_ = time;
      kept_ = decay(time, half_life_);
    }
    return kept_;
  }

 private:
  Duration half_life_;
  Duration time_{};
  double kept_ = 1;
};

}  // namespace tepui
