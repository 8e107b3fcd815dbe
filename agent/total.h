#pragma once
// Total: what an agent has, as operations made it of what it is configured to have.
//
// Pure.

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Whether what is in use fits the total. What is shared is there for any number of users; volumes
// and MOUNT disks are used as a whole.
bool can_hold(const Resources& total, const Resources& in_use);

// The total of an agent that is configured to have `configured`, and had made `checkpointed` of
// what it was configured to have before. Fails if what is reserved is not there any more.
Result<Resources> restore_total(const Resources& configured, const Resources& checkpointed);

}  // namespace tepui
