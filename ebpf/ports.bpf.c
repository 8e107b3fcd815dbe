// Refuses (EPERM) to bind a socket of the cgroup, or of one below, to a port that is not the
// container's. Port 0, by which the kernel chooses one of the ephemeral, is everybody's. Sockets
// that have no ports (raw ones, those for echos) do not come here.

#include <bpf/bpf_endian.h>

#include "ebpf/kernel.h"
#include "ebpf/ports.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
  __type(key, __u64);
  __type(value, struct port_set);
} port_sets SEC(".maps");

static __always_inline int check(struct bpf_sock_addr* address) {
  enum { kRefuse = 0, kPermit = 1 };
  const struct port_set* ports = bpf_get_local_storage(&port_sets, 0);
  const __u32 port = bpf_ntohs((__u16)address->user_port);
  if (port == 0) return kPermit;
  return ports->words[(port >> 6) & (kPortWords - 1)] >> (port & 63) & 1 ? kPermit : kRefuse;
}

SEC("cgroup/bind4")
int check_bind4(struct bpf_sock_addr* address) { return check(address); }

SEC("cgroup/bind6")
int check_bind6(struct bpf_sock_addr* address) { return check(address); }
