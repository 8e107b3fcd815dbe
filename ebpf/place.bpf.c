// Says id and level of one cgroup, by an iterator that is attached to it alone. Also the smallest
// program that tells whether this kernel lets the agent measure at all.

#include "ebpf/place.h"

#include "ebpf/kernel.h"

char LICENSE[] SEC("license") = "GPL";

SEC("iter/cgroup")
int tell_place(struct bpf_iter__cgroup* context) {
  struct cgroup* cgroup = context->cgroup;
  if (!cgroup) return 0;
  struct cgroup_place place = {.cgroup_id = cgroup->kn->id, .level = cgroup->level};
  bpf_seq_write(context->meta->seq, &place, sizeof place);
  return 0;
}
