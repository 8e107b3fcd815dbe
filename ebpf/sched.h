#pragma once
// What the scheduler's hooks count for each container, on each processor.
//
// Index of both arrays: processor * slots + slot. Only that processor writes there, and the agent
// adds the processors up.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

// 64 bytes: one line of the cache.
struct sched_counts {
  __u64 on_cpu_ns;           // of stints that have ended
  __u64 switches_voluntary;  // the task wanted to wait
  __u64 switches_forced;     // it could have gone on
  __u64 migrations;          // to another processor
  __u64 run_queue_ns;        // waited for a processor; only with latency
  __u64 run_queue_waits;
  __u64 unused[2];
};

// What a processor does at the moment: the stint of a container's task that has not ended.
struct running_stint {
  __u64 ns;     // up to the last tick of the scheduler
  __u64 ended;  // stints that the processor's counts of the slot had then: if they have more, this
                // one
  __u32 slot;
  __u32 unused;
};

enum { kProcessorsMax = 1024 };

enum {
  kWaitSteps = 4,      // buckets in each doubling
  kWaitBuckets = 80,   // from 0 to 2.1 s; the last one has what is longer
  kWaitUnitShift = 10  // the first buckets are 1,024 ns wide
};

// Log-linear: each bucket is at most a quarter wider than its lower end.
struct wait_histogram {
  __u32 buckets[kWaitBuckets];
};

static inline __u32 wait_log2(__u32 value) {
  __u32 log = 0;
  if (value >> 16) {
    value >>= 16;
    log += 16;
  }
  if (value >> 8) {
    value >>= 8;
    log += 8;
  }
  if (value >> 4) {
    value >>= 4;
    log += 4;
  }
  if (value >> 2) {
    value >>= 2;
    log += 2;
  }
  return log + (value >> 1);
}

static inline __u32 wait_bucket(__u64 wait_ns) {
  const __u64 units = wait_ns >> kWaitUnitShift;
  if (units < kWaitSteps) return (__u32)units;
  if (units >> 21) return kWaitBuckets - 1;
  const __u32 log = wait_log2((__u32)units);  // 2 or more
  return (log - 1) * kWaitSteps + (((__u32)units >> (log - 2)) & (kWaitSteps - 1));
}

// Where a bucket begins; where the one before it ends.
static inline __u64 wait_bucket_begin_ns(__u32 bucket) {
  if (bucket < kWaitSteps) return (__u64)bucket << kWaitUnitShift;
  const __u32 log = bucket / kWaitSteps + 1;
  return (__u64)(kWaitSteps + bucket % kWaitSteps) << (log - 2 + kWaitUnitShift);
}
