#pragma once
// The only place that asks the machine what time it is. A shell does so once per turn and hands the
// answer to everything below it.

#include "common/time.h"

namespace tepui {

// Boot time (CLOCK_BOOTTIME) and wall time (CLOCK_REALTIME).
Now now();

// The clock of a reactor; a test may hand in one that it moves by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now read() = 0;
};

class SystemClock final : public Clock {
 public:
  Now read() override { return now(); }
};

}  // namespace tepui
