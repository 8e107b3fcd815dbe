#pragma once
// What tests of predictors share: times in minutes, and tasks that use the same all the time.

#include <chrono>
#include <cstdint>
#include <vector>

#include "agent/oversubscription/peak_predictor.h"

namespace tepui {

inline Instant minute(int64_t n) { return Instant(std::chrono::minutes(n)); }

struct SlotUsage {
  TaskSlot slot = 0;
  int64_t usage = 0;
};

// A round of samples every five minutes, both ends included.
inline void feed(PeakPredictor& predictor, int64_t from, int64_t to,
                 const std::vector<SlotUsage>& usages) {
  for (int64_t at = from; at <= to; at += 5) {
    for (const SlotUsage& one : usages) predictor.on_sample(one.slot, minute(at), one.usage);
  }
}

}  // namespace tepui
