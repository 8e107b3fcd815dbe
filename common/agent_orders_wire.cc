#include "schemas/agent_generated.h"

#include <utility>

#include "common/conversation_wire.h"

// Master to agent; the reports of the same conversation are in agent_wire.cc.
namespace tepui {

static_assert(sizeof(wire::LaunchItem) == 40);
static_assert(sizeof(wire::AcknowledgeUpdateItem) == 32);
static_assert(sizeof(wire::ReconcileTaskItem) == 24);
static_assert(sizeof(wire::AcknowledgeOperationReportItem) == 32);

namespace {

Offset<wire::Registered> write(WireWriter& out, const Registered& registered) {
  wire::RegisteredBuilder table(out.builder());
  table.add_agent_id(out.field(registered.agent_id.value));
  table.add_master_id(out.field(registered.master_id));
  table.add_epoch(registered.epoch);
  table.add_ping_timeout_ns(registered.ping_timeout.count());
  table.add_reregistered(registered.reregistered);
  return table.Finish();
}

Registered read(WireReader& in, const wire::Registered& registered) {
  const WirePath at{.field = "registered"};
  return Registered{
      .agent_id = in.id<AgentId>(registered.agent_id(), at / "agent_id"),
      .master_id = in.line(registered.master_id(), at / "master_id"),
      .epoch = registered.epoch(),
      .ping_timeout = Duration(registered.ping_timeout_ns()),
      .reregistered = registered.reregistered(),
  };
}

Offset<wire::LaunchTasks> write(WireWriter& out, const LaunchTasks& launch) {
  const auto frameworks = out.tables<wire::FrameworkInfo>(
      launch.frameworks, [&out](const FrameworkInfo& framework) { return write(out, framework); });
  const auto tasks =
      out.structs<wire::LaunchItem>(launch.tasks, [&out](const LaunchTasks::Item& item) {
        return wire::LaunchItem(out.text(item.framework_id.value), out.text(item.role),
                                write(out, item.task, item.executor_runs ? kTaskExecutorRuns : 0));
      });
  const auto specs = write_specs(out);
  return wire::CreateLaunchTasks(out.builder(), frameworks, tasks, specs);
}

LaunchTasks read(WireReader& in, const wire::LaunchTasks& launch) {
  const WirePath at{.field = "launch_tasks"};
  const Specs specs = read(in, launch.specs(), at / "specs");
  const auto item = [&in, &specs](const wire::LaunchItem& source, const WirePath& path) {
    return LaunchTasks::Item{
        .framework_id = in.id<FrameworkId>(source.framework_id(), path / "framework_id"),
        .role = in.line(source.role(), path / "role"),
        .task = read(in, source.task(), specs, TaskIds::kValid, path / "task"),
        .executor_runs = (source.task().flags() & kTaskExecutorRuns) != 0};
  };
  return LaunchTasks{
      .frameworks = read_frameworks(in, launch.frameworks(), at / "frameworks"),
      .tasks = in.structs(launch.tasks(), at / "tasks", item),
  };
}

Offset<wire::KillTask> write(WireWriter& out, const KillTask& kill) {
  const auto kill_policy = write(out, kill.kill_policy);
  wire::KillTaskBuilder table(out.builder());
  table.add_framework_id(out.field(kill.framework_id.value));
  table.add_task_id(out.field(kill.task_id.value));
  table.add_kill_policy(kill_policy);
  return table.Finish();
}

KillTask read(WireReader& in, const wire::KillTask& kill) {
  const WirePath at{.field = "kill_task"};
  return KillTask{.framework_id = in.id<FrameworkId>(kill.framework_id(), at / "framework_id"),
                  .task_id = in.id<TaskId>(kill.task_id(), at / "task_id"),
                  .kill_policy = read(in, kill.kill_policy(), at / "kill_policy")};
}

Offset<wire::AcknowledgeUpdates> write(WireWriter& out, const AcknowledgeUpdates& message) {
  const auto items = out.structs<wire::AcknowledgeUpdateItem>(
      message.items, [&out](const AcknowledgeUpdates::Item& item) {
        return wire::AcknowledgeUpdateItem(item.uuid.high, item.uuid.low,
                                           out.text(item.framework_id.value),
                                           out.text(item.task_id.value));
      });
  return wire::CreateAcknowledgeUpdates(out.builder(), items);
}

AcknowledgeUpdates read(WireReader& in, const wire::AcknowledgeUpdates& message) {
  const WirePath at{.field = "acknowledge_updates"};
  const auto item = [&in](const wire::AcknowledgeUpdateItem& source, const WirePath& path) {
    return AcknowledgeUpdates::Item{
        .framework_id = in.id<FrameworkId>(source.framework_id(), path / "framework_id"),
        .task_id = in.id<TaskId>(source.task_id(), path / "task_id"),
        .uuid = {.high = source.uuid_high(), .low = source.uuid_low()}};
  };
  return AcknowledgeUpdates{.items = in.structs(message.items(), at / "items", item)};
}

Offset<wire::ShutdownFramework> write(WireWriter& out, const ShutdownFramework& message) {
  return wire::CreateShutdownFramework(out.builder(), out.field(message.framework_id.value));
}

ShutdownFramework read(WireReader& in, const wire::ShutdownFramework& message) {
  const WirePath at{.field = "shutdown_framework"};
  return ShutdownFramework{.framework_id =
                               in.id<FrameworkId>(message.framework_id(), at / "framework_id")};
}

Offset<wire::ReconcileTasks> write(WireWriter& out, const ReconcileTasks& reconcile) {
  const auto items = out.structs<wire::ReconcileTaskItem>(
      reconcile.items, [&out](const ReconcileTasks::Item& item) {
        return wire::ReconcileTaskItem(out.text(item.framework_id.value),
                                       out.text(item.task_id.value), item.partition_aware ? 1 : 0,
                                       0);
      });
  return wire::CreateReconcileTasks(out.builder(), items);
}

ReconcileTasks read(WireReader& in, const wire::ReconcileTasks& reconcile) {
  const WirePath at{.field = "reconcile_tasks"};
  const auto item = [&in](const wire::ReconcileTaskItem& source, const WirePath& path) {
    return ReconcileTasks::Item{
        .framework_id = in.id<FrameworkId>(source.framework_id(), path / "framework_id"),
        .task_id = in.id<TaskId>(source.task_id(), path / "task_id"),
        .partition_aware = source.partition_aware() != 0};
  };
  return ReconcileTasks{.items = in.structs(reconcile.items(), at / "items", item)};
}

Offset<wire::Ping> write(WireWriter& out, const Ping& ping) {
  return wire::CreatePing(out.builder(), ping.connected);
}

Ping read(WireReader&, const wire::Ping& ping) { return Ping{.connected = ping.connected()}; }

Offset<wire::ShutdownAgent> write(WireWriter& out, const ShutdownAgent& message) {
  return wire::CreateShutdownAgent(out.builder(), out.field(message.message));
}

ShutdownAgent read(WireReader& in, const wire::ShutdownAgent& message) {
  const WirePath at{.field = "shutdown_agent"};
  return ShutdownAgent{.message =
                           in.text(message.message(), at / "message", limits::kTextBytesMax)};
}

Offset<wire::ApplyOperations> write(WireWriter& out, const ApplyOperations& message) {
  return wire::CreateApplyOperations(out.builder(), write(out, message.items));
}

ApplyOperations read(WireReader& in, const wire::ApplyOperations& message) {
  const WirePath at{.field = "apply_operations"};
  return ApplyOperations{.items = read(in, message.items(), at / "items")};
}

Offset<wire::AcknowledgeOperationReports> write(WireWriter& out,
                                                const AcknowledgeOperationReports& message) {
  const auto items = out.structs<wire::AcknowledgeOperationReportItem>(
      message.items, [](const AcknowledgeOperationReports::Item& item) {
        return wire::AcknowledgeOperationReportItem(item.operation.high, item.operation.low,
                                                    item.status.high, item.status.low);
      });
  return wire::CreateAcknowledgeOperationReports(out.builder(), items);
}

AcknowledgeOperationReports read(WireReader& in, const wire::AcknowledgeOperationReports& message) {
  const WirePath at{.field = "acknowledge_operation_reports"};
  const auto item = [](const wire::AcknowledgeOperationReportItem& source, const WirePath&) {
    return AcknowledgeOperationReports::Item{
        .operation = {.high = source.operation_high(), .low = source.operation_low()},
        .status = {.high = source.status_high(), .low = source.status_low()}};
  };
  return AcknowledgeOperationReports{.items = in.structs(message.items(), at / "items", item)};
}

Offset<wire::DrainAgent> write(WireWriter& out, const DrainAgent& message) {
  wire::DrainAgentBuilder table(out.builder());
  if (message.max_grace) table.add_max_grace_ns(message.max_grace->count());
  return table.Finish();
}

DrainAgent read(WireReader&, const wire::DrainAgent& message) {
  DrainAgent result;
  if (message.max_grace_ns().has_value()) result.max_grace = Duration(*message.max_grace_ns());
  return result;
}

Offset<wire::LaunchGroup> write(WireWriter& out, const LaunchGroup& message) {
  const auto frameworks = out.tables<wire::FrameworkInfo>(
      message.frameworks, [&out](const FrameworkInfo& info) { return write(out, info); });
  const auto executor = write(out, message.executor);
  const auto tasks = out.structs<wire::TaskItem>(
      message.tasks, [&out](const TaskInfo& task) { return write(out, task); });
  const auto specs = write_specs(out);
  wire::LaunchGroupBuilder table(out.builder());
  table.add_frameworks(frameworks);
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_role(out.field(message.role));
  table.add_executor(executor);
  table.add_tasks(tasks);
  table.add_specs(specs);
  table.add_executor_runs(message.executor_runs);
  return table.Finish();
}

LaunchGroup read(WireReader& in, const wire::LaunchGroup& message) {
  const WirePath at{.field = "launch_group"};
  const Specs specs = read(in, message.specs(), at / "specs");
  LaunchGroup result{
      .frameworks = read_frameworks(in, message.frameworks(), at / "frameworks"),
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .role = in.line(message.role(), at / "role"),
      .executor = read_executor(in, message.executor(), at / "executor"),
      .tasks = in.structs(message.tasks(), at / "tasks",
                          [&in, &specs](const wire::TaskItem& task, const WirePath& path) {
                            return read(in, task, specs, TaskIds::kValid, path);
                          }),
      .executor_runs = message.executor_runs()};
  in.check_count(result.tasks.size(), limits::kGroupTasksMax, at, "tasks");
  return result;
}

Offset<wire::RelayToExecutor> write(WireWriter& out, const RelayToExecutor& message) {
  wire::RelayToExecutorBuilder table(out.builder());
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_executor_id(out.field(message.executor_id.value));
  table.add_data(out.field(message.data));
  return table.Finish();
}

RelayToExecutor read(WireReader& in, const wire::RelayToExecutor& message) {
  const WirePath at{.field = "relay_to_executor"};
  return RelayToExecutor{
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .executor_id = in.id<ExecutorId>(message.executor_id(), at / "executor_id"),
      .data = in.text(message.data(), at / "data", limits::kMessageDataBytesMax)};
}

Offset<wire::StopExecutor> write(WireWriter& out, const StopExecutor& message) {
  wire::StopExecutorBuilder table(out.builder());
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_executor_id(out.field(message.executor_id.value));
  return table.Finish();
}

Offset<wire::ReregisterFully> write(WireWriter& out, const ReregisterFully&) {
  return wire::CreateReregisterFully(out.builder());
}

StopExecutor read(WireReader& in, const wire::StopExecutor& message) {
  const WirePath at{.field = "stop_executor"};
  return StopExecutor{
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .executor_id = in.id<ExecutorId>(message.executor_id(), at / "executor_id")};
}

std::optional<MasterToAgent> read_body(WireReader& in, const wire::MasterToAgent& root) {
  switch (root.body_type()) {
    case wire::MasterToAgentBody::HelloReply:
      return read(in, *root.body_as_HelloReply());
    case wire::MasterToAgentBody::Registered:
      return read(in, *root.body_as_Registered());
    case wire::MasterToAgentBody::LaunchTasks:
      return read(in, *root.body_as_LaunchTasks());
    case wire::MasterToAgentBody::KillTask:
      return read(in, *root.body_as_KillTask());
    case wire::MasterToAgentBody::AcknowledgeUpdates:
      return read(in, *root.body_as_AcknowledgeUpdates());
    case wire::MasterToAgentBody::ShutdownFramework:
      return read(in, *root.body_as_ShutdownFramework());
    case wire::MasterToAgentBody::ReconcileTasks:
      return read(in, *root.body_as_ReconcileTasks());
    case wire::MasterToAgentBody::Ping:
      return read(in, *root.body_as_Ping());
    case wire::MasterToAgentBody::ShutdownAgent:
      return read(in, *root.body_as_ShutdownAgent());
    case wire::MasterToAgentBody::ErrorMessage:
      return read(in, *root.body_as_ErrorMessage());
    case wire::MasterToAgentBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::MasterToAgentBody::ApplyOperations:
      return read(in, *root.body_as_ApplyOperations());
    case wire::MasterToAgentBody::AcknowledgeOperationReports:
      return read(in, *root.body_as_AcknowledgeOperationReports());
    case wire::MasterToAgentBody::DrainAgent:
      return read(in, *root.body_as_DrainAgent());
    case wire::MasterToAgentBody::LaunchGroup:
      return read(in, *root.body_as_LaunchGroup());
    case wire::MasterToAgentBody::RelayToExecutor:
      return read(in, *root.body_as_RelayToExecutor());
    case wire::MasterToAgentBody::StopExecutor:
      return read(in, *root.body_as_StopExecutor());
    case wire::MasterToAgentBody::ReregisterFully:
      return ReregisterFully{};
    case wire::MasterToAgentBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const MasterToAgent& message) {
  write_root<wire::MasterToAgentBodyTraits, wire::MasterToAgentBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<MasterToAgent>> decode_master_to_agent(std::span<const std::byte> payload) {
  return decode_root<wire::MasterToAgent, MasterToAgent>(
      payload, "master to agent",
      [](WireReader& in, const wire::MasterToAgent& root) { return read_body(in, root); });
}

}  // namespace tepui
