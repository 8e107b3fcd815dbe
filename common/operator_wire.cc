#include "schemas/operator_generated.h"

#include <utility>

#include "common/conversation_wire.h"
#include "common/operator_commands_wire.h"

namespace tepui {

static_assert(sizeof(wire::MetricRow) == 16);
static_assert(sizeof(wire::RemovedItem) == 20);
static_assert(sizeof(wire::RoleWeight) == 16);
static_assert(sizeof(wire::ExplainedCause) == 12);
static_assert(static_cast<int>(wire::TableName::MAX) + 1 == kTableCount);

namespace {

// --------------------------------------------------------------------------- operator to server

Table read(WireReader& in, wire::TableName name, const WirePath& at) {
  return in.enumeration<Table>(name, kTableCount, at);
}

Offset<wire::ListRequest> write(WireWriter& out, const ListRequest& message) {
  wire::ListRequestBuilder table(out.builder());
  table.add_request(message.request);
  table.add_table(static_cast<wire::TableName>(message.table));
  table.add_key(out.field(message.key));
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_agent_id(out.field(message.agent_id.value));
  return table.Finish();
}

ListRequest read(WireReader& in, const wire::ListRequest& message) {
  const WirePath at{.field = "list_request"};
  return ListRequest{
      .request = message.request(),
      .table = read(in, message.table(), at / "table"),
      .key = in.line(message.key(), at / "key"),
      .framework_id = in.optional_id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .agent_id = in.optional_id<AgentId>(message.agent_id(), at / "agent_id"),
  };
}

Offset<wire::WatchRequest> write(WireWriter& out, const WatchRequest& message) {
  const auto tables = out.filled<wire::TableName>(message.tables.size(), [&message](auto put) {
    for (const Table name : message.tables) put(static_cast<wire::TableName>(name));
  });
  wire::WatchRequestBuilder table(out.builder());
  table.add_request(message.request);
  table.add_tables(tables);
  return table.Finish();
}

WatchRequest read(WireReader& in, const wire::WatchRequest& message) {
  const WirePath at{.field = "watch_request"};
  WatchRequest result{.request = message.request()};
  if (message.tables() == nullptr) return result;
  in.check_count(message.tables()->size(), kTableCount, at / "tables", "tables");
  for (uint32_t i = 0; i < message.tables()->size() && in.ok(); ++i) {
    result.tables.push_back(read(in, message.tables()->Get(i), (at / "tables")[i]));
  }
  return result;
}

Offset<wire::ReadFile> write(WireWriter& out, const ReadFile& message) {
  wire::ReadFileBuilder table(out.builder());
  table.add_request(message.request);
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_task_id(out.field(message.task_id.value));
  table.add_path(out.field(message.path));
  table.add_offset(message.offset);
  table.add_length(message.length);
  return table.Finish();
}

ReadFile read(WireReader& in, const wire::ReadFile& message) {
  const WirePath at{.field = "read_file"};
  in.check_count(message.length(), limits::kReadFileMax, at / "length", "bytes");
  return ReadFile{
      .request = message.request(),
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
      .task_id = in.id<TaskId>(message.task_id(), at / "task_id"),
      .path = in.line(message.path(), at / "path"),
      .offset = message.offset(),
      .length = message.length(),
  };
}

std::optional<OperatorToServer> read_body(WireReader& in, const wire::OperatorToServer& root) {
  switch (root.body_type()) {
    case wire::OperatorToServerBody::Hello:
      return read(in, *root.body_as_Hello());
    case wire::OperatorToServerBody::ListRequest:
      return read(in, *root.body_as_ListRequest());
    case wire::OperatorToServerBody::WatchRequest:
      return read(in, *root.body_as_WatchRequest());
    case wire::OperatorToServerBody::OperatorKill:
      return read(in, *root.body_as_OperatorKill());
    case wire::OperatorToServerBody::ReadFile:
      return read(in, *root.body_as_ReadFile());
    case wire::OperatorToServerBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::OperatorToServerBody::UpdateQuota:
      return read(in, *root.body_as_UpdateQuota());
    case wire::OperatorToServerBody::UpdateWeights:
      return read(in, *root.body_as_UpdateWeights());
    case wire::OperatorToServerBody::OperateResources:
      return read(in, *root.body_as_OperateResources());
    case wire::OperatorToServerBody::UpdateMaintenanceSchedule:
      return read(in, *root.body_as_UpdateMaintenanceSchedule());
    case wire::OperatorToServerBody::OperateMachines:
      return read(in, *root.body_as_OperateMachines());
    case wire::OperatorToServerBody::OperateAgent:
      return read(in, *root.body_as_OperateAgent());
    case wire::OperatorToServerBody::TeardownFramework:
      return read(in, *root.body_as_TeardownFramework());
    case wire::OperatorToServerBody::Explain:
      return read(in, *root.body_as_Explain());
    case wire::OperatorToServerBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const OperatorToServer& message) {
  write_root<wire::OperatorToServerBodyTraits, wire::OperatorToServerBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<OperatorToServer>> decode_operator_to_server(std::span<const std::byte> payload) {
  return decode_root<wire::OperatorToServer, OperatorToServer>(payload, "operator to server",
                                                               read_body);
}

}  // namespace tepui
