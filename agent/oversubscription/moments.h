#pragma once
// Moments keeps mean and variance of samples of which older ones count less, in three doubles
// (West's update of weighted moments, "Updating mean and variance estimates", 1979: no difference
// of large sums, so bytes in terabytes keep their variance).
//
// Pure.

#include "agent/oversubscription/decay.h"
#include "common/time.h"

namespace tepui {

class Moments {
 public:
  void add(Decay& decay, Instant at, double value);

  bool empty() const { return weight_ == 0; }
  double mean() const { return mean_; }
  double variance() const { return weight_ > 0 ? squares_ / weight_ : 0; }

 private:
  Instant last_{};
  double weight_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // weighted, of the distances from the mean
};

}  // namespace tepui
