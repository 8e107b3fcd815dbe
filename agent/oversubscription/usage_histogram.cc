#include "agent/oversubscription/usage_histogram.h"

#include <algorithm>
#include <bit>

namespace tepui {

namespace {

// A use in 65536ths of the limit. Up to 31 a bucket holds one of them, then twice as many each
// octave.
constexpr uint32_t kWhole = 65536;
constexpr uint32_t kPerOctave = 16;
constexpr float kMaxWeight = 1024;

uint32_t bucket_of(uint32_t part) {
  if (part < kPerOctave) return part;
  const auto shift = static_cast<uint32_t>(std::bit_width(part)) - 5;
  return shift * kPerOctave + (part >> shift);
}

// The first part that is above the bucket.
uint32_t end_of(uint32_t bucket) {
  if (bucket < kPerOctave) return bucket + 1;
  const uint32_t shift = bucket / kPerOctave - 1;
  return (bucket % kPerOctave + kPerOctave + 1) << shift;
}

}  // namespace

void UsageHistogram::scale_back() {
  all_ = 0;
  for (float& bucket : buckets_) all_ += bucket /= weight_;
  weight_ = 1;
}

void UsageHistogram::add(Decay& decay, Instant at, int64_t usage) {
  if (weight_ == 0) {
    weight_ = 1;
  } else {
    const double kept = decay.between(last_, at);
    if (kept < 1.0 / kMaxWeight) {  // nothing of what was matters any more
      buckets_ = {};
      all_ = 0;
      end_ = 0;
      weight_ = 1;
    } else {
      weight_ = static_cast<float>(weight_ / kept);
      if (weight_ > kMaxWeight) scale_back();
    }
  }
  last_ = at;
  uint32_t part = kWhole - 1;
  if (usage < limit_) {
    part = static_cast<uint32_t>(static_cast<double>(usage) / static_cast<double>(limit_) * kWhole);
  }
  const uint32_t bucket = bucket_of(std::min(part, kWhole - 1));
  buckets_[bucket] += weight_;
  all_ += weight_;
  end_ = std::max(end_, bucket + 1);
}

double UsageHistogram::percentile(uint32_t permille) const {
  if (end_ == 0) return 0;
  const double above = all_ * (1000 - std::min(permille, 1000U)) / 1000;
  double seen = 0;
  uint32_t bucket = end_;
  while (bucket > 0) {
    seen += buckets_[--bucket];
    if (seen > above) break;
  }
  return static_cast<double>(limit_) * end_of(bucket) / kWhole;
}

}  // namespace tepui
