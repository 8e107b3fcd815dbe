#pragma once
// What an agent knows of a container beside its samples: whose it is, and what it may use.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/resources.h"
#include "common/time.h"

namespace tepui {

struct ContainerTask {
  TaskId id;
  std::string name;
  std::string role;  // the allocation role of the resources
  Resources resources;
  ResourceLimits limits;
  WallTime launched_at{};
  bool operator==(const ContainerTask&) const = default;
};

struct ContainerFacts {
  ContainerId id;
  ContainerId parent;  // its cgroup is inside this one's; empty: by itself
  FrameworkId framework_id;
  std::string framework_name;
  ExecutorId executor_id;            // the task id, for a command task
  std::string executor_name;         // empty: a command task
  Resources executor_resources;      // of its own, beside those of its tasks
  std::vector<ContainerTask> tasks;  // that have not ended
  bool operator==(const ContainerFacts&) const = default;

  // Requests: of the executor and of its tasks.
  Resources resources() const;
  // What all of it may use, in thousandths: limits, and requests where there are none; kUnlimited
  // if one has no maximum. `name` is cpus or mem.
  int64_t maximum_milli(std::string_view name) const;
};

}  // namespace tepui
