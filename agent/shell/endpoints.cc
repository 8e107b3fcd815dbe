#include "agent/shell/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "common/limits.h"

namespace tepui {

namespace {

// Cuts rows of one table into the parts of an answer.
template <class Row>
void cut(std::vector<Row> Rows::* table, Rows& rows, std::vector<Rows>& parts) {
  std::vector<Row>& all = rows.*table;
  for (size_t begin = 0; begin < all.size(); begin += limits::kListPartRows) {
    const size_t end = std::min(all.size(), begin + limits::kListPartRows);
    std::vector<Row>& part = parts.emplace_back().*table;
    for (size_t i = begin; i < end; ++i) part.push_back(std::move(all[i]));
  }
}

}  // namespace

Endpoints::Endpoints(const Agent& agent, EndpointsOwner& owner, EventSink& events,
                     std::string build)
    : agent_(agent), owner_(owner), events_(events), build_(std::move(build)) {}

void Endpoints::on_link_up(LinkId link, std::string_view peer) { peers_[link] = peer; }

void Endpoints::on_frame(LinkId link, Conversation conversation,
                         std::span<const std::byte> payload) {
  if (!peers_.contains(link)) return;  // refused in this turn
  if (conversation != Conversation::kOperator) {
    return refuse(link, "the agent's address answers operators only");
  }
  Result<Inbound<OperatorToServer>> inbound = decode_operator_to_server(payload);
  if (!inbound) return refuse(link, inbound.error().message);
  const Result<SessionId> id = table_.find_or_open(link, inbound->session, conversation);
  if (!id) return refuse(link, id.error().message);
  const Session& session = sessions_[*id];
  if (!session.greeted && !std::holds_alternative<Hello>(inbound->message)) {
    return refuse(link, "the first message of a conversation is Hello");
  }
  std::visit([this, &id](const auto& message) { on(*id, message); }, inbound->message);
}

void Endpoints::on_link_down(LinkId link) {
  peers_.erase(link);
  for (const SessionId id : table_.close_link(link)) sessions_.erase(id);
}

void Endpoints::on(SessionId id, const Hello& hello) {
  HelloReply reply{.build = build_, .capabilities = {}, .master_id = {}, .error = {}};
  if (hello.protocol_min > kProtocolMax || hello.protocol_max < kProtocolMin) {
    reply.error = fmt::format("this agent speaks protocol {} to {}, the client {} to {}",
                              kProtocolMin, kProtocolMax, hello.protocol_min, hello.protocol_max);
    send(id, reply);
    return end(id, reply.error);
  }
  reply.protocol = std::min(kProtocolMax, hello.protocol_max);
  sessions_[id].greeted = true;
  send(id, reply);
}

void Endpoints::on(SessionId id, const ListRequest& request) {
  Result<Rows> rows = rows_of(request);
  if (!rows) return done(id, request.request, rows.error().message);
  send_in_parts(id, request.request, std::move(*rows));
}

Result<Rows> Endpoints::rows_of(const ListRequest& request) const {
  Rows rows;
  const auto wanted = [&request](std::string_view key) {
    return request.key.empty() || request.key == key;
  };
  switch (request.table) {
    case Table::kAgents: {
      const AgentTotals totals = agent_.totals();
      AgentRow row{.info = agent_.info(),
                   .state = totals.registered ? "active" : "disconnected",
                   .allocated = {},
                   .offered = {},
                   .tasks = totals.tasks};
      for (const Task& task : agent_.tasks()) {
        if (!is_terminal(task.state)) row.allocated += task.kind->resources;
      }
      if (wanted(row.info.id.value)) rows.agents.push_back(std::move(row));
      return rows;
    }
    case Table::kTasks:
      for (Task& task : agent_.tasks()) {
        const bool within =
            request.framework_id.empty() || request.framework_id == task.framework_id;
        if (within && wanted(task.id.value)) rows.tasks.push_back({.task = std::move(task)});
      }
      return rows;
    case Table::kMetrics:
      for (MetricRow& row : owner_.metrics()) {
        if (wanted(row.key)) rows.metrics.push_back(std::move(row));
      }
      return rows;
    case Table::kFrameworks:
    case Table::kRoles:
    case Table::kOffers:
    case Table::kMaintenance:
      break;
  }
  return fail("an agent lists agents, tasks and metrics only: ask the master");
}

void Endpoints::send_in_parts(SessionId id, uint32_t request, Rows rows) {
  std::vector<Rows> parts;
  cut(&Rows::agents, rows, parts);
  cut(&Rows::tasks, rows, parts);
  cut(&Rows::metrics, rows, parts);
  if (parts.empty()) parts.emplace_back();
  for (size_t i = 0; i < parts.size(); ++i) {
    send(id,
         ListReply{.request = request, .more = i + 1 < parts.size(), .rows = std::move(parts[i])});
  }
}

void Endpoints::on(SessionId id, const WatchRequest& request) {
  done(id, request.request, "an agent cannot be watched: ask the master");
}

void Endpoints::on(SessionId id, const ReadFile& request) {
  if (const Result<void> valid = validate_sandbox_path(request.path); !valid) {
    return done(id, request.request, valid.error().message);
  }
  std::string sandbox = agent_.sandbox_of(request.framework_id, request.task_id);
  if (sandbox.empty()) {
    return done(id, request.request,
                fmt::format("task '{}' of framework '{}' has no sandbox here",
                            request.task_id.value, request.framework_id.value));
  }
  Session& session = sessions_[id];
  const uint64_t token = next_token_++;
  // Asked before the read: what is written after it must not be missed.
  const bool ended = agent_.task_ended(request.framework_id, request.task_id);
  if (session.reading >= limits::kSandboxReadsPerSession ||
      !owner_.start_read(token, SandboxRead{.sandbox = std::move(sandbox),
                                            .path = request.path,
                                            .offset = request.offset,
                                            .length = request.length})) {
    return done(id, request.request, "too many reads are under way, ask again later");
  }
  ++session.reading;
  reads_[token] = Read{.session = id, .request = request.request, .task_ended = ended};
}

void Endpoints::on_read(uint64_t token, Result<SandboxBytes> bytes) {
  const auto found = reads_.find(token);
  if (found == reads_.end()) return;
  const Read read = found->second;
  reads_.erase(found);
  const auto session = sessions_.find(read.session);
  if (session == sessions_.end()) return;  // it left meanwhile
  --session->second.reading;
  if (!bytes) return done(read.session, read.request, bytes.error().message);
  send(read.session, FileData{.request = read.request,
                              .offset = bytes->offset,
                              .size = bytes->size,
                              .task_ended = read.task_ended,
                              .data = std::move(bytes->data)});
}

void Endpoints::on(SessionId id, const Goodbye& goodbye) {
  const SessionTable::Peer* peer = table_.find(id);
  const LinkId link = peer->link;
  table_.close(id);
  sessions_.erase(id);
  if (table_.sessions_of(link).empty()) transport_->close(link, goodbye.why);
}

void Endpoints::send(SessionId to, const ServerToOperator& message) {
  const SessionTable::Peer* peer = table_.find(to);
  if (peer == nullptr) return;
  // A client that does not read what it asked for overflows its link's queue and loses the link.
  transport_->send(peer->link, Conversation::kOperator, encoder_.encode(peer->number, message));
}

void Endpoints::done(SessionId to, uint32_t request, std::string error) {
  send(to, RequestDone{.request = request, .error = std::move(error)});
}

void Endpoints::end(SessionId id, std::string_view why) {
  send(id, Goodbye{.why = std::string(why)});
  on(id, Goodbye{.why = std::string(why)});
}

void Endpoints::refuse(LinkId link, std::string_view why) {
  events_.on_event(event::PeerRejected{.session = {}, .why = why});
  on_link_down(link);
  transport_->close(link, why);
}

}  // namespace tepui
