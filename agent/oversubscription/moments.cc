#include "agent/oversubscription/moments.h"

#include "agent/oversubscription/decay.h"

namespace tepui {

void Moments::add(Instant at, double value) {
  const double kept = empty() ? 1 : decay(elapsed(last_, at), half_life_);
  last_ = at;
  weight_ = weight_ * kept + 1;
  const double distance = value - mean_;
  mean_ += distance / weight_;
  squares_ = squares_ * kept + distance * (value - mean_);
}

}  // namespace tepui
