#pragma once
// Outcome says how a task ended: the state, reason and sentence of its last status, from what the
// shim recorded of its command and from who wanted it to end.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/effects.h"
#include "agent/model.h"
#include "agent/termination.h"
#include "common/frameworks.h"
#include "common/tasks.h"

namespace tepui {

struct Outcome {
  TaskState state = TaskState::kFailed;
  TaskReason reason = TaskReason::kNone;
  TaskSource source = TaskSource::kAgent;
  std::string message;
  std::optional<int32_t> exit_status;
  std::optional<int32_t> signal;
};

// KILLED whenever somebody requested it, whatever the command answered; then the completion timer,
// the memory limit, and last what the command said itself.
Outcome outcome_of(const ExitRecord& record, const Termination& termination, const TaskSpec& spec);

// The same of a task of the framework, which may have been preempted.
Outcome outcome_of(const ExitRecord& record, const AgentTask& task, const FrameworkInfo& framework);

// Of what the QoS controller ended: GONE to frameworks that are partition-aware, LOST to others.
Outcome preempted(const ExitRecord& record, bool partition_aware, std::string_view why);

// Of a task that was killed before its container was there.
Outcome killed_before_launch();

// "exited with status 3", "was terminated by signal Killed".
std::string describe_end(const ExitRecord& record);

}  // namespace tepui
