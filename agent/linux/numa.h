#pragma once
// The NUMA nodes of this machine, as far as a cgroup may use them.

#include <vector>

#include "agent/isolators/cpuset.h"
#include "common/result.h"

namespace tepui {

// With nothing taken; in order. Those without processors are left out.
Result<std::vector<NumaNode>> read_numa_nodes();

}  // namespace tepui
