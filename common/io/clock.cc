#include "common/io/clock.h"

#include <time.h>

#include "common/check.h"

namespace tepui {

namespace {
Duration read_clock(clockid_t which) {
  timespec spec{};
  const int failed = clock_gettime(which, &spec);
  CHECK(failed == 0);
  return std::chrono::seconds(spec.tv_sec) + std::chrono::nanoseconds(spec.tv_nsec);
}
}  // namespace

Now now() {
  return Now{.mono = Instant(read_clock(CLOCK_BOOTTIME)),
             .wall = WallTime(read_clock(CLOCK_REALTIME))};
}

}  // namespace tepui
