#pragma once
// IsolationPlan turns what a task requests and may use at most into the ordered list of control
// files and values of its cgroup. Each isolator (agent/isolators) contributes its files. Pure:
// agent/linux writes the list.
//
// An isolator goes by the name of its controller; "devices", "disk", "disk/image", "network/egress"
// and "network/ports" have none and name their own. Where the kernel does not take a value as the
// plan has it, the isolator's header says what is made of it.

#include <cstdint>
#include <string>
#include <vector>

#include "agent/isolation_settings.h"
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
  Labels labels;
  IsolationSettings settings;
  // The isolators that the agent can use; writes of the others are left out of the plan.
  std::vector<std::string> controllers;
};

using IsolationPlan = std::vector<ControlWrite>;

IsolationPlan plan_isolation(const IsolationInput& input);

// All isolators, in the order of their writes.
const std::vector<std::string>& isolator_names();
// The control files that a plan of these settings may write and that not every kernel has where it
// has the controller.
std::vector<std::string> optional_files(const IsolationSettings& settings);

}  // namespace tepui
