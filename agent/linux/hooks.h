#pragma once
// Hooks is our BPF programs in this kernel: they count what containers do while it happens, and
// this reads the counts from memory that both share, without a system call for each container.
//
// A container has a slot from add() to remove(). What the kernel cannot give is left out, and
// missing() says why; only if it can give nothing, create() is an error.
//
// Used by one thread, but fill() and begin_read() may run on another while no other method runs.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/linux/bpf_array.h"
#include "agent/linux/bpf_library.h"
#include "agent/sample.h"
#include "common/io/fd.h"
#include "common/result.h"
#include "ebpf/block.h"
#include "ebpf/mm.h"
#include "ebpf/net.h"
#include "ebpf/place.h"
#include "ebpf/sched.h"
#include "ebpf/slots.h"

struct block_bpf;
struct mm_bpf;
struct net_bpf;
struct sched_bpf;

namespace tepui {

class Hooks {
 public:
  struct Options {
    int cgroup = -1;  // the agent's subtree, an open directory
    cgroup_place place{};
    uint32_t slots = kSlotsDefault;  // of which 0 is nobody's
    bool waits = true;               // measure how long tasks wait for a processor
    bool memory = true;              // page faults and reclaim
  };
  static Result<std::unique_ptr<Hooks>> create(const Options& options);
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // Counts for this cgroup, from zero. False if no more can be counted.
  bool add(uint64_t cgroup_id, uint32_t slot);
  void remove(uint64_t cgroup_id);

  // Before a series of fill(): notes the stints that go on.
  void begin_read();
  // What was counted; the percentiles since the last fill() of this slot.
  void fill(uint32_t slot, Sample& sample);

  // For other programs: they find slots in the same table.
  int slot_map() const { return slot_map_.get(); }
  uint32_t slots() const { return options_.slots; }
  const std::vector<std::string>& missing() const { return missing_; }
  // The hook of the switch, for its cost.
  int switch_program() const;

 private:
  // What each slot said before.
  struct Before {
    std::array<uint32_t, kWaitBuckets> waits{};
    std::array<uint32_t, kBlockBuckets> blocks{};
    int64_t on_cpu_ns = 0;
    Measured run_queue_waits = 0;
    Measured block_requests = 0;
  };

  explicit Hooks(const Options& options);
  Result<void> open_sched();
  Result<void> open_block();
  Result<void> open_net();
  Result<void> open_memory();
  Result<void> find_run_queues();
  void fill_sched(uint32_t slot, Sample& sample);
  void fill_block(uint32_t slot, Sample& sample);
  void fill_net(uint32_t slot, Sample& sample) const;
  void fill_memory(uint32_t slot, Sample& sample) const;

  const Options options_;
  const uint32_t processors_;
  Fd slot_map_;
  BpfArray<slot_place> table_;
  std::unique_ptr<sched_bpf, void (*)(sched_bpf*)> sched_;
  std::unique_ptr<block_bpf, void (*)(block_bpf*)> block_;
  std::unique_ptr<net_bpf, void (*)(net_bpf*)> net_;
  std::unique_ptr<mm_bpf, void (*)(mm_bpf*)> memory_;
  std::vector<BpfLink> links_;
  BpfArray<sched_counts> sched_counts_;
  BpfArray<wait_histogram> waits_;
  BpfArray<running_stint> running_;
  BpfArray<block_counts> block_counts_;
  BpfArray<net_counts> net_counts_;
  BpfArray<mm_counts> memory_counts_;
  std::vector<Before> before_;  // by slot
  std::vector<std::string> missing_;
};

}  // namespace tepui
