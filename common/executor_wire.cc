#include "schemas/executor_generated.h"

#include <utility>

#include "common/conversation_wire.h"

namespace tepui {

namespace {

const TaskStatus& itself(const TaskStatus& status) { return status; }
TaskStatus& itself_mutable(TaskStatus& status) { return status; }

// --------------------------------------------------------------------------- executor to agent

Offset<wire::SubscribeExecutor> write(WireWriter& out, const SubscribeExecutor& message) {
  const auto updates = out.structs<wire::TaskStatus>(
      message.updates, [&out](const TaskStatus& status) { return write(out, status); });
  const auto extras = write_extras(out, message.updates, itself);
  const auto tasks = out.structs<wire::Text>(
      message.tasks, [&out](const TaskId& id) { return out.text(id.value); });
  wire::SubscribeExecutorBuilder table(out.builder());
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_executor_id(out.field(message.executor_id.value));
  table.add_container_id(out.field(message.container_id.value));
  table.add_updates(updates);
  table.add_extras(extras);
  table.add_tasks(tasks);
  return table.Finish();
}

SubscribeExecutor read(WireReader& in, const wire::SubscribeExecutor& message) {
  const WirePath at{.field = "subscribe_executor"};
  SubscribeExecutor result{
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .executor_id = in.id<ExecutorId>(message.executor_id(), at / "executor_id"),
      .container_id = in.id<ContainerId>(message.container_id(), at / "container_id"),
      .updates = in.structs(message.updates(), at / "updates",
                            [&in](const wire::TaskStatus& status, const WirePath& path) {
                              return read(in, status, TaskIds::kValid, path);
                            }),
      .tasks = in.structs(
          message.tasks(), at / "tasks",
          [&in](const wire::Text& id, const WirePath& path) { return in.id<TaskId>(id, path); }),
  };
  in.check_count(result.updates.size(), limits::kExecutorUpdatesMax, at, "updates");
  read_extras(in, message.extras(), result.updates, itself_mutable, at / "extras");
  return result;
}

Offset<wire::UpdateTask> write(WireWriter& out, const UpdateTask& message) {
  const wire::TaskStatus status = write(out, message.status);
  const auto extra = write_extra(out, message.status, 0);
  return wire::CreateUpdateTask(out.builder(), &status, extra);
}

UpdateTask read(WireReader& in, const wire::UpdateTask& message) {
  const WirePath at{.field = "update_task"};
  UpdateTask result;
  if (message.status() == nullptr) {
    in.fail(at / "status", "is missing");
    return result;
  }
  result.status = read(in, *message.status(), TaskIds::kValid, at / "status");
  read_extra(in, message.extra(), result.status, at / "extra");
  return result;
}

Offset<wire::MessageFramework> write(WireWriter& out, const MessageFramework& message) {
  return wire::CreateMessageFramework(out.builder(), out.field(message.data));
}

MessageFramework read(WireReader& in, const wire::MessageFramework& message) {
  const WirePath at{.field = "message_framework"};
  return MessageFramework{.data =
                              in.text(message.data(), at / "data", limits::kMessageDataBytesMax)};
}

std::optional<ExecutorToAgent> read_body(WireReader& in, const wire::ExecutorToAgent& root) {
  switch (root.body_type()) {
    case wire::ExecutorToAgentBody::Hello:
      return read(in, *root.body_as_Hello());
    case wire::ExecutorToAgentBody::SubscribeExecutor:
      return read(in, *root.body_as_SubscribeExecutor());
    case wire::ExecutorToAgentBody::UpdateTask:
      return read(in, *root.body_as_UpdateTask());
    case wire::ExecutorToAgentBody::MessageFramework:
      return read(in, *root.body_as_MessageFramework());
    case wire::ExecutorToAgentBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::ExecutorToAgentBody::NONE:
      break;
  }
  return std::nullopt;
}

// --------------------------------------------------------------------------- agent to executor

Offset<wire::ExecutorSubscribed> write(WireWriter& out, const ExecutorSubscribed& message) {
  const auto executor = write(out, message.executor);
  const auto framework = write(out, message.framework);
  return wire::CreateExecutorSubscribed(out.builder(), executor, framework,
                                        write(out, message.agent));
}

ExecutorSubscribed read(WireReader& in, const wire::ExecutorSubscribed& message) {
  const WirePath at{.field = "executor_subscribed"};
  return ExecutorSubscribed{.executor = read_executor(in, message.executor(), at / "executor"),
                            .framework = read(in, message.framework(), at / "framework"),
                            .agent = read(in, message.agent(), at / "agent")};
}

Offset<wire::RunTasks> write(WireWriter& out, const RunTasks& message) {
  const auto tasks = out.structs<wire::TaskItem>(
      message.tasks, [&out](const TaskInfo& task) { return write(out, task); });
  return wire::CreateRunTasks(out.builder(), tasks, write_specs(out), message.group);
}

RunTasks read(WireReader& in, const wire::RunTasks& message) {
  const WirePath at{.field = "run_tasks"};
  const Specs specs = read(in, message.specs(), at / "specs");
  return RunTasks{
      .tasks = in.structs(message.tasks(), at / "tasks",
                          [&in, &specs](const wire::TaskItem& task, const WirePath& path) {
                            return read(in, task, specs, TaskIds::kValid, path);
                          }),
      .group = message.group()};
}

Offset<wire::StopTask> write(WireWriter& out, const StopTask& message) {
  const auto kill_policy = write(out, message.kill_policy);
  return wire::CreateStopTask(out.builder(), out.field(message.task_id.value), kill_policy);
}

StopTask read(WireReader& in, const wire::StopTask& message) {
  const WirePath at{.field = "stop_task"};
  return StopTask{.task_id = in.id<TaskId>(message.task_id(), at / "task_id"),
                  .kill_policy = read(in, message.kill_policy(), at / "kill_policy")};
}

Offset<wire::UpdateTaken> write(WireWriter& out, const UpdateTaken& message) {
  return wire::CreateUpdateTaken(out.builder(), out.field(message.task_id.value), message.uuid.high,
                                 message.uuid.low);
}

UpdateTaken read(WireReader& in, const wire::UpdateTaken& message) {
  const WirePath at{.field = "update_taken"};
  return UpdateTaken{.task_id = in.id<TaskId>(message.task_id(), at / "task_id"),
                     .uuid = {.high = message.uuid_high(), .low = message.uuid_low()}};
}

Offset<wire::FrameworkMessage> write(WireWriter& out, const FrameworkMessage& message) {
  return wire::CreateFrameworkMessage(out.builder(), out.field(message.data));
}

FrameworkMessage read(WireReader& in, const wire::FrameworkMessage& message) {
  const WirePath at{.field = "framework_message"};
  return FrameworkMessage{.data =
                              in.text(message.data(), at / "data", limits::kMessageDataBytesMax)};
}

Offset<wire::EndExecutor> write(WireWriter& out, const EndExecutor&) {
  return wire::CreateEndExecutor(out.builder());
}

EndExecutor read(WireReader&, const wire::EndExecutor&) { return {}; }

std::optional<AgentToExecutor> read_body(WireReader& in, const wire::AgentToExecutor& root) {
  switch (root.body_type()) {
    case wire::AgentToExecutorBody::HelloReply:
      return read(in, *root.body_as_HelloReply());
    case wire::AgentToExecutorBody::ExecutorSubscribed:
      return read(in, *root.body_as_ExecutorSubscribed());
    case wire::AgentToExecutorBody::RunTasks:
      return read(in, *root.body_as_RunTasks());
    case wire::AgentToExecutorBody::StopTask:
      return read(in, *root.body_as_StopTask());
    case wire::AgentToExecutorBody::UpdateTaken:
      return read(in, *root.body_as_UpdateTaken());
    case wire::AgentToExecutorBody::FrameworkMessage:
      return read(in, *root.body_as_FrameworkMessage());
    case wire::AgentToExecutorBody::EndExecutor:
      return read(in, *root.body_as_EndExecutor());
    case wire::AgentToExecutorBody::ErrorMessage:
      return read(in, *root.body_as_ErrorMessage());
    case wire::AgentToExecutorBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::AgentToExecutorBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const ExecutorToAgent& message) {
  write_root<wire::ExecutorToAgentBodyTraits, wire::ExecutorToAgentBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

void write(WireWriter& out, uint32_t session, const AgentToExecutor& message) {
  write_root<wire::AgentToExecutorBodyTraits, wire::AgentToExecutorBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<ExecutorToAgent>> decode_executor_to_agent(std::span<const std::byte> payload) {
  return decode_root<wire::ExecutorToAgent, ExecutorToAgent>(
      payload, "executor to agent",
      [](WireReader& in, const wire::ExecutorToAgent& root) { return read_body(in, root); });
}

Result<Inbound<AgentToExecutor>> decode_agent_to_executor(std::span<const std::byte> payload) {
  return decode_root<wire::AgentToExecutor, AgentToExecutor>(
      payload, "agent to executor",
      [](WireReader& in, const wire::AgentToExecutor& root) { return read_body(in, root); });
}

}  // namespace tepui
