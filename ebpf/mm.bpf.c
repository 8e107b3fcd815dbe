// Page faults and reclaim stalls of containers: a task that needs memory when the machine, or its
// cgroup, has none left looks for some itself, and waits.

#include "ebpf/mm.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct mm_counts);
} mm_counts SEC(".maps");

// When the stall of a task began.
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u64);
} stall_begins SEC(".maps");

static __always_inline struct mm_counts* counts_of_current(struct task_struct* task) {
  const __u32 slot = slot_of_task(task);
  if (!slot) return 0;
  __u32 index = bpf_get_smp_processor_id() * slot_count + slot;
  return bpf_map_lookup_elem(&mm_counts, &index);
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_page_fault) {
  struct mm_counts* counts = counts_of_current(bpf_get_current_task_btf());
  if (counts) __sync_fetch_and_add(&counts->page_faults, 1);
  return 0;
}

static __always_inline int begin_stall(void) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (!slot_of_task(task)) return 0;
  __u64* begin = bpf_task_storage_get(&stall_begins, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (begin) *begin = bpf_ktime_get_ns();
  return 0;
}

static __always_inline int end_stall(void) {
  struct task_struct* task = bpf_get_current_task_btf();
  __u64* begin = bpf_task_storage_get(&stall_begins, task, 0, 0);
  if (!begin || !*begin) return 0;
  const __u64 stall = bpf_ktime_get_ns() - *begin;
  *begin = 0;
  struct mm_counts* counts = counts_of_current(task);
  if (counts) {
    __sync_fetch_and_add(&counts->reclaim_stalls, 1);
    __sync_fetch_and_add(&counts->reclaim_stall_ns, stall);
  }
  return 0;
}

// Of the machine.

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(on_direct_reclaim_begin) { return begin_stall(); }

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(on_direct_reclaim_end) { return end_stall(); }

// Of the cgroup.

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(on_memcg_reclaim_begin) { return begin_stall(); }

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(on_memcg_reclaim_end) { return end_stall(); }
