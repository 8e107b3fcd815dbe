#pragma once
// What an agent grants of what a task asks of its container. A task that asks for more is not run
// with less: it fails, and hears what was refused and what would permit it.
//
// Pure.

#include "agent/confinement.h"
#include "common/container_info.h"
#include "common/executors.h"
#include "common/result.h"
#include "common/tasks.h"

namespace tepui {

// Of a valid one. The error is the message of the TASK_FAILED status.
Result<void> check_container(const ContainerInfo& container, const ConfinementSettings& config);

// The same for whatever container the task or executor asks for, and whether its checks can be made
// there.
Result<void> check_container(const TaskSpec& task, const ConfinementSettings& config);
Result<void> check_container(const ExecutorInfo& executor, const ConfinementSettings& config);

}  // namespace tepui
