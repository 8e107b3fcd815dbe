#pragma once
// What containers sent and received, at the socket: every protocol over IP, headers from IP on,
// also to themselves. Segments that the machine's offloads put together count as what the wire
// carried, as far as the kernel knows.
//
// Index: processor * slots + slot; that processor adds to it, also in interrupts.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

struct net_counts {
  __u64 received_bytes;
  __u64 received_packets;
  __u64 sent_bytes;
  __u64 sent_packets;
  __u64 retransmissions;  // of TCP: segments sent again
  __u64 unused[3];
};
