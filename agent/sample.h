#pragma once
// Sample is what is known of one container at one moment, whatever it was read with.
//
// Every number is a sum since the container began, unless it says otherwise: what happened between
// two samples is their difference. What nobody could measure is absent, which is not zero.
//
// Sources and how old their numbers may be:
//   cgroup    the kernel's accounting of the cgroup and all below it. By the iterator or by files;
//             the same numbers, but files have processor time in whole microseconds. Behind by at
//             most what a task ran since the last tick of the scheduler (4 ms at 250 Hz; a second
//             on processors that tick for nobody).
//   pressure  PSI of the cgroup. Files are fresh. The iterator sees what the kernel added up last:
//             up to 2 s old while tasks run, 4 s when they have just begun to.
//   hooks     counted by BPF programs since the agent knows the container, so without its first
//             moments, and without earlier lives of the agent. Fresh. A container's numbers do not
//             include containers inside it.
//
// Pure.

#include <cstdint>

#include "common/time.h"

namespace tepui {

// A count that may be unknown.
class Measured {
 public:
  constexpr Measured() = default;
  constexpr Measured(int64_t value) : value_(value < 0 ? 0 : value) {}  // NOLINT: a count is one

  constexpr bool known() const { return value_ != kAbsent; }
  // Of a known one; 0 of an absent one.
  constexpr int64_t value() const { return known() ? value_ : 0; }
  constexpr bool operator==(const Measured&) const = default;

 private:
  static constexpr int64_t kAbsent = -1;
  int64_t value_ = kAbsent;
};

struct Sample {
  Instant at{};  // when the reading began

  // Processor. Source: cgroup (cpu.stat); the three of throttling need the cpu controller.
  Measured cpu_usage_ns;
  Measured cpu_user_ns;  // the kernel divides usage by samples, or exactly where it is built so
  Measured cpu_system_ns;
  Measured cpu_periods;
  Measured cpu_throttled_periods;
  Measured cpu_throttled_ns;  // summed over processors

  // Source: hooks. On-processor time is that of cpu_usage_ns but for moves between cgroups.
  Measured on_cpu_ns;
  Measured switches_voluntary;
  Measured switches_forced;
  Measured migrations;
  // Only with latency. The percentiles are of the time since the sample before, at most a quarter
  // too high; absent if nothing waited.
  Measured run_queue_waits;
  Measured run_queue_wait_ns;
  Measured run_queue_p50_ns;
  Measured run_queue_p99_ns;

  // Source: counters of the processors, where there are any, with what is inside the container.
  // Counted in turns where there are many containers: the last says in how many thousandths of the
  // time since the agent knows it, and the others are of that part alone.
  Measured cycles;
  Measured instructions;
  Measured cache_misses;  // of the last cache
  Measured counted_permille;

  // Memory. Source: cgroup (memory.current, memory.peak, memory.swap.current, memory.events); needs
  // the memory controller. The first three are of the moment or the highest ever, not sums.
  Measured memory_bytes;
  Measured memory_peak_bytes;
  Measured swap_bytes;
  Measured memory_high_events;
  Measured memory_max_events;
  Measured oom_kills;
  // Source: hooks.
  Measured page_faults;
  Measured reclaim_stalls;
  Measured reclaim_stall_ns;  // of stalls that have ended

  // Block devices. Source: cgroup (io.stat, all devices together); needs the io controller.
  Measured io_read_bytes;
  Measured io_written_bytes;
  Measured io_reads;
  Measured io_writes;
  // Source: hooks, and the io controller. Completed reads and writes; percentiles as above, at most
  // half too high.
  Measured block_requests;
  Measured block_latency_ns;
  Measured block_p50_ns;
  Measured block_p99_ns;

  // Source: pressure. How long some, or all, of its tasks were held up.
  Measured cpu_some_ns;
  Measured cpu_full_ns;
  Measured memory_some_ns;
  Measured memory_full_ns;
  Measured io_some_ns;
  Measured io_full_ns;

  // IP, at the socket, also to itself. Source: hooks. What the egress limit dropped is not sent.
  Measured net_received_bytes;
  Measured net_received_packets;
  Measured net_sent_bytes;
  Measured net_sent_packets;
  Measured net_retransmissions;
  // By the egress limit, since the agent knows the container; absent if it has none.
  Measured net_dropped_bytes;
  Measured net_dropped_packets;

  bool operator==(const Sample&) const = default;
};

}  // namespace tepui
