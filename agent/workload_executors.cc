// Executors of frameworks, as far as an agent has them.

#include <fmt/format.h>

#include "agent/workload.h"

namespace tepui {

void Workload::tell_no_executor(const FrameworkId& framework, const ExecutorInfo& executor) {
  effects_.send(ExecutorExited{.framework_id = framework, .executor_id = executor.id});
}

void Workload::on_launch_group(Now now, const LaunchGroup& message) {
  learn(message.frameworks);
  for (const TaskInfo& task : message.tasks) {
    answer_for_stranger(now, message.framework_id, task.id,
                        Outcome{.state = TaskState::kLost,
                                .reason = TaskReason::kExecutorTerminated,
                                .source = TaskSource::kAgent,
                                .message = "The agent runs no executors of frameworks"});
  }
  tell_no_executor(message.framework_id, *message.executor);
}

void Workload::on_relay_to_executor(Now /*now*/, const RelayToExecutor& message) {
  drop("relay_to_executor", fmt::format("executor '{}' is not here", message.executor_id.value));
}

void Workload::on_stop_executor(Now /*now*/, const StopExecutor& message) {
  drop("stop_executor", fmt::format("executor '{}' is not here", message.executor_id.value));
}

}  // namespace tepui
