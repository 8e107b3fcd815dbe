#pragma once
// SwitchCost is what a switch of tasks costs: two processes on one processor that wake each other
// over pipes, in a cgroup, with or without our hooks in the kernel.
//
// For benchmarks only.

#include <cstdint>
#include <optional>

#include "agent/linux/hooks.h"
#include "tests/agent/linux/cgroup_tree.h"

namespace tepui::perf {

enum class SwitchHooks : uint8_t { kNone, kCounts, kCountsAndWaits };

struct SwitchCost {
  double ns = 0;            // elapsed, for each switch
  double instructions = 0;  // in kernel and user space; 0: no counters here
  double hook_ns = 0;       // of the program alone, by the kernel's own clock, which is in it
};

// Runs them once. Hooks are loaded before and gone afterwards. `clocks_hooks` has the kernel
// measure the program, which makes the rest slower.
SwitchCost measure_switches(CgroupTree& tree, SwitchHooks hooks, bool clocks_hooks);

}  // namespace tepui::perf
