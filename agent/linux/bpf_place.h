#pragma once
// Where the agent's cgroup is in the whole hierarchy, found with a BPF program; by which it also
// shows whether this machine lets the agent use BPF at all.

#include "common/result.h"
#include "ebpf/place.h"

namespace tepui {

// Of an open cgroup directory. The error says what the kernel refused. May block.
Result<cgroup_place> find_bpf_place(int cgroup);

}  // namespace tepui
