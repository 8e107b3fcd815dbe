#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(sizeof(wire::TaskItem) == 24);
static_assert(sizeof(wire::TaskStatus) == 80);
static_assert(static_cast<int>(wire::TaskState::MAX) + 1 == kTaskStateCount);
static_assert(static_cast<int>(wire::TaskSource::MAX) == static_cast<int>(TaskSource::kExecutor));

namespace {

constexpr int kTaskSourceCount = 3;

// Bits of wire::TaskStatus::present.
constexpr uint8_t kHasExitStatus = 1;
constexpr uint8_t kHasSignal = 2;
constexpr uint8_t kHasHealthy = 4;
constexpr uint8_t kHealthy = 8;
constexpr uint8_t kHasCheckValue = 16;
constexpr int kCheckTypeShift = 5;

template <class T>
std::optional<T> present(const flatbuffers::Optional<T>& value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

Offset<wire::TaskSpec> write(WireWriter& out, const TaskSpec& spec) {
  const auto resources = tepui::write(out, spec.resources);
  const auto limits = tepui::write(out, spec.limits);
  const auto command = tepui::write(out, spec.command);
  const auto kill_policy = tepui::write(out, spec.kill_policy);
  const auto labels = tepui::write(out, spec.labels);
  const auto discovery = tepui::write(out, spec.discovery);
  const auto executor = tepui::write(out, spec.executor);
  const auto health_check = tepui::write(out, spec.health_check);
  const auto check = tepui::write(out, spec.check);
  const auto container = tepui::write(out, spec.container);
  wire::TaskSpecBuilder table(out.builder());
  table.add_resources(resources);
  table.add_limits(limits);
  table.add_command(command);
  table.add_kill_policy(kill_policy);
  if (spec.max_completion_time) {
    table.add_max_completion_time_ns(spec.max_completion_time->count());
  }
  table.add_labels(labels);
  table.add_discovery(discovery);
  table.add_group(out.field(spec.group));
  table.add_data(out.field(spec.data));
  table.add_executor(executor);
  table.add_health_check(health_check);
  table.add_check(check);
  table.add_container(container);
  return table.Finish();
}

std::shared_ptr<const TaskSpec> read(WireReader& in, const wire::TaskSpec& spec,
                                     const WirePath& at) {
  auto result = std::make_shared<TaskSpec>(TaskSpec{
      .resources = tepui::read(in, spec.resources(), at / "resources"),
      .limits = read_limits(spec.limits()),
      .command = tepui::read(in, spec.command(), at / "command"),
      .kill_policy = tepui::read(in, spec.kill_policy(), at / "kill_policy"),
      .labels = tepui::read(in, spec.labels(), at / "labels"),
      .discovery = tepui::read(in, spec.discovery(), at / "discovery"),
      .group = in.line(spec.group(), at / "group"),
      .data = in.text(spec.data(), at / "data", limits::kTaskDataBytesMax),
      .executor = tepui::read(in, spec.executor(), at / "executor"),
      .health_check = tepui::read(in, spec.health_check(), at / "health_check"),
      .check = tepui::read(in, spec.check(), at / "check"),
      .container = tepui::read(in, spec.container(), at / "container"),
  });
  if (spec.max_completion_time_ns().has_value()) {
    result->max_completion_time = Duration(*spec.max_completion_time_ns());
  }
  return result;
}

TaskState read(WireReader& in, wire::TaskState state, const WirePath& at) {
  return in.enumeration<TaskState>(state, kTaskStateCount, at);
}

}  // namespace

Offset<wire::Limits> write(WireWriter& out, const ResourceLimits& limits) {
  if (!limits.cpus_milli && !limits.mem_milli) return 0;
  wire::LimitsBuilder table(out.builder());
  if (limits.cpus_milli) table.add_cpus_milli(*limits.cpus_milli);
  if (limits.mem_milli) table.add_mem_milli(*limits.mem_milli);
  return table.Finish();
}

ResourceLimits read_limits(const wire::Limits* limits) {
  if (limits == nullptr) return {};
  return ResourceLimits{.cpus_milli = present(limits->cpus_milli()),
                        .mem_milli = present(limits->mem_milli())};
}

TaskReason read_reason(WireReader& in, uint8_t reason, const WirePath& at) {
  if (reason == static_cast<uint8_t>(TaskReason::kNone)) return TaskReason::kNone;
  return in.enumeration<TaskReason>(reason, kTaskReasonCount, at);
}

std::string_view cut(std::string_view text, size_t max) {
  if (text.size() <= max) return text;
  while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xc0) == 0x80) --max;
  return text.substr(0, max);
}

