// One walk over the agent's subtree that reads what the files of the cgroups would say, without a
// file and without text.
//
// Processor time and io are kept per processor and are added up by a flush, of which one at the top
// is enough. Two names of that: cgroup_rstat_flush flushes everything (Linux 6.1), css_rstat_flush
// one controller (6.16); it does not take the io controller from a program, so before a walk the
// agent reads io.stat of the top, which does the same. Neither: the agent does not use this.

#include "ebpf/cgroups.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern void css_rstat_flush(struct cgroup_subsys_state* css) __ksym __weak;
extern void cgroup_rstat_flush(struct cgroup* cgroup) __ksym __weak;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct cgroup_record);
} cgroup_records SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct walk_state);
} walk_states SEC(".maps");

// The css of a controller, or null where the cgroup has it not. What it points to is read, not
// followed.
#define CSS_OF(cgroup, controller) \
  ((cgroup)->subsys[bpf_core_enum_value(enum cgroup_subsys_id, controller)])

// Whether this kernel has it.
static __always_inline __u32 flush(struct cgroup* top) {
  if (css_rstat_flush) {
    css_rstat_flush(&top->self);
    return 1;
  }
  if (cgroup_rstat_flush) {
    cgroup_rstat_flush(top);
    return 1;
  }
  return 0;
}

static __always_inline void read_cpu(struct cgroup_record* record, struct cgroup* cgroup) {
  record->usage_ns = cgroup->bstat.cputime.sum_exec_runtime;
  record->user_raw_ns = cgroup->bstat.cputime.utime;
  record->system_raw_ns = cgroup->bstat.cputime.stime;
  struct task_group* group = (void*)CSS_OF(cgroup, cpu_cgrp_id);
  if (!group || !bpf_core_field_exists(group->cfs_bandwidth)) return;
  record->has |= kHasThrottling;
  record->periods = BPF_CORE_READ(group, cfs_bandwidth.nr_periods);
  record->throttled_periods = BPF_CORE_READ(group, cfs_bandwidth.nr_throttled);
  record->throttled_ns = BPF_CORE_READ(group, cfs_bandwidth.throttled_time);
}

static __always_inline __u64 positive(long value) { return value > 0 ? value : 0; }

static __always_inline void read_memory(struct cgroup_record* record, struct cgroup* cgroup) {
  struct mem_cgroup* memory = (void*)CSS_OF(cgroup, memory_cgrp_id);
  if (!memory) return;
  record->has |= kHasMemory;
  record->memory_pages = positive(BPF_CORE_READ(memory, memory.usage.counter));
  record->memory_peak_pages = BPF_CORE_READ(memory, memory.watermark);
  record->memory_high_events = BPF_CORE_READ(memory, memory_events[MEMCG_HIGH].counter);
  record->memory_max_events = BPF_CORE_READ(memory, memory_events[MEMCG_MAX].counter);
  record->oom_kills = BPF_CORE_READ(memory, memory_events[MEMCG_OOM_KILL].counter);
  if (!bpf_core_field_exists(memory->swap)) return;
  record->has |= kHasSwap;
  record->swap_pages = positive(BPF_CORE_READ(memory, swap.usage.counter));
}

static __always_inline void read_io(struct cgroup_record* record, struct cgroup* cgroup) {
  struct blkcg* blkcg = (void*)CSS_OF(cgroup, io_cgrp_id);
  if (!blkcg) return;
  record->has |= kHasIo;
  struct hlist_node* node = BPF_CORE_READ(blkcg, blkg_list.first);
  for (int i = 0; i < kIoDevicesMax && node; ++i) {
    struct blkcg_gq* device =
        (void*)node - bpf_core_field_offset(((struct blkcg_gq*)0)->blkcg_node);
    record->io_read_bytes += BPF_CORE_READ(device, iostat.cur.bytes[0]);
    record->io_written_bytes += BPF_CORE_READ(device, iostat.cur.bytes[1]);
    record->io_reads += BPF_CORE_READ(device, iostat.cur.ios[0]);
    record->io_writes += BPF_CORE_READ(device, iostat.cur.ios[1]);
    node = BPF_CORE_READ(node, next);
  }
}

static __always_inline void read_pressure(struct cgroup_record* record, struct cgroup* cgroup) {
  struct psi_group* pressure = cgroup->psi;
  if (!pressure) return;
  record->has |= kHasPressure;
#pragma unroll
  for (int i = 0; i < 6; ++i) record->pressure_ns[i] = pressure->total[i];
}

SEC("iter.s/cgroup")
int walk_cgroups(struct bpf_iter__cgroup* context) {
  __u32 zero = 0;
  struct walk_state* state = bpf_map_lookup_elem(&walk_states, &zero);
  if (!state) return 1;
  struct cgroup* cgroup = context->cgroup;
  if (!cgroup) {
    struct cgroup_walk end = {.version = kCgroupRecordVersion,
                              .record_bytes = sizeof(struct cgroup_record),
                              .walk = state->walk,
                              .records = state->records,
                              .flushed = state->flushed};
    bpf_seq_write(context->meta->seq, &end, sizeof end);
    return 0;
  }
  if (context->meta->seq_num == 0) {
    state->walk += 1;
    state->records = 0;
    state->flushed = flush(cgroup);
  }
  if (cgroup->level <= root_level) return 0;
  const __u64 id = cgroup->kn->id;
  __u32 slot = slot_of_id(id);
  if (!slot) return 0;
  struct cgroup_record* record = bpf_map_lookup_elem(&cgroup_records, &slot);
  if (!record) return 0;
  __builtin_memset(record, 0, sizeof *record);
  record->cgroup_id = id;
  record->walk = state->walk;
  read_cpu(record, cgroup);
  read_memory(record, cgroup);
  read_io(record, cgroup);
  read_pressure(record, cgroup);
  state->records += 1;
  return 0;
}
