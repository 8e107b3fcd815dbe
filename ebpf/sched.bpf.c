// How long containers are on processors, how often they leave them and why, and how long they wait
// for one.
//
// A switch of tasks happens hundreds of thousands of times a second, so its hook asks no clock and
// keeps no state: how long a stint lasted and when a task was queued, the scheduler knows itself.

#include "ebpf/sched.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

// A switch of its own, since it makes the hook about twice as long.
const volatile __u8 measure_waits = 0;  // not bool: C++ has no _Bool

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);  // set before loading
  __type(key, __u32);
  __type(value, struct sched_counts);
} sched_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wait_histogram);
} wait_histograms SEC(".maps");

// What each processor is at.
struct processor {
  __u64 task;         // the address of the one that runs, by the last switch that was seen
  __u64 stint_begin;  // what it had used when it came
  __u64 run_queue;    // the address of the struct rq
  __u64 unused[5];    // a line of the cache for each
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kProcessorsMax);
  __type(key, __u32);
  __type(value, struct processor);
} processors SEC(".maps");

static __always_inline struct sched_counts* counts_of(__u32 cpu, __u32 slot) {
  __u32 index = cpu * slot_count + slot;
  return bpf_map_lookup_elem(&sched_counts, &index);
}

// Of the stint that ends. The scheduler's own sum is what
// cpu.stat adds up. It also notes itself where a stint began, but a task that moves between groups,
// as every one does that exits, begins anew there: that is for stints of which the begin was not
// seen. (There are kernels that hide some switches from programs.)
static __always_inline __u64 stint_of(const struct processor* processor, struct task_struct* prev) {
  __u64 begin = prev->se.prev_sum_exec_runtime;
  barrier_var(begin);  // or the compiler makes one load of two
  if (processor->task == (__u64)prev) begin = processor->stint_begin;
  const __s64 stint = prev->se.sum_exec_runtime - begin;
  return stint > 0 ? stint : 0;  // one wrong number would spoil the sum for ever
}

// After the stint before has been counted: until then it goes on, for those who look.
static __always_inline void begin_stint(struct processor* processor, struct task_struct* next) {
  processor->task = 0;  // so that nobody takes the begin of one for that of the other
  barrier();
  processor->stint_begin = next->se.sum_exec_runtime;
  barrier();
  processor->task = (__u64)next;
}

static __always_inline void count_wait(__u32 cpu, struct task_struct* next) {
  const __u32 slot = slot_of_task(next);
  if (!slot) return;
  const __u64 queued = next->sched_info.last_queued;
  const __u64 clock = next->se.cfs_rq->rq->clock;
  if (!queued || clock < queued) return;
  const __u64 wait = clock - queued;
  struct sched_counts* counts = counts_of(cpu, slot);
  __u32 index = cpu * slot_count + slot;
  struct wait_histogram* histogram = bpf_map_lookup_elem(&wait_histograms, &index);
  if (!counts || !histogram) return;
  counts->run_queue_ns += wait;
  counts->run_queue_waits += 1;
  __u32 bucket = wait_bucket(wait);
  barrier_var(bucket);  // or the compiler compares another one
  if (bucket < kWaitBuckets) histogram->buckets[bucket] += 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempted, struct task_struct* prev, struct task_struct* next,
             unsigned int prev_state) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct processor* processor = bpf_map_lookup_elem(&processors, &cpu);
  if (!processor) return 0;
  const __u64 stint = stint_of(processor, prev);
  const __u32 slot = slot_of_task(prev);
  if (slot) {
    struct sched_counts* counts = counts_of(cpu, slot);
    if (counts) {
      counts->on_cpu_ns += stint;
      barrier();  // who sees the switch sees the stint
      if (!preempted && prev_state) {
        counts->switches_voluntary += 1;
      } else {
        counts->switches_forced += 1;
      }
    }
  }
  begin_stint(processor, next);
  if (measure_waits) count_wait(cpu, next);
  return 0;
}

// Runs on any processor, also in an interrupt: hence atomic.
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct* task) {
  const __u32 slot = slot_of_task(task);
  if (!slot) return 0;
  struct sched_counts* counts = counts_of(bpf_get_smp_processor_id(), slot);
  if (counts) __sync_fetch_and_add(&counts->migrations, 1);
  return 0;
}

// Stints that have not ended. The next two are not attached: the agent runs the first on each
// processor when it begins, so that the second finds all run queues, and the second whenever it has
// read the counts, since a task may stay on a processor for long.

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kProcessorsMax);
  __type(key, __u32);
  __type(value, struct running_stint);
} running_stints SEC(".maps");

const volatile __u32 processor_count = 1;

SEC("raw_tp")
int find_run_queue(void* context) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct processor* processor = bpf_map_lookup_elem(&processors, &cpu);
  struct task_struct* task = bpf_get_current_task_btf();
  if (processor) processor->run_queue = (__u64)task->se.cfs_rq->rq;
  return 0;
}

// The task whose stint the processor's counts do not have yet. When the scheduler switches, it
// first says that the next one runs, and lets our hook count the stint of the one before a while
// later.
static __always_inline struct task_struct* task_of_stint(__u32 cpu, struct processor* processor) {
  struct rq* queue = (struct rq*)processor->run_queue;
  struct task_struct* current = BPF_CORE_READ(queue, curr);
  struct task_struct* noted = (struct task_struct*)processor->task;
  if (!noted || noted == current) return current;
  // One that was noted before a switch that no hook saw is elsewhere, or gone.
  const bool is_leaving =
      BPF_CORE_READ(noted, on_cpu) && BPF_CORE_READ(noted, thread_info.cpu) == cpu;
  return is_leaving ? noted : current;
}

SEC("raw_tp")
int note_running(void* context) {
  for (__u32 cpu = 0; cpu < kProcessorsMax && cpu < processor_count; ++cpu) {
    __u32 key = cpu;
    struct processor* processor = bpf_map_lookup_elem(&processors, &key);
    struct running_stint* stint = bpf_map_lookup_elem(&running_stints, &key);
    if (!processor || !processor->run_queue || !stint) continue;
    struct task_struct* task = task_of_stint(cpu, processor);
    const __u32 slot = slot_of_untrusted_cgroup(BPF_CORE_READ(task, cgroups, dfl_cgrp));
    struct sched_counts* counts = counts_of(cpu, slot);
    const __u64 ended = counts ? counts->switches_voluntary + counts->switches_forced : 0;
    const bool is_known = processor->task == (__u64)task;
    const __u64 begin =
        is_known ? processor->stint_begin : BPF_CORE_READ(task, se.prev_sum_exec_runtime);
    const __s64 ns = BPF_CORE_READ(task, se.sum_exec_runtime) - begin;
    barrier();
    // If it ended meanwhile, it has been counted.
    stint->slot = is_known && processor->task != (__u64)task ? 0 : slot;
    stint->ended = ended;
    stint->ns = ns > 0 ? ns : 0;
  }
  return 0;
}
