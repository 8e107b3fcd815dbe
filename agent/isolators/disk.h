#pragma once
// The isolators of disks: a sandbox holds at most what its task requests of the agent's own disk,
// where it requests any. Volumes are not part of it: they have sizes of their own.
//
// No cgroup file says this. For "disk" agent/linux makes the sandbox a project with a quota of the
// file system before anything is in it; for "disk/image", which comes first where an agent has
// both, a file system of its own.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/isolation_plan.h"

namespace tepui {

void plan_disk(const IsolationInput& input, IsolationPlan& plan);

inline constexpr std::string_view kDiskImageIsolator = "disk/image";

// The bytes that such a plan allows by quota, or that the image has; nothing if it says nothing of
// them.
std::optional<int64_t> disk_limit(const IsolationPlan& plan);
std::optional<int64_t> image_size(const IsolationPlan& plan);

}  // namespace tepui
