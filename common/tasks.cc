#include "common/tasks.h"

#include <array>

namespace tepui {

namespace {

constexpr std::array<std::string_view, kTaskStateCount> kStateNames{
    "TASK_STARTING",         "TASK_RUNNING", "TASK_FINISHED",    "TASK_FAILED",
    "TASK_KILLED",           "TASK_LOST",    "TASK_STAGING",     "TASK_ERROR",
    "TASK_KILLING",          "TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE",
    "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN"};

constexpr std::array<std::string_view, 3> kSourceNames{"SOURCE_MASTER", "SOURCE_AGENT",
                                                       "SOURCE_EXECUTOR"};

constexpr std::array<std::string_view, kTaskReasonCount> kReasonNames{
    "REASON_COMMAND_EXECUTOR_FAILED",
    "REASON_EXECUTOR_TERMINATED",
    "REASON_EXECUTOR_UNREGISTERED",
    "REASON_FRAMEWORK_REMOVED",
    "REASON_GC_ERROR",
    "REASON_INVALID_FRAMEWORKID",
    "REASON_INVALID_OFFERS",
    "REASON_MASTER_DISCONNECTED",
    "REASON_CONTAINER_LIMITATION_MEMORY",
    "REASON_RECONCILIATION",
    "REASON_AGENT_DISCONNECTED",
    "REASON_AGENT_REMOVED",
    "REASON_AGENT_RESTARTED",
    "REASON_AGENT_UNKNOWN",
    "REASON_TASK_INVALID",
    "REASON_TASK_UNAUTHORIZED",
    "REASON_TASK_UNKNOWN",
    "REASON_CONTAINER_PREEMPTED",
    "REASON_RESOURCES_UNKNOWN",
    "REASON_CONTAINER_LIMITATION",
    "REASON_CONTAINER_LIMITATION_DISK",
    "REASON_CONTAINER_LAUNCH_FAILED",
    "REASON_CONTAINER_UPDATE_FAILED",
    "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
    "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
    "REASON_TASK_GROUP_INVALID",
    "REASON_TASK_GROUP_UNAUTHORIZED",
    "REASON_IO_SWITCHBOARD_EXITED",
    "REASON_TASK_CHECK_STATUS_UPDATED",
    "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
    "REASON_TASK_KILLED_DURING_LAUNCH",
    "REASON_AGENT_REMOVED_BY_OPERATOR",
    "REASON_AGENT_REREGISTERED",
    "REASON_MAX_COMPLETION_TIME_REACHED",
    "REASON_AGENT_DRAINING"};

template <class Enum, size_t kCount>
std::string_view name_of(const std::array<std::string_view, kCount>& names, Enum value) {
  const auto number = static_cast<size_t>(value);
  return number < kCount ? names[number] : std::string_view();
}

}  // namespace

std::string_view to_text(TaskState state) { return name_of(kStateNames, state); }
std::string_view to_text(TaskReason reason) { return name_of(kReasonNames, reason); }
std::string_view to_text(TaskSource source) { return name_of(kSourceNames, source); }

std::optional<TaskState> parse_task_state(std::string_view text) {
  for (size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == text) return static_cast<TaskState>(i);
  }
  return std::nullopt;
}

bool is_terminal(TaskState state) {
  switch (state) {
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
    case TaskState::kLost:
    case TaskState::kError:
    case TaskState::kDropped:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
      return true;
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kStaging:
    case TaskState::kKilling:
    case TaskState::kUnreachable:
    case TaskState::kUnknown:
      return false;
  }
  return false;
}

bool may_follow(TaskState from, TaskState to) {
  if (to == TaskState::kStaging || to == TaskState::kUnknown) return false;
  if (from == TaskState::kLost) return to != TaskState::kLost;
  return !is_terminal(from);
}

}  // namespace tepui
