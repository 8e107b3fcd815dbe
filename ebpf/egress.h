#pragma once
// What a container may send: a bucket of bytes that fills at the limit's rate and from which each
// packet takes its size. A packet that finds too little in it is dropped, and its socket is told,
// as by a full queue of a device: TCP sends it again and slows down, UDP loses it.
//
// Dropping needs nothing of the devices below. Delaying packets until their time (EDT) would, since
// only the queueing discipline fq keeps to it, and it is not where containers choose their way.
//
// The kernel keeps one for each cgroup that the program is attached to, and it goes with the
// cgroup.
//
// For BPF programs (C) and the agent (C++).

#include <linux/bpf.h>
#include <linux/types.h>

#define TEPUI_EGRESS_MAP "egress_limits"

struct egress_limit {
  struct bpf_spin_lock lock;
  __u32 unused;
  __u64 bytes_per_second;
  __u64 burst_bytes;  // what the bucket holds
  __u64 fill_ns;      // in which an empty one is full
  __u64 tokens;       // bytes in it
  __u64 filled_ns;    // up to when
  __u64 dropped_bytes;
  __u64 dropped_packets;
};
