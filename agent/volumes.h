#pragma once
// Volumes: where persistent volumes lie on a machine, what a task sees of them, and how what was
// reserved fits what the machine is configured to have.
//
// Pure.

#include <string>
#include <string_view>
#include <vector>

#include "common/operations.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// `<root>/volumes/roles/<role>/<id>`, where the root is the work directory or that of a PATH disk,
// and a '/' in the role becomes a space, which no role contains. Of a mounted disk, its root.
std::string volume_directory(std::string_view work_dir, const Resource& volume);

// A volume in a task's sandbox.
struct VolumeLink {
  std::string directory;       // absolute
  std::string container_path;  // below the sandbox
  bool shared = false;         // keeps its owner, whoever uses it
};
// Fails if two of them are at the same place or one in another, or a place is none.
Result<std::vector<VolumeLink>> volume_links(std::string_view work_dir, const Resources& resources);

// Whether what is in use fits the total. What is shared is there for any number of users.
bool can_hold(const Resources& total, const Resources& in_use);

// The total of an agent that was configured to have `configured`, and had made `checkpointed` of
// what it was configured to have before. Fails if what is reserved is not there any more.
Result<Resources> restore_total(const Resources& configured, const Resources& checkpointed);

}  // namespace tepui
