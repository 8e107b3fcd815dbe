#pragma once
// What the kernel knows of each container's cgroup, as one record that the iterator leaves at the
// container's slot of an array.
//
// The array and not the file that starts the walk carries the records, for that file's buffer in
// the kernel holds 32 kB, and a walk cannot be taken up again.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

enum cgroup_record_has {
  kHasThrottling = 1,  // the cpu controller is there
  kHasMemory = 2,
  kHasSwap = 4,
  kHasIo = 8,
  kHasPressure = 16,
};

enum { kCgroupRecordVersion = 1, kIoDevicesMax = 16 };

struct cgroup_record {
  __u64 cgroup_id;
  __u32 walk;  // the number of the walk that wrote it
  __u32 has;   // of cgroup_record_has: what else is 0 and means nothing
  __u64 usage_ns;
  __u64 user_raw_ns;  // by ticks, or exact: only their ratio counts
  __u64 system_raw_ns;
  __u64 periods;
  __u64 throttled_periods;
  __u64 throttled_ns;
  __u64 memory_pages;
  __u64 memory_peak_pages;
  __u64 swap_pages;
  __u64 memory_high_events;
  __u64 memory_max_events;
  __u64 oom_kills;
  __u64 io_read_bytes;
  __u64 io_written_bytes;
  __u64 io_reads;
  __u64 io_writes;
  __u64 pressure_ns[6];  // io, memory, cpu; of each some, full
};

// What a read of the iterator answers: the walk's end.
struct cgroup_walk {
  __u32 version;
  __u32 record_bytes;
  __u32 walk;
  __u32 records;
  __u32 flushed;  // 0: this kernel lets no program flush, and the records are stale
  __u32 unused;
};

// Where a program keeps its place between cgroups; also says which walk is to come.
struct walk_state {
  __u32 walk;
  __u32 records;
  __u32 flushed;
  __u32 unused;
};
