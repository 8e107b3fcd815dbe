#pragma once
// Page faults of containers, and how long their tasks had to make room in memory themselves.
//
// Index: processor * slots + slot; that processor adds to it.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

struct mm_counts {
  __u64 page_faults;  // of code in user space
  __u64 reclaim_stalls;
  __u64 reclaim_stall_ns;  // of stalls that have ended
  __u64 unused[5];
};
