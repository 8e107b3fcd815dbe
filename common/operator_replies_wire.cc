#include "schemas/operator_generated.h"

#include <algorithm>
#include <utility>

#include "common/conversation_wire.h"

// Server to operator; the requests of the same conversation are in operator_wire.cc.
namespace tepui {

namespace {

// ------------------------------------------------------------------------------------------ rows

Offset<wire::AgentRow> write(WireWriter& out, const AgentRow& row) {
  const auto info = write(out, row.info);
  const auto allocated = write(out, row.allocated);
  const auto offered = write(out, row.offered);
  const auto unavailability = write(out, row.unavailability);
  wire::AgentRowBuilder table(out.builder());
  table.add_info(info);
  table.add_state(out.field(row.state));
  table.add_allocated(allocated);
  table.add_offered(offered);
  table.add_registered_at_ns(to_ns(row.registered_at));
  table.add_tasks(row.tasks);
  table.add_deactivated(row.deactivated);
  table.add_draining(out.field(row.draining));
  table.add_unavailability(unavailability);
  return table.Finish();
}

AgentRow read(WireReader& in, const wire::AgentRow& row, const WirePath& at) {
  return AgentRow{
      .info = read(in, row.info(), at / "info"),
      .state = in.line(row.state(), at / "state"),
      .allocated = read(in, row.allocated(), at / "allocated"),
      .offered = read(in, row.offered(), at / "offered"),
      .registered_at = WallTime(Duration(row.registered_at_ns())),
      .tasks = row.tasks(),
      .deactivated = row.deactivated(),
      .draining = in.line(row.draining(), at / "draining"),
      .unavailability = read(in, row.unavailability(), at / "unavailability"),
  };
}

Offset<wire::FrameworkRow> write(WireWriter& out, const FrameworkRow& row) {
  const auto info = write(out, row.info);
  const auto allocated = write(out, row.allocated);
  const auto offered = write(out, row.offered);
  wire::FrameworkRowBuilder table(out.builder());
  table.add_info(info);
  table.add_state(out.field(row.state));
  table.add_allocated(allocated);
  table.add_offered(offered);
  table.add_subscribed_at_ns(to_ns(row.subscribed_at));
  table.add_tasks(row.tasks);
  return table.Finish();
}

FrameworkRow read(WireReader& in, const wire::FrameworkRow& row, const WirePath& at) {
  return FrameworkRow{
      .info = read(in, row.info(), at / "info"),
      .state = in.line(row.state(), at / "state"),
      .allocated = read(in, row.allocated(), at / "allocated"),
      .offered = read(in, row.offered(), at / "offered"),
      .subscribed_at = WallTime(Duration(row.subscribed_at_ns())),
      .tasks = row.tasks(),
  };
}

Offset<wire::TaskRow> write(WireWriter& out, const TaskRow& row) {
  return wire::CreateTaskRow(out.builder(), write(out, row.task));
}

TaskRow read(WireReader& in, const wire::TaskRow& row, const WirePath& at) {
  return TaskRow{.task = read(in, row.task(), at / "task")};
}

Offset<wire::RoleRow> write(WireWriter& out, const RoleRow& row) {
  const auto allocated = write(out, row.allocated);
  const auto offered = write(out, row.offered);
  const auto quota = write(out, row.quota);
  const auto consumed = write(out, row.consumed);
  wire::RoleRowBuilder table(out.builder());
  table.add_name(out.field(row.name));
  table.add_weight_milli(row.weight_milli);
  table.add_dominant_share_ppm(row.dominant_share_ppm);
  table.add_allocated(allocated);
  table.add_offered(offered);
  table.add_frameworks(row.frameworks);
  table.add_quota(quota);
  table.add_consumed(consumed);
  return table.Finish();
}

RoleRow read(WireReader& in, const wire::RoleRow& row, const WirePath& at) {
  return RoleRow{
      .name = in.line(row.name(), at / "name"),
      .weight_milli = row.weight_milli(),
      .dominant_share_ppm = row.dominant_share_ppm(),
      .allocated = read(in, row.allocated(), at / "allocated"),
      .offered = read(in, row.offered(), at / "offered"),
      .frameworks = row.frameworks(),
      .quota = read(in, row.quota(), at / "quota"),
      .consumed = read_quantities(in, row.consumed(), at / "consumed"),
  };
}

Offset<wire::OfferRow> write(WireWriter& out, const OfferRow& row) {
  const auto resources = write(out, row.resources);
  wire::OfferRowBuilder table(out.builder());
  table.add_id(row.id.value);
  table.add_framework_id(out.field(row.framework_id.value));
  table.add_agent_id(out.field(row.agent_id.value));
  table.add_role(out.field(row.role));
  table.add_resources(resources);
  table.add_made_at_ns(to_ns(row.made_at));
  return table.Finish();
}

OfferRow read(WireReader& in, const wire::OfferRow& row, const WirePath& at) {
  return OfferRow{
      .id = OfferId{row.id()},
      .framework_id = in.id<FrameworkId>(row.framework_id(), at / "framework_id"),
      .agent_id = in.id<AgentId>(row.agent_id(), at / "agent_id"),
      .role = in.line(row.role(), at / "role"),
      .resources = read(in, row.resources(), at / "resources"),
      .made_at = WallTime(Duration(row.made_at_ns())),
  };
}

MetricRow read(WireReader& in, const wire::MetricRow& row, const WirePath& at) {
  return MetricRow{.key = in.line(row.key(), at / "key"), .value = row.value()};
}

Offset<wire::InverseAnswer> write(WireWriter& out, const MaintenanceRow::Answer& answer) {
  wire::InverseAnswerBuilder table(out.builder());
  table.add_agent_id(out.field(answer.agent_id.value));
  table.add_framework_id(out.field(answer.framework_id.value));
  table.add_accepted(answer.accepted);
  table.add_at_ns(to_ns(answer.at));
  return table.Finish();
}

MaintenanceRow::Answer read(WireReader& in, const wire::InverseAnswer& answer, const WirePath& at) {
  return MaintenanceRow::Answer{
      .agent_id = in.id<AgentId>(answer.agent_id(), at / "agent_id"),
      .framework_id = in.id<FrameworkId>(answer.framework_id(), at / "framework_id"),
      .accepted = answer.accepted(),
      .at = WallTime(Duration(answer.at_ns())),
  };
}

Offset<wire::MaintenanceRow> write(WireWriter& out, const MaintenanceRow& row) {
  const auto unavailability = write(out, row.unavailability);
  const auto answers = out.tables<wire::InverseAnswer>(
      row.answers, [&out](const MaintenanceRow::Answer& answer) { return write(out, answer); });
  wire::MaintenanceRowBuilder table(out.builder());
  table.add_hostname(out.field(row.hostname));
  table.add_mode(out.field(row.mode));
  table.add_unavailability(unavailability);
  table.add_drain(row.drain);
  table.add_answers(answers);
  return table.Finish();
}

MaintenanceRow read(WireReader& in, const wire::MaintenanceRow& row, const WirePath& at) {
  return MaintenanceRow{
      .hostname = in.line(row.hostname(), at / "hostname"),
      .mode = in.line(row.mode(), at / "mode"),
      .unavailability = read_unavailability(in, row.unavailability(), at / "unavailability"),
      .drain = row.drain(),
      .answers = in.tables(row.answers(), at / "answers",
                           [&in](const wire::InverseAnswer& answer, const WirePath& path) {
                             return read(in, answer, path);
                           }),
  };
}

template <class Wire, class Row>
TableVector<Wire> write_rows(WireWriter& out, const std::vector<Row>& rows) {
  return out.tables<Wire>(rows, [&out](const Row& row) { return write(out, row); });
}

template <class Wire>
auto read_rows(WireReader& in, const flatbuffers::Vector<Offset<Wire>>* rows, const WirePath& at) {
  return in.tables(rows, at,
                   [&in](const Wire& row, const WirePath& path) { return read(in, row, path); });
}

Offset<wire::Rows> write(WireWriter& out, const Rows& rows) {
  const auto agents = write_rows<wire::AgentRow>(out, rows.agents);
  const auto frameworks = write_rows<wire::FrameworkRow>(out, rows.frameworks);
  const auto tasks = write_rows<wire::TaskRow>(out, rows.tasks);
  const auto roles = write_rows<wire::RoleRow>(out, rows.roles);
  const auto offers = write_rows<wire::OfferRow>(out, rows.offers);
  const auto metrics = out.structs<wire::MetricRow>(rows.metrics, [&out](const MetricRow& row) {
    return wire::MetricRow(row.value, out.text(row.key));
  });
  const auto maintenance = write_rows<wire::MaintenanceRow>(out, rows.maintenance);
  return wire::CreateRows(out.builder(), agents, frameworks, tasks, roles, offers, metrics,
                          maintenance);
}

Rows read(WireReader& in, const wire::Rows* rows, const WirePath& at) {
  if (rows == nullptr) return {};
  return Rows{
      .agents = read_rows(in, rows->agents(), at / "agents"),
      .frameworks = read_rows(in, rows->frameworks(), at / "frameworks"),
      .tasks = read_rows(in, rows->tasks(), at / "tasks"),
      .roles = read_rows(in, rows->roles(), at / "roles"),
      .offers = read_rows(in, rows->offers(), at / "offers"),
      .metrics = in.structs(
          rows->metrics(), at / "metrics",
          [&in](const wire::MetricRow& row, const WirePath& path) { return read(in, row, path); }),
      .maintenance = read_rows(in, rows->maintenance(), at / "maintenance"),
  };
}

// -------------------------------------------------------------------------------------- messages

Offset<wire::ListReply> write(WireWriter& out, const ListReply& message) {
  const auto rows = write(out, message.rows);
  wire::ListReplyBuilder table(out.builder());
  table.add_request(message.request);
  table.add_state_version(message.state_version);
  table.add_more(message.more);
  table.add_rows(rows);
  return table.Finish();
}

ListReply read(WireReader& in, const wire::ListReply& message) {
  const WirePath at{.field = "list_reply"};
  return ListReply{
      .request = message.request(),
      .state_version = message.state_version(),
      .more = message.more(),
      .rows = read(in, message.rows(), at / "rows"),
  };
}

Offset<wire::WatchEvent> write(WireWriter& out, const WatchEvent& message) {
  const auto changed = write(out, message.changed);
  const auto removed =
      out.structs<wire::RemovedItem>(message.removed, [&out](const WatchEvent::Removed& item) {
        return wire::RemovedItem(out.text(item.key), out.text(item.within),
                                 static_cast<wire::TableName>(item.table), 0, 0);
      });
  wire::WatchEventBuilder table(out.builder());
  table.add_request(message.request);
  table.add_state_version(message.state_version);
  table.add_resync(message.resync);
  table.add_changed(changed);
  table.add_removed(removed);
  return table.Finish();
}

WatchEvent read(WireReader& in, const wire::WatchEvent& message) {
  const WirePath at{.field = "watch_event"};
  const auto removed = [&in](const wire::RemovedItem& item, const WirePath& path) {
    return WatchEvent::Removed{
        .table = in.enumeration<Table>(item.table(), kTableCount, path / "table"),
        .key = in.line(item.key(), path / "key"),
        .within = in.line(item.within(), path / "within")};
  };
  return WatchEvent{
      .request = message.request(),
      .state_version = message.state_version(),
      .resync = message.resync(),
      .changed = read(in, message.changed(), at / "changed"),
      .removed = in.structs(message.removed(), at / "removed", removed),
  };
}

Offset<wire::FileData> write(WireWriter& out, const FileData& message) {
  wire::FileDataBuilder table(out.builder());
  table.add_request(message.request);
  table.add_offset(message.offset);
  table.add_size(message.size);
  table.add_task_ended(message.task_ended);
  table.add_data(out.field(message.data));
  return table.Finish();
}

FileData read(WireReader& in, const wire::FileData& message) {
  const WirePath at{.field = "file_data"};
  return FileData{
      .request = message.request(),
      .offset = message.offset(),
      .size = message.size(),
      .task_ended = message.task_ended(),
      .data = in.text(message.data(), at / "data", limits::kReadFileMax),
  };
}

Offset<wire::RequestDone> write(WireWriter& out, const RequestDone& message) {
  wire::RequestDoneBuilder table(out.builder());
  table.add_request(message.request);
  table.add_error(out.field(message.error));
  return table.Finish();
}

RequestDone read(WireReader& in, const wire::RequestDone& message) {
  const WirePath at{.field = "request_done"};
  return RequestDone{.request = message.request(),
                     .error = in.text(message.error(), at / "error", limits::kTextBytesMax)};
}

Offset<wire::Explanation> write(WireWriter& out, const Explanation& message) {
  const auto roles =
      out.tables<wire::ExplainedRole>(message.roles, [&out](const Explanation::Role& role) {
        const auto causes =
            out.structs<wire::ExplainedCause>(role.causes, [&out](const Explanation::Cause& cause) {
              return wire::ExplainedCause(out.text(cause.name), cause.agents);
            });
        std::vector<std::string> advices;
        for (const Explanation::Cause& cause : role.causes) advices.push_back(cause.advice);
        const auto advice_texts = out.texts(advices);
        wire::ExplainedRoleBuilder table(out.builder());
        table.add_role(out.field(role.role));
        table.add_active(role.active);
        table.add_suppressed(role.suppressed);
        table.add_advice(out.field(role.advice));
        table.add_causes(causes);
        table.add_advices(advice_texts);
        table.add_paused(role.paused);
        return table.Finish();
      });
  return wire::CreateExplanation(out.builder(), message.request, roles);
}

Explanation read(WireReader& in, const wire::Explanation& message) {
  const WirePath at{.field = "explanation"};
  const auto cause = [&in](const wire::ExplainedCause& source, const WirePath& path) {
    return Explanation::Cause{.name = in.line(source.name(), path / "name"),
                              .agents = source.agents()};
  };
  const auto role = [&](const wire::ExplainedRole& source, const WirePath& path) {
    Explanation::Role result{.role = in.line(source.role(), path / "role"),
                             .active = source.active(),
                             .suppressed = source.suppressed(),
                             .advice = in.line(source.advice(), path / "advice"),
                             .causes = in.structs(source.causes(), path / "causes", cause),
                             .paused = source.paused()};
    std::vector<std::string> advices = in.lines(source.advices(), path / "advices");
    // A master that is older gives none.
    for (size_t i = 0; i < std::min(advices.size(), result.causes.size()); ++i) {
      result.causes[i].advice = std::move(advices[i]);
    }
    return result;
  };
  return Explanation{.request = message.request(),
                     .roles = in.tables(message.roles(), at / "roles", role)};
}

std::optional<ServerToOperator> read_body(WireReader& in, const wire::ServerToOperator& root) {
  switch (root.body_type()) {
    case wire::ServerToOperatorBody::HelloReply:
      return read(in, *root.body_as_HelloReply());
    case wire::ServerToOperatorBody::ListReply:
      return read(in, *root.body_as_ListReply());
    case wire::ServerToOperatorBody::WatchEvent:
      return read(in, *root.body_as_WatchEvent());
    case wire::ServerToOperatorBody::FileData:
      return read(in, *root.body_as_FileData());
    case wire::ServerToOperatorBody::RequestDone:
      return read(in, *root.body_as_RequestDone());
    case wire::ServerToOperatorBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::ServerToOperatorBody::Explanation:
      return read(in, *root.body_as_Explanation());
    case wire::ServerToOperatorBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const ServerToOperator& message) {
  write_root<wire::ServerToOperatorBodyTraits, wire::ServerToOperatorBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<ServerToOperator>> decode_server_to_operator(std::span<const std::byte> payload) {
  return decode_root<wire::ServerToOperator, ServerToOperator>(payload, "server to operator",
                                                               read_body);
}

}  // namespace tepui
