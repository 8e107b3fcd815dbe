#pragma once
// What our BPF programs read of the kernel: only the fields that they name. The loader finds where
// each field is in the kernel that runs (CO-RE), so order and size here mean nothing, and neither
// BTF nor root is needed to build.
//
// A type whose name ends in ___something is another shape of the same type, in other kernels.

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct {
  long counter;
} atomic_long_t;

struct hlist_node {
  struct hlist_node* next;
};

struct hlist_head {
  struct hlist_node* first;
};

// Cgroups.

struct kernfs_node {
  __u64 id;
};

struct cgroup_subsys_state {
  struct cgroup* cgroup;
};

struct task_cputime {
  __u64 stime;
  __u64 utime;
  unsigned long long sum_exec_runtime;
};

struct cgroup_base_stat {
  struct task_cputime cputime;
};

struct psi_group {
  __u64 total[12];  // nanoseconds; those for averages first. Declared [2][n], flat in BTF.
};

// The numbers depend on the configuration of the kernel: the loader puts them in.
enum cgroup_subsys_id {
  cpu_cgrp_id = 1,
  io_cgrp_id = 3,
  memory_cgrp_id = 4,
};

struct cgroup {
  struct cgroup_subsys_state self;
  int level;
  struct kernfs_node* kn;
  struct cgroup_subsys_state* subsys[16];
  struct cgroup_base_stat bstat;
  struct psi_group* psi;
  struct cgroup* ancestors[];
};

struct css_set {
  struct cgroup* dfl_cgrp;
};

struct bpf_iter_meta {
  struct seq_file* seq;
  __u64 session_id;
  __u64 seq_num;
};

struct bpf_iter__cgroup {
  struct bpf_iter_meta* meta;
  struct cgroup* cgroup;
};

struct cfs_bandwidth {
  int nr_periods;
  int nr_throttled;
  __u64 throttled_time;
};

struct task_group {
  struct cgroup_subsys_state css;
  struct cfs_bandwidth cfs_bandwidth;
};

struct page_counter {
  atomic_long_t usage;
  unsigned long watermark;
  unsigned long max;
};

enum memcg_memory_event {
  MEMCG_HIGH = 1,
  MEMCG_MAX = 2,
  MEMCG_OOM_KILL = 4,
};

struct mem_cgroup {
  struct cgroup_subsys_state css;
  struct page_counter memory;
  struct page_counter swap;
  atomic_long_t memory_events[9];
};

struct blkg_iostat {
  __u64 bytes[3];  // read, written, discarded
  __u64 ios[3];
};

struct blkg_iostat_set {
  struct blkg_iostat cur;
};

struct blkcg_gq {
  struct hlist_node blkcg_node;
  struct blkcg* blkcg;
  struct blkg_iostat_set iostat;
};

struct blkcg {
  struct cgroup_subsys_state css;
  struct hlist_head blkg_list;
};

// Tasks.

struct rq {
  __u64 clock;
  struct task_struct* curr;
};

struct cfs_rq {
  struct rq* rq;
};

struct sched_entity {
  __u64 sum_exec_runtime;
  __u64 prev_sum_exec_runtime;
  struct cfs_rq* cfs_rq;
};

struct sched_info {
  unsigned long long last_queued;
};

struct signal_struct {
  atomic_t live;
  int group_exit_code;
  struct mm_struct* oom_mm;
};

struct thread_info {
  __u32 cpu;
};

struct task_struct {
  struct thread_info thread_info;
  int on_cpu;
  struct sched_entity se;
  struct sched_info sched_info;
  int exit_code;
  int pid;
  int tgid;
  struct signal_struct* signal;
  struct css_set* cgroups;
};

// Disks.

struct bio {
  struct blkcg_gq* bi_blkg;
};

struct request {
  unsigned int cmd_flags;
  unsigned int __data_len;
  struct bio* bio;
  __u64 start_time_ns;
};

// Sockets.

struct sock_cgroup_data {
  struct cgroup* cgroup;
};

struct sock {
  struct sock_cgroup_data sk_cgrp_data;
};

#pragma clang attribute pop
