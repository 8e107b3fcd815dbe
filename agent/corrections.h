#pragma once
// Corrections are what a QoS controller holds against a container that runs on revocable resources,
// as a whole: those that are not set are undone. In the container's plan each control file gets the
// smaller of what its isolator and what the corrections say, and every file that a correction can
// touch is there, so that writing the plan also undoes what an earlier one set.
//
// Where the cpu controller is missing, "sched/idle" and "freeze/duty" stand for the idle class and
// for a maximum of processors: agent/linux sets the scheduling policy of every thread, and lets the
// container run only for a part of each period.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/isolation_plan.h"
#include "common/resources.h"

namespace tepui {

struct Corrections {
  bool idle = false;
  int64_t cpu_max_milli = 0;      // this and all below: 0 is none
  int64_t cpu_time_permille = 0;  // the same, as a part of the time, where there is no cpu.max
  int64_t cpuset_cpus = 0;        // on so many processors
  int64_t memory_high_bytes = 0;
  int64_t io_max_bytes = 0;      // a second, of reads and of writes each
  int64_t egress_max_bytes = 0;  // a second
  bool frozen = false;

  bool none() const { return *this == Corrections{}; }
  bool operator==(const Corrections&) const = default;
};

inline constexpr std::string_view kSchedIdle = "sched/idle";    // "0" or "1"
inline constexpr std::string_view kFreezeDuty = "freeze/duty";  // permille of the time; "1000": all
inline constexpr std::string_view kFreezeFile = "cgroup.freeze";
// A value of cpuset.cpus of which agent/linux makes the last processors of the machine: "last 2".
inline constexpr std::string_view kLastCpus = "last ";

// Whether a container with these resources may be corrected: it has something revocable, and no
// processors of its own.
bool is_revocable(const Resources& resources);
// What of the corrections may be done to it: its own memory is not taken from it.
Corrections allowed(Corrections corrections, const Resources& resources);

// The plan of such a container.
IsolationPlan plan_corrected(const IsolationInput& input, const Corrections& corrections);

// "idle class, at most 0.25 cpus, frozen"; empty for none.
std::string to_text(const Corrections& corrections);

}  // namespace tepui
