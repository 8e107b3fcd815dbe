#pragma once
// The scheduling class of all that runs in a cgroup: what is left for the idle class where the cpu
// controller is missing.

#include <string>

#include "common/result.h"

namespace tepui {

// Puts every thread in `cgroup`, relative to an open directory, and below it into the idle class
// (SCHED_IDLE), or back into the normal one; what they start later inherits it. Threads that began
// while they were looked for are looked for again. Blocks a little: not for the loop.
Result<void> set_idle(int directory, const std::string& cgroup, bool idle);

}  // namespace tepui
