#include "common/compact_tasks_wire.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tepui {

static_assert(sizeof(wire::CompactTask) == 72);

namespace {

bool is_same_kind(const Task& a, const Task& b) {
  return a.framework_id == b.framework_id && a.agent_id == b.agent_id && a.kind == b.kind;
}

// Gives tasks the numbers of their kinds. Kinds repeat in runs, so the last few are all that is
// worth looking at; one that was forgotten is written again. Two walks over the same tasks give
// the same numbers.
class KindFinder {
 public:
  struct Found {
    uint32_t number = 0;
    bool is_new = false;
  };
  Found find(const Task& task) {
    const uint32_t known = std::min<uint32_t>(count_, kLookBack);
    for (uint32_t back = 1; back <= known; ++back) {
      const uint32_t number = count_ - back;
      if (is_same_kind(*recent_[number % kLookBack], task)) return {.number = number};
    }
    recent_[count_ % kLookBack] = &task;
    return {.number = count_++, .is_new = true};
  }

 private:
  static constexpr uint32_t kLookBack = 16;
  std::array<const Task*, kLookBack> recent_{};
  uint32_t count_ = 0;
};

Offset<wire::TaskKind> write_kind(WireWriter& out, const Task& task, const AgentId& agent) {
  const auto resources = write(out, task.kind->resources);
  const auto limits = write(out, task.kind->limits);
  const auto labels = write(out, task.kind->labels);
  const auto discovery = write(out, task.kind->discovery);
  wire::TaskKindBuilder table(out.builder());
  table.add_name(out.field(task.kind->name));
  table.add_framework_id(out.field(task.framework_id.value));
  if (task.agent_id != agent) table.add_agent_id(out.field(task.agent_id.value));
  table.add_role(out.field(task.kind->role));
  table.add_resources(resources);
  table.add_limits(limits);
  table.add_labels(labels);
  table.add_user(out.field(task.kind->user));
  table.add_group(out.field(task.kind->group));
  table.add_discovery(discovery);
  table.add_executor_id(out.field(task.kind->executor_id.value));
  return table.Finish();
}

Task read_kind(WireReader& in, const wire::TaskKind& kind, const AgentId& agent,
               const WirePath& at) {
  TaskKind common{
      .name = in.line(kind.name(), at / "name"),
      .role = in.line(kind.role(), at / "role"),
      .resources = read(in, kind.resources(), at / "resources"),
      .limits = read_limits(kind.limits()),
      .labels = read(in, kind.labels(), at / "labels"),
      .user = in.line(kind.user(), at / "user"),
      .group = in.line(kind.group(), at / "group"),
      .discovery = read(in, kind.discovery(), at / "discovery"),
      .executor_id = in.optional_id<ExecutorId>(kind.executor_id(), at / "executor_id")};
  return Task{.framework_id = in.id<FrameworkId>(kind.framework_id(), at / "framework_id"),
              .agent_id = kind.agent_id() == nullptr
                              ? agent
                              : in.optional_id<AgentId>(kind.agent_id(), at / "agent_id"),
              .kind = std::move(common)};
}

bool has_no_status(const TaskStatus& status) {
  return status.task_id.empty() && status.state == TaskState::kStaging &&
         status.source == TaskSource::kMaster && status.reason == TaskReason::kNone &&
         status.uuid.is_nil() && status.agent_id.empty() && status.container_id.empty() &&
         status.timestamp == WallTime{} && status.message.empty();
}

// Whether the struct can say it all.
bool has_plain_status(const Task& task) {
  const TaskStatus& status = task.last_status;
  const bool more = status.unreachable_time != WallTime{} || status.exit_status || status.signal ||
                    status.healthy || status.check || has_extra(status);
  if (more) return false;
  return has_no_status(status) ||
         (status.task_id == task.id && status.agent_id == task.agent_id &&
          status.container_id == task.container_id && status.uuid == task.update_uuid);
}

wire::CompactTask write_task(WireWriter& out, const Task& task, uint32_t kind) {
  const TaskStatus& status = task.last_status;
  const bool has_status = has_plain_status(task) && !has_no_status(status);
  return wire::CompactTask(
      task.update_uuid.high, task.update_uuid.low, to_ns(task.launched_at),
      has_status ? to_ns(status.timestamp) : 0, out.text(task.id.value),
      out.text(task.container_id.value),
      out.text(has_status ? cut(status.message, limits::kStatusMessageBytesMax)
                          : std::string_view()),
      kind, static_cast<wire::TaskState>(task.state),
      static_cast<wire::TaskState>(task.update_state),
      has_status ? static_cast<wire::TaskState>(status.state) : wire::TaskState{},
      has_status ? static_cast<wire::TaskSource>(status.source) : wire::TaskSource{},
      has_status ? static_cast<uint8_t>(status.reason) : uint8_t{0}, has_status ? 1 : 0, 0, 0);
}

TaskState read_state(WireReader& in, wire::TaskState state, const WirePath& at) {
  return in.enumeration<TaskState>(state, kTaskStateCount, at);
}

void read_status(WireReader& in, const wire::CompactTask& source, Task& task, const WirePath& at) {
  constexpr int kTaskSourceCount = static_cast<int>(TaskSource::kExecutor) + 1;
  task.last_status = {.task_id = task.id,
                      .state = read_state(in, source.status_state(), at / "status_state"),
                      .source = in.enumeration<TaskSource>(source.status_source(), kTaskSourceCount,
                                                           at / "status_source"),
                      .reason = read_reason(in, source.status_reason(), at / "status_reason"),
                      .uuid = task.update_uuid,
                      .agent_id = task.agent_id,
                      .container_id = task.container_id,
                      .timestamp = WallTime(Duration(source.status_timestamp_ns())),
                      .message = in.text(source.status_message(), at / "status_message",
                                         limits::kStatusMessageBytesMax)};
}

// The ids are copied for every task of the kind, and the agent's for its status as well.
size_t bytes_of_ids(const Task& task) {
  return task.framework_id.value.size() + 2 * task.agent_id.value.size();
}

Task read_task(WireReader& in, const wire::CompactTask& source, const std::vector<Task>& kinds,
               const WirePath& at) {
  if (!in.check_index(source.kind(), kinds.size(), at / "kind", "kinds")) return {};
  Task task = kinds[source.kind()];
  if (!in.charge(bytes_of_ids(task), at)) return {};
  task.id = in.id<TaskId>(source.id(), at / "id");
  task.state = read_state(in, source.state(), at / "state");
  task.update_state = read_state(in, source.update_state(), at / "update_state");
  task.update_uuid = {.high = source.update_uuid_high(), .low = source.update_uuid_low()};
  task.container_id = in.optional_id<ContainerId>(source.container_id(), at / "container_id");
  task.launched_at = WallTime(Duration(source.launched_at_ns()));
  if (source.has_status() != 0) read_status(in, source, task, at);
  return task;
}

void read_other_statuses(WireReader& in, const wire::ReregisterCompactly& message,
                         std::vector<Task>& tasks, const WirePath& at) {
  const auto* statuses = message.other_statuses();
  const uint32_t count = statuses == nullptr ? 0 : statuses->size();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const wire::OtherStatus& other = *statuses->Get(i);
    if (!in.check_index(other.task(), tasks.size(), at[i] / "task", "tasks")) return;
    if (other.status() == nullptr) return in.fail(at[i] / "status", "is missing");
    TaskStatus& status = tasks[other.task()].last_status;
    status = read(in, *other.status(), TaskIds::kAny, at[i] / "status");
    read_extra(in, other.extra(), status, at[i] / "extra");
  }
}

}  // namespace

