#pragma once
// What containers did to disks, counted when the disk has done it.
//
// Index: processor * slots + slot; that processor adds to it, also in interrupts.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

enum {
  kBlockSteps = 2,       // buckets in each doubling
  kBlockBuckets = 48,    // from 0 to 137 s; the last one has what is longer
  kBlockUnitShift = 13,  // the first buckets are 8,192 ns wide
};

struct block_counts {
  __u64 read_bytes;
  __u64 written_bytes;
  __u64 reads;
  __u64 writes;
  __u64 latency_ns;  // of reads and writes together, from their making to their end
  __u64 unused[3];
  __u32 buckets[kBlockBuckets];
};

static inline __u32 block_bucket(__u64 latency_ns) {
  __u64 units = latency_ns >> kBlockUnitShift;
  if (units < kBlockSteps) return (__u32)units;
  __u32 log = 1;
  for (int i = 0; i < 24 && units > 3; ++i) {
    units >>= 1;
    ++log;
  }
  const __u32 bucket = log * kBlockSteps + (__u32)(units & 1);
  return bucket < kBlockBuckets ? bucket : kBlockBuckets - 1;
}

static inline __u64 block_bucket_begin_ns(__u32 bucket) {
  if (bucket < kBlockSteps) return (__u64)bucket << kBlockUnitShift;
  return (__u64)(kBlockSteps + bucket % kBlockSteps)
         << (bucket / kBlockSteps - 1 + kBlockUnitShift);
}
