// The egress limit of a container, and what it cost: see egress.h. Runs for what sockets of the
// cgroup and those below it send, also to the machine itself.

#include "ebpf/egress.h"
#include "ebpf/kernel.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
  __type(key, __u64);
  __type(value, struct egress_limit);
} egress_limits SEC(".maps");

enum {
  kPass = 1,
  kDropAndSlowDown = 2,  // NET_XMIT_DROP
};

// Time that was too short for a byte stays for the next packet.
static __always_inline void fill(struct egress_limit* limit, __u64 now) {
  enum { kSecond = 1000000000 };
  if (now <= limit->filled_ns) return;
  const __u64 elapsed = now - limit->filled_ns;
  if (elapsed >= limit->fill_ns) {
    limit->tokens = limit->burst_bytes;
    limit->filled_ns = now;
    return;
  }
  const __u64 gained = elapsed * limit->bytes_per_second / kSecond;
  limit->tokens += gained;
  limit->filled_ns += gained * kSecond / limit->bytes_per_second;
  if (limit->tokens > limit->burst_bytes) limit->tokens = limit->burst_bytes;
}

SEC("cgroup_skb/egress")
int limit_egress(struct __sk_buff* packet) {
  struct egress_limit* limit = bpf_get_local_storage(&egress_limits, 0);
  const __u64 now = bpf_ktime_get_ns();
  const __u64 bytes = packet->len;
  const __u64 segments = packet->gso_segs ? packet->gso_segs : 1;
  int verdict = kPass;
  bpf_spin_lock(&limit->lock);
  if (limit->bytes_per_second) {  // otherwise nobody has set it yet
    fill(limit, now);
    if (limit->tokens >= bytes) {
      limit->tokens -= bytes;
    } else if (limit->tokens == limit->burst_bytes) {
      limit->tokens = 0;  // larger than the bucket: passes when there is no more to wait for
    } else {
      limit->dropped_bytes += bytes;
      limit->dropped_packets += segments;
      verdict = kDropAndSlowDown;
    }
  }
  bpf_spin_unlock(&limit->lock);
  return verdict;
}
