// Ends of processes and victims of the out-of-memory killer, through a ring.
//
// Victims wake the agent; ends wait until it looks, so that a container that forks all the time
// cannot keep it busy.

#include "ebpf/events.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, kEventRingBytes);
} events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct event_losses);
} event_losses SEC(".maps");

static __always_inline struct kernel_event* reserve(void) {
  struct kernel_event* event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
  if (!event) {
    __u32 zero = 0;
    struct event_losses* losses = bpf_map_lookup_elem(&event_losses, &zero);
    if (losses) __sync_fetch_and_add(&losses->lost, 1);
    return 0;
  }
  __builtin_memset(event, 0, sizeof *event);
  event->at_ns = bpf_ktime_get_boot_ns();
  return event;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct* task) {
  if (task->signal->live.counter != 0) return 0;
  const __u32 slot = slot_of_task(task);
  if (!slot) return 0;
  struct kernel_event* event = reserve();
  if (!event) return 0;
  event->kind = kEventExit;
  event->slot = slot;
  event->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
  event->pid = task->tgid;
  const int of_group = task->signal->group_exit_code;
  event->exit_status = of_group ? of_group : task->exit_code;
  event->was_oom_victim = task->signal->oom_mm != 0;
  bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
  return 0;
}

// One of the next two is loaded: the argument became a task in Linux 6.8.

SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim, struct task_struct* task) {
  const __u32 slot = slot_of_task(task);
  if (!slot) return 0;
  struct kernel_event* event = reserve();
  if (!event) return 0;
  event->kind = kEventOomVictim;
  event->slot = slot;
  event->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
  event->pid = task->tgid;
  event->was_oom_victim = 1;
  bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
  return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim_pid, int pid) {
  struct kernel_event* event = reserve();
  if (!event) return 0;
  event->kind = kEventOomVictim;
  event->pid = pid;
  event->was_oom_victim = 1;
  bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
  return 0;
}
