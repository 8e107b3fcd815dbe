#pragma once
// The table of slots as programs see it: whose container a task or a cgroup belongs to.
//
// The innermost cgroup that has a slot counts: a container's own, or, for what a container made
// below itself, that of the container, which is one or two levels below the agent's subtree.

#include "ebpf/kernel.h"
#include "ebpf/slots.h"

// Set before loading: how many slots there are, and where the agent's subtree is.
const volatile __u32 slot_count = kSlotsDefault;
const volatile __u64 root_id = 0;
const volatile __s32 root_level = 0;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kSlotTableSize);
  __type(key, __u32);
  __type(value, struct slot_place);
} slot_table SEC(".maps");

static __always_inline __u32 slot_of_id(__u64 id) {
  __u32 place = first_slot_place(id);
#pragma unroll
  for (int i = 0; i < kSlotSearchMax; ++i) {
    __u32 at = (place + i) & (kSlotTableSize - 1);
    struct slot_place* found = bpf_map_lookup_elem(&slot_table, &at);
    if (!found || found->cgroup_id == 0) return 0;
    if (found->cgroup_id == id) return found->slot < slot_count ? found->slot : 0;
  }
  return 0;
}

// Of a cgroup deeper than the containers': rare, so it may cost more.
static __noinline __u32 slot_of_ancestors(struct cgroup* cgroup) {
  if (!cgroup) return 0;
  const int level = BPF_CORE_READ(cgroup, level);
  if (BPF_CORE_READ(cgroup, ancestors[root_level], kn, id) != root_id) return 0;
  if (level > root_level + 2) {
    const __u32 inner = slot_of_id(BPF_CORE_READ(cgroup, ancestors[root_level + 2], kn, id));
    if (inner) return inner;
  }
  return slot_of_id(BPF_CORE_READ(cgroup, ancestors[root_level + 1], kn, id));
}

// `cgroup` is a number that may no longer be a pointer, or null.
static __always_inline __u32 slot_of_untrusted_cgroup(struct cgroup* cgroup) {
  if (!cgroup) return 0;
  const int level = BPF_CORE_READ(cgroup, level);
  if (level <= root_level) return 0;
  const __u32 slot = slot_of_id(BPF_CORE_READ(cgroup, kn, id));
  return slot || level <= root_level + 1 ? slot : slot_of_ancestors(cgroup);
}

// The programs' hot path: `cgroup` is a pointer that the verifier trusts.
static __always_inline __u32 slot_of_cgroup(struct cgroup* cgroup) {
  if (cgroup->level <= root_level) return 0;
  const __u32 slot = slot_of_id(cgroup->kn->id);
  if (slot || cgroup->level <= root_level + 1) return slot;
  return slot_of_ancestors(cgroup);
}

static __always_inline __u32 slot_of_task(struct task_struct* task) {
  return slot_of_cgroup(task->cgroups->dfl_cgrp);
}
