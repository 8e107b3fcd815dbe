#pragma once
// Where a cgroup is in the whole hierarchy, which a process in a cgroup namespace cannot see.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

struct cgroup_place {
  __u64 cgroup_id;
  __s32 level;  // 0 is the root of the machine
  __u32 unused;
};
