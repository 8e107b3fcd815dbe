#pragma once
// The disk isolator: a sandbox holds at most what its task requests of the agent's own disk, where
// it requests any. Volumes are not part of it: they have sizes of their own.
//
// No cgroup file says this: agent/linux makes the sandbox a project with a quota of the file system
// before anything is in it.
//
// Pure.

#include <cstdint>
#include <optional>

#include "agent/isolation_plan.h"

namespace tepui {

void plan_disk(const IsolationInput& input, IsolationPlan& plan);

// The bytes that such a plan allows; nothing if it says nothing of them.
std::optional<int64_t> disk_limit(const IsolationPlan& plan);

}  // namespace tepui
