#include "schemas/agent_generated.h"

#include <utility>

#include "common/compact_tasks_wire.h"
#include "common/conversation_wire.h"

// Agent to master; the orders of the same conversation are in agent_orders_wire.cc.
namespace tepui {

static_assert(sizeof(wire::StatusUpdateItem) == 96);

namespace {

Offset<wire::RegisterAgent> write(WireWriter& out, const RegisterAgent& message) {
  const auto info = write(out, message.info);
  return wire::CreateRegisterAgent(out.builder(), info, write(out, message.operations));
}

RegisterAgent read(WireReader& in, const wire::RegisterAgent& message) {
  const WirePath at{.field = "register_agent"};
  return RegisterAgent{.info = read(in, message.info(), at / "info"),
                       .operations = read(in, message.operations(), at / "operations")};
}

Offset<wire::AgentExecutor> write(WireWriter& out, const AgentExecutor& item) {
  const auto executor = write(out, item.executor);
  wire::AgentExecutorBuilder table(out.builder());
  table.add_framework_id(out.field(item.framework_id.value));
  table.add_role(out.field(item.role));
  table.add_executor(executor);
  table.add_container_id(out.field(item.container_id.value));
  return table.Finish();
}

AgentExecutor read(WireReader& in, const wire::AgentExecutor& item, const WirePath& at) {
  return AgentExecutor{
      .framework_id = in.id<FrameworkId>(item.framework_id(), at / "framework_id"),
      .role = in.line(item.role(), at / "role"),
      .executor = read_executor(in, item.executor(), at / "executor"),
      .container_id = in.optional_id<ContainerId>(item.container_id(), at / "container_id")};
}

Offset<wire::ReregisterAgent> write(WireWriter& out, const ReregisterAgent& message) {
  const auto info = write(out, message.info);
  const auto frameworks = out.tables<wire::FrameworkInfo>(
      message.frameworks, [&out](const FrameworkInfo& framework) { return write(out, framework); });
  const auto tasks =
      out.tables<wire::Task>(message.tasks, [&out](const Task& task) { return write(out, task); });
  const auto operations = write(out, message.operations);
  const auto executors = out.tables<wire::AgentExecutor>(
      message.executors, [&out](const AgentExecutor& item) { return write(out, item); });
  return wire::CreateReregisterAgent(out.builder(), info, frameworks, tasks, operations, executors);
}

ReregisterAgent read(WireReader& in, const wire::ReregisterAgent& message) {
  const WirePath at{.field = "reregister_agent"};
  return ReregisterAgent{
      .info = read(in, message.info(), at / "info"),
      .frameworks = read_frameworks(in, message.frameworks(), at / "frameworks"),
      .tasks = in.tables(
          message.tasks(), at / "tasks",
          [&in](const wire::Task& task, const WirePath& path) { return read(in, &task, path); }),
      .operations = read(in, message.operations(), at / "operations"),
      .executors = in.tables(message.executors(), at / "executors",
                             [&in](const wire::AgentExecutor& item, const WirePath& path) {
                               return read(in, item, path);
                             }),
  };
}

Offset<wire::ReregisterCompactly> write(WireWriter& out, const ReregisterCompactly& message) {
  const auto frameworks = out.structs<wire::Text>(
      message.frameworks, [&out](const FrameworkId& id) { return out.text(id.value); });
  const CompactTasks tasks = write_compactly(out, message.tasks, message.id);
  const auto operations = write(out, message.operations);
  const auto executors = out.tables<wire::AgentExecutor>(
      message.executors, [&out](const AgentExecutor& item) { return write(out, item); });
  const auto infos = out.tables<wire::FrameworkInfo>(
      message.framework_infos, [&out](const FrameworkInfo& info) { return write(out, info); });
  wire::ReregisterCompactlyBuilder table(out.builder());
  table.add_agent_id(out.field(message.id.value));
  table.add_info_hash(message.info_hash);
  table.add_repeated(message.repeated);
  table.add_frameworks(frameworks);
  table.add_kinds(tasks.kinds);
  table.add_tasks(tasks.tasks);
  table.add_other_statuses(tasks.other_statuses);
  table.add_operations(operations);
  table.add_executors(executors);
  table.add_framework_infos(infos);
  return table.Finish();
}

ReregisterCompactly read(WireReader& in, const wire::ReregisterCompactly& message) {
  const WirePath at{.field = "reregister_compactly"};
  ReregisterCompactly result{
      .id = in.id<AgentId>(message.agent_id(), at / "agent_id"),
      .info_hash = message.info_hash(),
      .repeated = message.repeated(),
      .frameworks = in.structs(message.frameworks(), at / "frameworks",
                               [&in](const wire::Text& id, const WirePath& path) {
                                 return in.id<FrameworkId>(id, path);
                               })};
  result.tasks = read_compactly(in, message, result.id, at);
  result.operations = read(in, message.operations(), at / "operations");
  result.executors = in.tables(message.executors(), at / "executors",
                               [&in](const wire::AgentExecutor& item, const WirePath& path) {
                                 return read(in, item, path);
                               });
  result.framework_infos = read_frameworks(in, message.framework_infos(), at / "framework_infos");
  return result;
}

Offset<wire::StatusUpdates> write(WireWriter& out, const StatusUpdates& updates) {
  const auto items =
      out.structs<wire::StatusUpdateItem>(updates.items, [&out](const StatusUpdates::Item& item) {
        return wire::StatusUpdateItem(write(out, item.status), out.text(item.framework_id.value),
                                      static_cast<wire::TaskState>(item.latest_state), 0, 0, 0);
      });
  const auto extras = write_extras(
      out, updates.items,
      [](const StatusUpdates::Item& item) -> const TaskStatus& { return item.status; });
  return wire::CreateStatusUpdates(out.builder(), items, extras);
}

StatusUpdates read(WireReader& in, const wire::StatusUpdates& updates) {
  const WirePath at{.field = "status_updates"};
  const auto item = [&in](const wire::StatusUpdateItem& source, const WirePath& path) {
    return StatusUpdates::Item{
        .framework_id = in.id<FrameworkId>(source.framework_id(), path / "framework_id"),
        .status = read(in, source.status(), TaskIds::kValid, path / "status"),
        .latest_state = in.enumeration<TaskState>(source.latest_state(), kTaskStateCount,
                                                  path / "latest_state")};
  };
  StatusUpdates result{.items = in.structs(updates.items(), at / "items", item)};
  read_extras(
      in, updates.extras(), result.items,
      [](StatusUpdates::Item& found) -> TaskStatus& { return found.status; }, at / "extras");
  return result;
}

Offset<wire::Pong> write(WireWriter& out, const Pong&) { return wire::CreatePong(out.builder()); }

Pong read(WireReader&, const wire::Pong&) { return {}; }

Offset<wire::UnregisterAgent> write(WireWriter& out, const UnregisterAgent&) {
  return wire::CreateUnregisterAgent(out.builder());
}

UnregisterAgent read(WireReader&, const wire::UnregisterAgent&) { return {}; }

Offset<wire::OperationReports> write(WireWriter& out, const OperationReports& message) {
  return wire::CreateOperationReports(out.builder(), write(out, message.items));
}

OperationReports read(WireReader& in, const wire::OperationReports& message) {
  const WirePath at{.field = "operation_reports"};
  return OperationReports{.items = read(in, message.items(), at / "items")};
}

Offset<wire::UpdateAgent> write(WireWriter& out, const UpdateAgent& message) {
  return wire::CreateUpdateAgent(out.builder(), write(out, message.revocable));
}

UpdateAgent read(WireReader& in, const wire::UpdateAgent& message) {
  const WirePath at{.field = "update_agent"};
  return UpdateAgent{.revocable = read(in, message.revocable(), at / "revocable")};
}

Offset<wire::ExecutorExited> write(WireWriter& out, const ExecutorExited& message) {
  wire::ExecutorExitedBuilder table(out.builder());
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_executor_id(out.field(message.executor_id.value));
  if (message.exit_status) table.add_exit_status(*message.exit_status);
  if (message.signal) table.add_signal(*message.signal);
  return table.Finish();
}

ExecutorExited read(WireReader& in, const wire::ExecutorExited& message) {
  const WirePath at{.field = "executor_exited"};
  ExecutorExited result{
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .executor_id = in.id<ExecutorId>(message.executor_id(), at / "executor_id")};
  if (message.exit_status().has_value()) result.exit_status = *message.exit_status();
  if (message.signal().has_value()) result.signal = *message.signal();
  return result;
}

Offset<wire::RelayToFramework> write(WireWriter& out, const RelayToFramework& message) {
  wire::RelayToFrameworkBuilder table(out.builder());
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_executor_id(out.field(message.executor_id.value));
  table.add_data(out.field(message.data));
  return table.Finish();
}

RelayToFramework read(WireReader& in, const wire::RelayToFramework& message) {
  const WirePath at{.field = "relay_to_framework"};
  return RelayToFramework{
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .executor_id = in.id<ExecutorId>(message.executor_id(), at / "executor_id"),
      .data = in.text(message.data(), at / "data", limits::kMessageDataBytesMax)};
}

std::optional<AgentToMaster> read_body(WireReader& in, const wire::AgentToMaster& root) {
  switch (root.body_type()) {
    case wire::AgentToMasterBody::Hello:
      return read(in, *root.body_as_Hello());
    case wire::AgentToMasterBody::RegisterAgent:
      return read(in, *root.body_as_RegisterAgent());
    case wire::AgentToMasterBody::ReregisterAgent:
      return read(in, *root.body_as_ReregisterAgent());
    case wire::AgentToMasterBody::StatusUpdates:
      return read(in, *root.body_as_StatusUpdates());
    case wire::AgentToMasterBody::Pong:
      return read(in, *root.body_as_Pong());
    case wire::AgentToMasterBody::UnregisterAgent:
      return read(in, *root.body_as_UnregisterAgent());
    case wire::AgentToMasterBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::AgentToMasterBody::OperationReports:
      return read(in, *root.body_as_OperationReports());
    case wire::AgentToMasterBody::UpdateAgent:
      return read(in, *root.body_as_UpdateAgent());
    case wire::AgentToMasterBody::ExecutorExited:
      return read(in, *root.body_as_ExecutorExited());
    case wire::AgentToMasterBody::RelayToFramework:
      return read(in, *root.body_as_RelayToFramework());
    case wire::AgentToMasterBody::ReregisterCompactly:
      return read(in, *root.body_as_ReregisterCompactly());
    case wire::AgentToMasterBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const AgentToMaster& message) {
  write_root<wire::AgentToMasterBodyTraits, wire::AgentToMasterBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<AgentToMaster>> decode_agent_to_master(std::span<const std::byte> payload) {
  return decode_root<wire::AgentToMaster, AgentToMaster>(
      payload, "agent to master",
      [](WireReader& in, const wire::AgentToMaster& root) { return read_body(in, root); });
}

}  // namespace tepui