CompactTasks write_compactly(WireWriter& out, const std::vector<Task>& tasks,
                             const AgentId& agent) {
  CompactTasks result;
  KindFinder kinds;
  result.kinds = out.tables_of<wire::TaskKind>([&](auto put) {
    for (const Task& task : tasks) {
      if (kinds.find(task).is_new) put(write_kind(out, task, agent));
    }
  });
  KindFinder again;
  result.tasks = out.structs<wire::CompactTask>(
      tasks, [&](const Task& task) { return write_task(out, task, again.find(task).number); });
  result.other_statuses = out.tables_of<wire::OtherStatus>([&](auto put) {
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (has_plain_status(tasks[i])) continue;
      const wire::TaskStatus status = write(out, tasks[i].last_status);
      const auto extra = write_extra(out, tasks[i].last_status, 0);
      put(wire::CreateOtherStatus(out.builder(), static_cast<uint32_t>(i), &status, extra));
    }
  });
  return result;
}

std::vector<Task> read_compactly(WireReader& in, const wire::ReregisterCompactly& message,
                                 const AgentId& agent, const WirePath& at) {
  const std::vector<Task> kinds = in.tables(message.kinds(), at / "kinds",
                                            [&](const wire::TaskKind& kind, const WirePath& path) {
                                              return read_kind(in, kind, agent, path);
                                            });
  std::vector<Task> tasks = in.structs(message.tasks(), at / "tasks",
                                       [&](const wire::CompactTask& task, const WirePath& path) {
                                         return read_task(in, task, kinds, path);
                                       });
  read_other_statuses(in, message, tasks, at / "other_statuses");
  return tasks;
}

}  // namespace tepui
