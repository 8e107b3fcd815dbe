#pragma once
// The ports of its own that a container may take, a bit for each. The kernel keeps one for each
// cgroup that the programs are attached to, and it goes with the cgroup.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

#define TEPUI_PORTS_MAP "port_sets"

enum { kPortWords = 65536 / 64 };

struct port_set {
  __u64 words[kPortWords];  // port p is bit p % 64 of words[p / 64]
};
