#include "agent/oversubscription/decay.h"

#include "common/check.h"

namespace tepui {

Duration elapsed(Instant from, Instant to) {
  int64_t ns = 0;
  if (__builtin_sub_overflow(to_ns(to), to_ns(from), &ns)) {
    return to > from ? Duration::max() : Duration::min();
  }
  return Duration(ns);
}

double decay(Duration time, Duration half_life) {
  CHECK(half_life > Duration::zero());
  if (time <= Duration::zero()) return 1;
  const double lives = static_cast<double>(time.count()) / static_cast<double>(half_life.count());
  if (lives >= 64) return 0;
  const auto whole = static_cast<uint32_t>(lives);
  // The series of e^x; x lies in (-ln 2, 0], where 14 terms leave less than 1e-12.
  const double x = (lives - whole) * -0.6931471805599453;
  double sum = 1;
  for (int n = 14; n > 0; --n) sum = 1 + sum * x / n;
  return sum / static_cast<double>(uint64_t{1} << whole);
}

}  // namespace tepui