Offset<wire::KillPolicy> write(WireWriter& out, const std::optional<KillPolicy>& policy) {
  if (!policy) return 0;
  return wire::CreateKillPolicy(out.builder(), policy->grace_ns.count());
}

std::optional<KillPolicy> read(WireReader&, const wire::KillPolicy* policy, const WirePath&) {
  if (policy == nullptr) return std::nullopt;
  return KillPolicy{.grace_ns = Duration(policy->grace_ns())};
}

TableVector<wire::TaskSpec> write_specs(WireWriter& out) {
  return out.tables<wire::TaskSpec>(out.specs(),
                                    [&out](const TaskSpec* spec) { return write(out, *spec); });
}

Specs read(WireReader& in, const flatbuffers::Vector<Offset<wire::TaskSpec>>* specs,
           const WirePath& at) {
  return in.tables(specs, at, [&in](const wire::TaskSpec& spec, const WirePath& path) {
    // The reader counts the pointers; this is what they point to.
    in.charge(sizeof(TaskSpec), path);
    return read(in, spec, path);
  });
}

wire::TaskItem write(WireWriter& out, const TaskInfo& task, uint32_t flags) {
  return wire::TaskItem(out.text(task.id.value), out.text(task.name), out.spec(task.spec.get()),
                        flags);
}

TaskInfo read(WireReader& in, const wire::TaskItem& task, const Specs& specs, TaskIds ids,
              const WirePath& at) {
  if (!in.check_index(task.spec(), specs.size(), at / "spec", "specs")) return {};
  return TaskInfo{
      .id = ids == TaskIds::kValid ? in.id<TaskId>(task.id(), at / "id")
                                   : TaskId{in.line(task.id(), at / "id")},
      .name = in.line(task.name(), at / "name"),
      .spec = specs[task.spec()],
  };
}

wire::TaskStatus write(WireWriter& out, const TaskStatus& status) {
  unsigned present = (status.exit_status ? kHasExitStatus : 0) | (status.signal ? kHasSignal : 0);
  if (status.healthy) present |= kHasHealthy | (*status.healthy ? kHealthy : 0);
  uint32_t check_value = 0;
  if (status.check) {
    present |= static_cast<unsigned>(status.check->type) << kCheckTypeShift;
    if (status.check->value) {
      present |= kHasCheckValue;
      check_value = static_cast<uint32_t>(*status.check->value);
    }
  }
  return wire::TaskStatus(
      to_ns(status.timestamp), to_ns(status.unreachable_time), status.uuid.high, status.uuid.low,
      out.text(status.task_id.value), out.text(status.agent_id.value),
      out.text(status.container_id.value),
      out.text(cut(status.message, limits::kStatusMessageBytesMax)), status.exit_status.value_or(0),
      status.signal.value_or(0), static_cast<wire::TaskState>(status.state),
      static_cast<wire::TaskSource>(status.source), static_cast<uint8_t>(status.reason),
      static_cast<uint8_t>(present), check_value);
}

bool has_extra(const TaskStatus& status) {
  return !status.executor_id.value.empty() || !status.data.empty();
}

Offset<wire::StatusExtra> write_extra(WireWriter& out, const TaskStatus& status, uint32_t item) {
  if (!has_extra(status)) return 0;
  wire::StatusExtraBuilder table(out.builder());
  table.add_item(item);
  table.add_executor_id(out.field(status.executor_id.value));
  table.add_data(out.field(status.data));
  return table.Finish();
}

void read_extra(WireReader& in, const wire::StatusExtra* extra, TaskStatus& status,
                const WirePath& at) {
  if (extra == nullptr) return;
  status.executor_id = in.optional_id<ExecutorId>(extra->executor_id(), at / "executor_id");
  status.data = in.text(extra->data(), at / "data", limits::kStatusDataBytesMax);
}

