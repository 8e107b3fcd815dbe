#pragma once
// IsolationPlan turns what a task requests and may use at most into the ordered list of control
// files and values of its cgroup. Pure: agent/linux writes the list.
//
// Amounts, as operators know them from Mesos on cgroup v2: cpu.weight is 100 per requested cpu
// (1 per cpu for revocable work), between 1 and 10000; cpu.max only where a limit is given, as
// quota in microseconds per 100 ms, at least 1 ms; memory.low is the request, without its revocable
// part; memory.max is the limit, or the request where none is given; both at least 32 MB, rounded
// down to pages, with memory.oom.group; pids.max. An unlimited limit writes nothing: a fresh cgroup
// has no maximum.

#include <cstdint>
#include <string>
#include <vector>

#include "common/resources.h"

namespace tepui {

struct ControlWrite {
  std::string controller;  // "cpu", "memory", "pids"; empty: a core file (cgroup.*)
  std::string file;        // "cpu.max"
  std::string value;       // "150000 100000"
  bool operator==(const ControlWrite&) const = default;
};

struct IsolationInput {
  Resources resources;
  ResourceLimits limits;
  int64_t pids_max = 0;  // 0: unlimited
  // The cgroup v2 controllers the agent can use; writes of the others are left out of the plan.
  std::vector<std::string> controllers;
};

using IsolationPlan = std::vector<ControlWrite>;

IsolationPlan plan_isolation(const IsolationInput& input);

}  // namespace tepui
