#include "agent/oversubscription/moments.h"

namespace tepui {

void Moments::add(Decay& decay, Instant at, double value) {
  const double kept = empty() ? 1 : decay.between(last_, at);
  last_ = at;
  weight_ = weight_ * kept + 1;
  const double distance = value - mean_;
  mean_ += distance / weight_;
  squares_ = squares_ * kept + distance * (value - mean_);
}

}  // namespace tepui