TaskStatus read(WireReader& in, const wire::TaskStatus& status, TaskIds ids, const WirePath& at) {
  TaskStatus result{
      .task_id = ids == TaskIds::kValid ? in.id<TaskId>(status.task_id(), at / "task_id")
                                        : TaskId{in.line(status.task_id(), at / "task_id")},
      .state = read(in, status.state(), at / "state"),
      .source = in.enumeration<TaskSource>(status.source(), kTaskSourceCount, at / "source"),
      .reason = read_reason(in, status.reason(), at / "reason"),
      .uuid = {.high = status.uuid_high(), .low = status.uuid_low()},
      .agent_id = in.optional_id<AgentId>(status.agent_id(), at / "agent_id"),
      .container_id = in.optional_id<ContainerId>(status.container_id(), at / "container_id"),
      .timestamp = WallTime(Duration(status.timestamp_ns())),
      .unreachable_time = WallTime(Duration(status.unreachable_time_ns())),
      .message = in.text(status.message(), at / "message", limits::kStatusMessageBytesMax),
  };
  if ((status.present() & kHasExitStatus) != 0) result.exit_status = status.exit_status();
  if ((status.present() & kHasSignal) != 0) result.signal = status.signal();
  if ((status.present() & kHasHealthy) != 0) result.healthy = (status.present() & kHealthy) != 0;
  if (const int type = status.present() >> kCheckTypeShift; type != 0) {
    CheckStatus& check = result.check.emplace();
    check.type = in.enumeration<CheckInfo::Type>(type, kCheckTypeCount, at / "present");
    if ((status.present() & kHasCheckValue) != 0) {
      check.value = static_cast<int32_t>(status.check_value());
    }
  }
  return result;
}

Offset<wire::Task> write(WireWriter& out, const Task& task) {
  const auto resources = write(out, task.kind->resources);
  const auto limits = write(out, task.kind->limits);
  const auto labels = write(out, task.kind->labels);
  const auto discovery = write(out, task.kind->discovery);
  const wire::TaskStatus last_status = write(out, task.last_status);
  const auto extra = write_extra(out, task.last_status, 0);
  wire::TaskBuilder table(out.builder());
  table.add_id(out.field(task.id.value));
  table.add_name(out.field(task.kind->name));
  table.add_framework_id(out.field(task.framework_id.value));
  table.add_agent_id(out.field(task.agent_id.value));
  table.add_role(out.field(task.kind->role));
  table.add_resources(resources);
  table.add_limits(limits);
  table.add_state(static_cast<wire::TaskState>(task.state));
  table.add_update_state(static_cast<wire::TaskState>(task.update_state));
  table.add_update_uuid_high(task.update_uuid.high);
  table.add_update_uuid_low(task.update_uuid.low);
  table.add_container_id(out.field(task.container_id.value));
  table.add_labels(labels);
  table.add_launched_at_ns(to_ns(task.launched_at));
  table.add_user(out.field(task.kind->user));
  table.add_group(out.field(task.kind->group));
  table.add_discovery(discovery);
  table.add_last_status(&last_status);
  table.add_executor_id(out.field(task.kind->executor_id.value));
  table.add_last_status_extra(extra);
  return table.Finish();
}

Task read(WireReader& in, const wire::Task* task, const WirePath& at) {
  if (task == nullptr || task->last_status() == nullptr) {
    in.fail(at, "is missing or has no last_status");
    return {};
  }
  TaskKind kind{.name = in.line(task->name(), at / "name"),
                .role = in.line(task->role(), at / "role"),
                .resources = read(in, task->resources(), at / "resources"),
                .limits = read_limits(task->limits()),
                .labels = read(in, task->labels(), at / "labels"),
                .user = in.line(task->user(), at / "user"),
                .group = in.line(task->group(), at / "group"),
                .discovery = read(in, task->discovery(), at / "discovery"),
                .executor_id = in.optional_id<ExecutorId>(task->executor_id(), at / "executor_id")};
  Task result{
      .id = in.id<TaskId>(task->id(), at / "id"),
      .framework_id = in.id<FrameworkId>(task->framework_id(), at / "framework_id"),
      .agent_id = in.optional_id<AgentId>(task->agent_id(), at / "agent_id"),
      .kind = std::move(kind),
      .state = read(in, task->state(), at / "state"),
      .update_state = read(in, task->update_state(), at / "update_state"),
      .update_uuid = {.high = task->update_uuid_high(), .low = task->update_uuid_low()},
      .container_id = in.optional_id<ContainerId>(task->container_id(), at / "container_id"),
      .launched_at = WallTime(Duration(task->launched_at_ns())),
      .last_status = read(in, *task->last_status(), TaskIds::kAny, at / "last_status"),
  };
  read_extra(in, task->last_status_extra(), result.last_status, at / "last_status_extra");
  return result;
}

}  // namespace tepui
