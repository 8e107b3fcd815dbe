#pragma once
// Median and 99th percentile of what was counted in buckets.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tepui {

struct QuantileBuckets {
  uint32_t p50 = 0;  // the bucket that has the value
  uint32_t p99 = 0;
  bool operator==(const QuantileBuckets&) const = default;
};

// Nothing if nothing was counted.
inline std::optional<QuantileBuckets> quantile_buckets(std::span<const uint32_t> counts) {
  uint64_t all = 0;
  for (const uint32_t count : counts) all += count;
  if (all == 0) return std::nullopt;
  // Ranks, from 1, rounded up.
  const uint64_t median = (all + 1) / 2;
  const uint64_t last_percent = (all * 99 + 99) / 100;
  QuantileBuckets found;
  uint64_t below = 0;
  for (uint32_t i = 0; i < counts.size(); ++i) {
    if (below < median) found.p50 = i;
    found.p99 = i;
    below += counts[i];
    if (below >= last_percent) break;
  }
  return found;
}

}  // namespace tepui
