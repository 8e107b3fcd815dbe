// Bytes, requests and latency of disks, by the container that made the request. A request carries
// the cgroup of the io controller; where that controller is not in the v2 hierarchy, or not enabled
// for containers, nothing is counted.

#include "ebpf/block.h"
#include "ebpf/slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct block_counts);
} block_counts SEC(".maps");

// A request may end in parts, each of which has bytes; its latency is that of the whole.
SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request* request, int error, unsigned int bytes) {
  enum { kOperationMask = 0xff, kRead = 0, kWrite = 1 };
  const unsigned int operation = request->cmd_flags & kOperationMask;
  if (operation > kWrite || !request->bio) return 0;
  // Pointers that may be null: read, not followed.
  const __u32 slot =
      slot_of_untrusted_cgroup(BPF_CORE_READ(request, bio, bi_blkg, blkcg, css.cgroup));
  if (!slot) return 0;
  __u32 index = bpf_get_smp_processor_id() * slot_count + slot;
  struct block_counts* counts = bpf_map_lookup_elem(&block_counts, &index);
  if (!counts) return 0;
  __sync_fetch_and_add(operation == kRead ? &counts->read_bytes : &counts->written_bytes, bytes);
  if (bytes < request->__data_len) return 0;
  __sync_fetch_and_add(operation == kRead ? &counts->reads : &counts->writes, 1);
  const __u64 now = bpf_ktime_get_ns();
  if (!request->start_time_ns || now < request->start_time_ns) return 0;
  const __u64 latency = now - request->start_time_ns;
  __sync_fetch_and_add(&counts->latency_ns, latency);
  __u32 bucket = block_bucket(latency);
  barrier_var(bucket);  // or the compiler compares another one
  if (bucket < kBlockBuckets) __sync_fetch_and_add(&counts->buckets[bucket], 1);
  return 0;
}
