#pragma once
// Executors run the tasks of a framework on an agent. A custom executor is a program of the
// framework that speaks to the agent (schemas/executor.fbs); the default executor is played by the
// agent itself and runs a group of tasks as nested containers. A task with neither is a command
// task: an executor of its own, charged nothing extra.
//
// Invariant: while an executor lives, everyone who names its id means the same info, field by
// field.
//
// Numbers are those of Apache Mesos' v1 API. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/commands.h"
#include "common/ids.h"
#include "common/resources.h"
#include "common/result.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

struct ExecutorInfo {
  enum class Type : uint8_t { kDefault = 1, kCustom = 2 };
  ExecutorId id;
  Type type = Type::kCustom;
  FrameworkId framework_id;  // empty: of the framework that launches it
  std::string name;
  CommandInfo command;                     // kCustom
  Resources resources;                     // of its own, beside those of its tasks
  std::optional<Duration> shutdown_grace;  // absent: the agent's default (5 s)
  Labels labels;
  std::optional<DiscoveryInfo> discovery;
  std::string data;  // opaque bytes of the framework
  std::optional<ContainerInfo> container;  // kCustom
  bool operator==(const ExecutorInfo&) const = default;
};
inline constexpr int kExecutorTypeCount = 3;  // 0 is not used

// What the executor alone can tell, in the order that Mesos does: id, type and command, shutdown
// grace, resources. The error is the message of the TASK_ERROR status.
Result<void> validate(const ExecutorInfo& executor);

// A group: at least one task, no id twice, each valid and with a command, none with an executor.
Result<void> validate_group(const ExecutorInfo& executor, std::span<const TaskInfo> tasks);

}  // namespace tepui
