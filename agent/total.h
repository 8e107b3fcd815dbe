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

// Whether a task can have its resources beside what is in use. Its regular part must fit what is
// regular. What it has revocable must be covered by what the agent has revocable, and beyond that
// by what is regular, not reserved and not used: the master has lent that.
bool can_take(const Resources& total, const Resources& in_use, const Resources& task);

// Whether all that is in use is covered at once in this way.
bool covers(const Resources& total, const Resources& in_use);

// The total of an agent that is configured to have `configured`, and had made `checkpointed` of
// what it was configured to have before. Fails if what is reserved is not there any more.
Result<Resources> restore_total(const Resources& configured, const Resources& checkpointed);

}  // namespace tepui
