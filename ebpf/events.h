#pragma once
// What the kernel tells at once instead of counting: processes of containers that ended, and those
// that the out-of-memory killer chose.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

enum kernel_event_kind {
  kEventExit = 1,       // all threads of a process have ended
  kEventOomVictim = 2,  // it was chosen, and dies now
};

struct kernel_event {
  __u64 at_ns;      // CLOCK_BOOTTIME
  __u64 cgroup_id;  // 0 if it is not known (victims before Linux 6.8: their exit has it)
  __u32 kind;
  __u32 slot;  // 0 likewise
  __s32 pid;
  __s32 exit_status;  // of an exit, as wait() gives it
  __u32 was_oom_victim;
  __u32 unused;
};

enum { kEventRingBytes = 256 * 1024 };  // some 4,600 events

// What did not fit into the ring.
struct event_losses {
  __u64 lost;
};
