#pragma once
// The counts of a Sample as a table: for whoever treats them all alike.
//
// The order is that of the masks in recordings (agent/sample_deltas.h): what changes most comes
// first, a new field goes to the end, and there are at most 64.
//
// Pure.

#include <array>
#include <string_view>

#include "agent/sample.h"

namespace tepui {

struct SampleField {
  std::string_view name;
  Measured Sample::* member;
};

inline constexpr std::array kSampleFields = std::to_array<SampleField>({
    {"cpu_usage_ns", &Sample::cpu_usage_ns},
    {"cpu_user_ns", &Sample::cpu_user_ns},
    {"cpu_system_ns", &Sample::cpu_system_ns},
    {"on_cpu_ns", &Sample::on_cpu_ns},
    {"switches_voluntary", &Sample::switches_voluntary},
    {"run_queue_waits", &Sample::run_queue_waits},
    {"run_queue_wait_ns", &Sample::run_queue_wait_ns},
    {"run_queue_p50_ns", &Sample::run_queue_p50_ns},
    {"run_queue_p99_ns", &Sample::run_queue_p99_ns},
    {"cpu_some_ns", &Sample::cpu_some_ns},
    {"memory_bytes", &Sample::memory_bytes},
    {"switches_forced", &Sample::switches_forced},
    {"cpu_periods", &Sample::cpu_periods},
    {"net_received_bytes", &Sample::net_received_bytes},
    {"net_received_packets", &Sample::net_received_packets},
    {"net_sent_bytes", &Sample::net_sent_bytes},
    {"net_sent_packets", &Sample::net_sent_packets},
    {"io_written_bytes", &Sample::io_written_bytes},
    {"io_writes", &Sample::io_writes},
    {"io_read_bytes", &Sample::io_read_bytes},
    {"io_reads", &Sample::io_reads},
    {"page_faults", &Sample::page_faults},
    {"io_some_ns", &Sample::io_some_ns},
    {"io_full_ns", &Sample::io_full_ns},
    {"block_requests", &Sample::block_requests},
    {"block_latency_ns", &Sample::block_latency_ns},
    {"block_p50_ns", &Sample::block_p50_ns},
    {"block_p99_ns", &Sample::block_p99_ns},
    {"migrations", &Sample::migrations},
    {"cpu_full_ns", &Sample::cpu_full_ns},
    {"cpu_throttled_periods", &Sample::cpu_throttled_periods},
    {"cpu_throttled_ns", &Sample::cpu_throttled_ns},
    {"memory_peak_bytes", &Sample::memory_peak_bytes},
    {"memory_some_ns", &Sample::memory_some_ns},
    {"memory_full_ns", &Sample::memory_full_ns},
    {"memory_high_events", &Sample::memory_high_events},
    {"reclaim_stalls", &Sample::reclaim_stalls},
    {"reclaim_stall_ns", &Sample::reclaim_stall_ns},
    {"net_retransmissions", &Sample::net_retransmissions},
    {"swap_bytes", &Sample::swap_bytes},
    {"memory_max_events", &Sample::memory_max_events},
    {"oom_kills", &Sample::oom_kills},
    {"cycles", &Sample::cycles},
    {"instructions", &Sample::instructions},
    {"cache_misses", &Sample::cache_misses},
    {"counted_permille", &Sample::counted_permille},
    {"net_dropped_bytes", &Sample::net_dropped_bytes},
    {"net_dropped_packets", &Sample::net_dropped_packets},
});
// A Sample is a time and these counts: one that is not in the table would be lost.
static_assert(sizeof(Sample) == sizeof(Instant) + kSampleFields.size() * sizeof(Measured));
static_assert(kSampleFields.size() <= 64);

}  // namespace tepui
