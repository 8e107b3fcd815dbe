// Bytes and packets of containers in both directions. One pair of programs on the agent's subtree
// sees the traffic of all containers, and finds whose it is by the socket's cgroup.

#include "ebpf/net.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct net_counts);
} net_counts SEC(".maps");

static __always_inline struct net_counts* counts_of_slot(__u32 slot) {
  __u32 index = bpf_get_smp_processor_id() * slot_count + slot;
  return bpf_map_lookup_elem(&net_counts, &index);
}

static __always_inline struct net_counts* counts_of_packet(struct __sk_buff* packet) {
  __u32 slot = slot_of_id(bpf_skb_cgroup_id(packet));
  if (!slot) slot = slot_of_id(bpf_skb_ancestor_cgroup_id(packet, root_level + 2));
  if (!slot) slot = slot_of_id(bpf_skb_ancestor_cgroup_id(packet, root_level + 1));
  return slot ? counts_of_slot(slot) : 0;
}

static __always_inline __u64 segments_of(struct __sk_buff* packet) {
  return packet->gso_segs ? packet->gso_segs : 1;
}

SEC("cgroup_skb/ingress")
int on_received(struct __sk_buff* packet) {
  struct net_counts* counts = counts_of_packet(packet);
  if (counts) {
    __sync_fetch_and_add(&counts->received_bytes, packet->len);
    __sync_fetch_and_add(&counts->received_packets, segments_of(packet));
  }
  return 1;  // let it pass
}

SEC("cgroup_skb/egress")
int on_sent(struct __sk_buff* packet) {
  struct net_counts* counts = counts_of_packet(packet);
  if (counts) {
    __sync_fetch_and_add(&counts->sent_bytes, packet->len);
    __sync_fetch_and_add(&counts->sent_packets, segments_of(packet));
  }
  return 1;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, const struct sock* socket) {
  const __u32 slot = slot_of_untrusted_cgroup(BPF_CORE_READ(socket, sk_cgrp_data.cgroup));
  if (!slot) return 0;
  struct net_counts* counts = counts_of_slot(slot);
  if (counts) __sync_fetch_and_add(&counts->retransmissions, 1);
  return 0;
}
