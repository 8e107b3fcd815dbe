#pragma once
// Percentiles of what was counted in buckets.
//
// Pure.

#include <cstdint>
#include <span>

namespace tepui {

// The bucket that has the value below which `per_thousand` of all counts lie, or -1 if nothing was
// counted.
inline int quantile_bucket(std::span<const uint32_t> counts, uint64_t per_thousand) {
  uint64_t all = 0;
  for (const uint32_t count : counts) all += count;
  if (all == 0) return -1;
  // The rank, from 1, rounded up.
  const uint64_t rank = (all * per_thousand + 999) / 1000;
  uint64_t below = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    if (below >= rank) return static_cast<int>(i);
  }
  return static_cast<int>(counts.size()) - 1;
}

}  // namespace tepui
