#pragma once
// Who a task runs as, in its container and on the machine. May block: not for the loop.

#include <optional>
#include <string>

#include "agent/effects.h"
#include "agent/id_range.h"
#include "agent/linux/shim_spec.h"
#include "common/result.h"

namespace tepui {

struct TaskUser {
  std::optional<UserIds> within;   // whom the shim becomes; absent: who the agent is
  std::optional<UserIds> outside;  // the same with the ids of the machine: whose the sandbox is
};

// In a root file system of its own by the users of that, which is `root` or, where that is empty,
// made of the layers in the spec; else by those of the machine. `ids`: of the user namespace in
// which it will be; there nobody is who the agent is, but root. The error names the image.
Result<TaskUser> find_task_user(const LaunchSpec& spec, const std::string& root,
                                const std::optional<IdRange>& ids);

}  // namespace tepui
