#pragma once
// UsageHistogram counts samples of one task's use in buckets of 832 bytes together, of which older
// samples count less. Buckets are log-linear between 0 and the limit: 16 for each octave, so a
// percentile is at most a sixteenth (or a 65536th of the limit) too high, and never too low.
//
// New samples weigh more instead of old ones less (as the vertical autoscaler of
// Kubernetes does), so a sample touches one bucket; all are scaled back once in ten half-lives.
//
// Pure.

#include <array>
#include <cstdint>

#include "agent/oversubscription/decay.h"
#include "common/time.h"

namespace tepui {

class UsageHistogram {
 public:
  explicit UsageHistogram(int64_t limit) : limit_(limit) {}

  void add(Decay& decay, Instant at, int64_t usage);

  // The upper end of the bucket below which `permille` of the weight lies; what was above the limit
  // counts as the limit. 0 without samples.
  double percentile(uint32_t permille) const;

 private:
  static constexpr uint32_t kBuckets = 208;

  void scale_back();

  int64_t limit_;
  Instant last_{};
  float weight_ = 0;  // of the newest sample; 0: no sample yet
  double all_ = 0;    // of all buckets
  uint32_t end_ = 0;  // of the buckets that hold something
  std::array<float, kBuckets> buckets_{};
};

}  // namespace tepui
