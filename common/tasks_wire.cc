#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(sizeof(wire::EnvironmentVariable) == 16);
static_assert(sizeof(wire::TaskItem) == 24);
static_assert(sizeof(wire::TaskStatus) == 80);
static_assert(static_cast<int>(wire::TaskState::MAX) + 1 == kTaskStateCount);
static_assert(static_cast<int>(wire::TaskSource::MAX) == static_cast<int>(TaskSource::kExecutor));

namespace {

constexpr int kTaskSourceCount = 3;

// Bits of wire::TaskStatus::present.
constexpr uint8_t kHasExitStatus = 1;
constexpr uint8_t kHasSignal = 2;

Offset<wire::Limits> write(WireWriter& out, const ResourceLimits& limits) {
  if (!limits.cpus_milli && !limits.mem_milli) return 0;
  wire::LimitsBuilder table(out.builder());
  if (limits.cpus_milli) table.add_cpus_milli(*limits.cpus_milli);
  if (limits.mem_milli) table.add_mem_milli(*limits.mem_milli);
  return table.Finish();
}

template <class T>
std::optional<T> present(const flatbuffers::Optional<T>& value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

ResourceLimits read(const wire::Limits* limits) {
  if (limits == nullptr) return {};
  return ResourceLimits{.cpus_milli = present(limits->cpus_milli()),
                        .mem_milli = present(limits->mem_milli())};
}

Offset<wire::Uri> write(WireWriter& out, const Uri& uri) {
  wire::UriBuilder table(out.builder());
  table.add_value(out.field(uri.value));
  table.add_executable(uri.executable);
  table.add_extract(uri.extract);
  table.add_cache(uri.cache);
  table.add_output_file(out.field(uri.output_file));
  return table.Finish();
}

Uri read(WireReader& in, const wire::Uri& uri, const WirePath& at) {
  return Uri{.value = in.line(uri.value(), at / "value"),
             .executable = uri.executable(),
             .extract = uri.extract(),
             .cache = uri.cache(),
             .output_file = in.line(uri.output_file(), at / "output_file")};
}

Offset<wire::Command> write(WireWriter& out, const CommandInfo& command) {
  const auto arguments = out.texts(command.arguments);
  const auto environment = out.structs<wire::EnvironmentVariable>(
      command.environment, [&out](const EnvironmentVariable& variable) {
        return wire::EnvironmentVariable(out.text(variable.name), out.text(variable.value));
      });
  const auto uris =
      out.tables<wire::Uri>(command.uris, [&out](const Uri& uri) { return write(out, uri); });
  wire::CommandBuilder table(out.builder());
  table.add_shell(command.shell);
  table.add_value(out.field(command.value));
  table.add_arguments(arguments);
  table.add_environment(environment);
  table.add_user(out.field(command.user));
  table.add_working_directory(out.field(command.working_directory));
  table.add_uris(uris);
  return table.Finish();
}

CommandInfo read(WireReader& in, const wire::Command* command, const WirePath& at) {
  if (command == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  const auto variable = [&in](const wire::EnvironmentVariable& item, const WirePath& path) {
    return EnvironmentVariable{
        .name = in.line(item.name(), path / "name"),
        .value = in.text(item.value(), path / "value", limits::kTextBytesMax)};
  };
  return CommandInfo{
      .shell = command->shell(),
      .value = in.text(command->value(), at / "value", limits::kTextBytesMax),
      .arguments = in.texts(command->arguments(), at / "arguments"),
      .environment = in.structs(command->environment(), at / "environment", variable),
      .user = in.line(command->user(), at / "user"),
      .working_directory = in.line(command->working_directory(), at / "working_directory"),
      .uris = in.tables(
          command->uris(), at / "uris",
          [&in](const wire::Uri& uri, const WirePath& path) { return read(in, uri, path); }),
  };
}

Offset<wire::Discovery> write(WireWriter& out, const std::optional<DiscoveryInfo>& discovery) {
  if (!discovery) return 0;
  const auto ports = out.tables<wire::Port>(discovery->ports, [&out](const Port& port) {
    wire::PortBuilder table(out.builder());
    table.add_number(port.number);
    table.add_name(out.field(port.name));
    table.add_protocol(out.field(port.protocol));
    return table.Finish();
  });
  const auto labels = tepui::write(out, discovery->labels);
  wire::DiscoveryBuilder table(out.builder());
  table.add_name(out.field(discovery->name));
  table.add_visibility(out.field(discovery->visibility));
  table.add_environment(out.field(discovery->environment));
  table.add_location(out.field(discovery->location));
  table.add_version(out.field(discovery->version));
  table.add_ports(ports);
  table.add_labels(labels);
  return table.Finish();
}

std::optional<DiscoveryInfo> read(WireReader& in, const wire::Discovery* discovery,
                                  const WirePath& at) {
  if (discovery == nullptr) return std::nullopt;
  return DiscoveryInfo{
      .name = in.line(discovery->name(), at / "name"),
      .visibility = in.line(discovery->visibility(), at / "visibility"),
      .environment = in.line(discovery->environment(), at / "environment"),
      .location = in.line(discovery->location(), at / "location"),
      .version = in.line(discovery->version(), at / "version"),
      .ports = in.tables(discovery->ports(), at / "ports",
                         [&in](const wire::Port& port, const WirePath& path) {
                           return Port{.number = port.number(),
                                       .name = in.line(port.name(), path / "name"),
                                       .protocol = in.line(port.protocol(), path / "protocol")};
                         }),
      .labels = tepui::read(in, discovery->labels(), at / "labels"),
  };
}

Offset<wire::TaskSpec> write(WireWriter& out, const TaskSpec& spec) {
  const auto resources = tepui::write(out, spec.resources);
  const auto limits = write(out, spec.limits);
  const auto command = write(out, spec.command);
  const auto kill_policy = tepui::write(out, spec.kill_policy);
  const auto labels = tepui::write(out, spec.labels);
  const auto discovery = write(out, spec.discovery);
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
  return table.Finish();
}

std::shared_ptr<const TaskSpec> read(WireReader& in, const wire::TaskSpec& spec,
                                     const WirePath& at) {
  auto result = std::make_shared<TaskSpec>(TaskSpec{
      .resources = tepui::read(in, spec.resources(), at / "resources"),
      .limits = read(spec.limits()),
      .command = read(in, spec.command(), at / "command"),
      .kill_policy = tepui::read(in, spec.kill_policy(), at / "kill_policy"),
      .labels = tepui::read(in, spec.labels(), at / "labels"),
      .discovery = read(in, spec.discovery(), at / "discovery"),
      .group = in.line(spec.group(), at / "group"),
      .data = in.text(spec.data(), at / "data", limits::kTaskDataBytesMax),
  });
  if (spec.max_completion_time_ns().has_value()) {
    result->max_completion_time = Duration(*spec.max_completion_time_ns());
  }
  return result;
}

TaskState read(WireReader& in, wire::TaskState state, const WirePath& at) {
  return in.enumeration<TaskState>(state, kTaskStateCount, at);
}

TaskReason read_reason(WireReader& in, uint8_t reason, const WirePath& at) {
  if (reason == static_cast<uint8_t>(TaskReason::kNone)) return TaskReason::kNone;
  return in.enumeration<TaskReason>(reason, kTaskReasonCount, at);
}

}  // namespace

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

wire::TaskItem write(WireWriter& out, const TaskInfo& task) {
  return wire::TaskItem(out.text(task.id.value), out.text(task.name), out.spec(task.spec.get()), 0);
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
  const uint8_t present = static_cast<uint8_t>((status.exit_status ? kHasExitStatus : 0) |
                                               (status.signal ? kHasSignal : 0));
  return wire::TaskStatus(to_ns(status.timestamp), to_ns(status.unreachable_time), status.uuid.high,
                          status.uuid.low, out.text(status.task_id.value),
                          out.text(status.agent_id.value), out.text(status.container_id.value),
                          out.text(cut(status.message, limits::kStatusMessageBytesMax)),
                          status.exit_status.value_or(0), status.signal.value_or(0),
                          static_cast<wire::TaskState>(status.state),
                          static_cast<wire::TaskSource>(status.source),
                          static_cast<uint8_t>(status.reason), present, 0);
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
  return result;
}

Offset<wire::Task> write(WireWriter& out, const Task& task) {
  const auto resources = write(out, task.resources);
  const auto limits = write(out, task.limits);
  const auto labels = write(out, task.labels);
  const auto discovery = write(out, task.discovery);
  const wire::TaskStatus last_status = write(out, task.last_status);
  wire::TaskBuilder table(out.builder());
  table.add_id(out.field(task.id.value));
  table.add_name(out.field(task.name));
  table.add_framework_id(out.field(task.framework_id.value));
  table.add_agent_id(out.field(task.agent_id.value));
  table.add_role(out.field(task.role));
  table.add_resources(resources);
  table.add_limits(limits);
  table.add_state(static_cast<wire::TaskState>(task.state));
  table.add_update_state(static_cast<wire::TaskState>(task.update_state));
  table.add_update_uuid_high(task.update_uuid.high);
  table.add_update_uuid_low(task.update_uuid.low);
  table.add_container_id(out.field(task.container_id.value));
  table.add_labels(labels);
  table.add_launched_at_ns(to_ns(task.launched_at));
  table.add_user(out.field(task.user));
  table.add_group(out.field(task.group));
  table.add_discovery(discovery);
  table.add_last_status(&last_status);
  return table.Finish();
}

Task read(WireReader& in, const wire::Task* task, const WirePath& at) {
  if (task == nullptr || task->last_status() == nullptr) {
    in.fail(at, "is missing or has no last_status");
    return {};
  }
  return Task{
      .id = in.id<TaskId>(task->id(), at / "id"),
      .name = in.line(task->name(), at / "name"),
      .framework_id = in.id<FrameworkId>(task->framework_id(), at / "framework_id"),
      .agent_id = in.optional_id<AgentId>(task->agent_id(), at / "agent_id"),
      .role = in.line(task->role(), at / "role"),
      .resources = read(in, task->resources(), at / "resources"),
      .limits = read(task->limits()),
      .state = read(in, task->state(), at / "state"),
      .update_state = read(in, task->update_state(), at / "update_state"),
      .update_uuid = {.high = task->update_uuid_high(), .low = task->update_uuid_low()},
      .container_id = in.optional_id<ContainerId>(task->container_id(), at / "container_id"),
      .labels = read(in, task->labels(), at / "labels"),
      .launched_at = WallTime(Duration(task->launched_at_ns())),
      .user = in.line(task->user(), at / "user"),
      .group = in.line(task->group(), at / "group"),
      .discovery = read(in, task->discovery(), at / "discovery"),
      .last_status = read(in, *task->last_status(), TaskIds::kAny, at / "last_status"),
  };
}

}  // namespace tepui
