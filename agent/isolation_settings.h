#pragma once
// IsolationSettings is what the operator of an agent configured about its containers, and what its
// kernel has for it, as far as a plan depends on that. The same for every container.
//
// Pure.

#include <cstdint>
#include <string>
#include <vector>

namespace tepui {

// Each a second; 0: as much as there is.
struct IoMaximum {
  int64_t read_bytes = 0;
  int64_t write_bytes = 0;
  int64_t read_operations = 0;
  int64_t write_operations = 0;
  bool operator==(const IoMaximum&) const = default;
};

struct IsolationSettings {
  bool cpu_max_of_requests = false;  // cpu.max also where a task has no limit, of its request
  int64_t cpu_burst_percent = 0;     // of the quota, up to 100
  bool revocable_idle = false;       // SCHED_IDLE for what is wholly revocable
  int64_t memory_high_percent = 0;   // of memory.max; 0: none
  int64_t swap_percent = 0;          // of memory.max; 0: no swap
  int64_t pids_max = 4096;           // 0: unlimited
  IoMaximum io_max;                  // of a container that does not request its own
  int64_t io_latency_us = 0;         // target of what is not revocable; 0: none
  int64_t egress_max_bytes = 0;      // a second, of what requests no network_egress; 0: all
  // Block devices, "254:0", to which what is said of io applies.
  std::vector<std::string> io_devices;
  std::vector<std::string> hugepage_sizes;  // "2MB", those that the kernel has
  std::vector<std::string> devices;         // what containers may use: "c 1:3 rwm"
  // Control files that the kernel lacks though it has their controller, sorted.
  std::vector<std::string> missing_files;
  bool operator==(const IsolationSettings&) const = default;
};

}  // namespace tepui
