#include "master/shell/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <variant>

#include "common/limits.h"

namespace tepui {

namespace {
// Requests that may wait in one session; a client that asks for more without reading is wrong.
constexpr size_t kWaitingMax = 64;
constexpr size_t kWatchesPerSessionMax = 16;
// Changed rows kept for one watcher that does not read; beyond, a list is the shorter way.
constexpr size_t kUntoldMax = 65'536;

uint32_t number_of(const OperatorToServer& message) {
  return std::visit(
      [](const auto& one) -> uint32_t {
        if constexpr (requires { one.request; }) return one.request;
        return 0;
      },
      message);
}
}  // namespace

void Operators::on_message(SessionId id, const OperatorToServer& message) {
  Session& session = sessions_[id];
  if (const auto* hello = std::get_if<Hello>(&message)) return on(id, session, *hello);
  if (!session.greeted) {
    effects_.close(id, "the first message of a conversation is Hello");
    sessions_.erase(id);
    return;
  }
  if (!leads_) return refuse(id, number_of(message), elsewhere());
  if (const auto* list = std::get_if<ListRequest>(&message)) return on(id, session, *list);
  if (const auto* watch = std::get_if<WatchRequest>(&message)) return on(id, session, *watch);
  if (const auto* read = std::get_if<ReadFile>(&message)) {
    return refuse(id, read->request,
                  "the master has no sandboxes: ask the agent that runs the task");
  }
  std::visit(
      [&](const auto& one) {
        if constexpr (std::is_constructible_v<OperatorRequest, decltype(one)>) {
          effects_.command(id, session.principal, one);
        }
      },
      message);
}

void Operators::on(SessionId id, Session& session, const Hello& hello) {
  HelloReply reply{.build = build_,
                   .capabilities = {},
                   .epoch = tables_.epoch(),
                   .master_id = tables_.master_id(),
                   .error = {},
                   .leader = leads_ ? std::string() : leader_};
  if (hello.protocol_min > kProtocolMax || hello.protocol_max < kProtocolMin) {
    reply.error = fmt::format("this master speaks protocol {} to {}, the client {} to {}",
                              kProtocolMin, kProtocolMax, hello.protocol_min, hello.protocol_max);
    effects_.send(id, reply);
    effects_.close(id, reply.error);
    sessions_.erase(id);
    return;
  }
  reply.protocol = std::min(kProtocolMax, hello.protocol_max);
  session.greeted = true;
  session.principal = hello.principal;
  effects_.send(id, reply);
}

void Operators::on(SessionId id, Session& session, const ListRequest& request) {
  if (session.waiting.size() + session.transfers.size() >= kWaitingMax) {
    return refuse(id, request.request, "too many requests wait for an answer");
  }
  if (tables_.complete() && request.table != Table::kMetrics) {
    return answer(id, session, request);
  }
  session.waiting.push_back(request);
  if (request.table == Table::kMetrics) effects_.want_metrics();
}

void Operators::on(SessionId id, Session& session, const WatchRequest& request) {
  if (std::ranges::find(request.tables, Table::kMetrics) != request.tables.end()) {
    return refuse(id, request.request, "metrics are listed, not watched");
  }
  if (std::ranges::find(session.watches, request.request, &Watch::request) !=
      session.watches.end()) {
    return refuse(id, request.request, "a watch of this session has the same number");
  }
  if (session.watches.size() >= kWatchesPerSessionMax || watchers() >= limits::kWatchersMax) {
    return refuse(id, request.request, "too many watches are open");
  }
  Watch& watch = session.watches.emplace_back();
  watch.request = request.request;
  watch.tables = request.tables;
  watch.lagging = !tables_.complete();
  if (watch.lagging) return;
  begin_lists(session, watch);
  go_on(id, session);
}

void Operators::answer(SessionId id, Session& session, const ListRequest& request) {
  session.transfers.push_back({.request = request, .cursor = {}, .of_watch = false});
  go_on(id, session);
}

void Operators::send(SessionId id, Session& session, const ServerToOperator& message) {
  if (effects_.send(id, message) == OperatorsEffects::Sent::kCongested) session.congested = true;
}

void Operators::begin_lists(Session& session, Watch& watch) {
  watch.lagging = false;
  watch.untold = {};
  for (int t = 0; t < kTableCount; ++t) {
    const auto table = static_cast<Table>(t);
    const bool is_wanted = watch.tables.empty()
                               ? table != Table::kMetrics
                               : std::ranges::find(watch.tables, table) != watch.tables.end();
    if (!is_wanted) continue;
    ++watch.parts_due;
    session.transfers.push_back(
        {.request = {.request = watch.request, .table = table}, .cursor = {}, .of_watch = true});
  }
}

void Operators::begin_again(SessionId id, Session& session, Watch& watch) {
  std::erase_if(session.transfers, [&watch](const Transfer& transfer) {
    return transfer.of_watch && transfer.request.request == watch.request;
  });
  watch.parts_due = 0;
  send(id, session,
       WatchEvent{
           .request = watch.request, .state_version = tables_.state_version(), .resync = true});
  begin_lists(session, watch);
}

void Operators::on_changed(SessionId id, Session& session, Watch& watch, const Changed& changed) {
  if (changed.resync || watch.lagging) {
    watch.lagging = true;
    if (!session.congested) begin_again(id, session, watch);
    return;
  }
  watch.untold.add(changed);
  if (watch.untold.size() > kUntoldMax) {
    watch.lagging = true;
    watch.untold = {};
  }
}

void Operators::tell(SessionId id, Session& session, Watch& watch) {
  while (watch.parts_due == 0 && !session.congested && !watch.untold.empty()) {
    WatchEvent event = tables_.describe(watch.untold.split(limits::kListPartRows), watch.tables);
    event.request = watch.request;
    const Rows& rows = event.changed;
    if (rows.agents.empty() && rows.frameworks.empty() && rows.tasks.empty() &&
        rows.roles.empty() && rows.offers.empty() && rows.maintenance.empty() &&
        event.removed.empty()) {
      continue;
    }
    send(id, session, event);
  }
}

void Operators::go_on(SessionId id, Session& session) {
  while (!session.congested && !session.transfers.empty()) {
    Transfer& transfer = session.transfers.front();
    const ListReply part = tables_.list_part(transfer.request, transfer.cursor);
    send(id, session, part);
    if (part.more) continue;
    if (transfer.of_watch) {
      const auto watch =
          std::ranges::find(session.watches, transfer.request.request, &Watch::request);
      --watch->parts_due;
    }
    session.transfers.pop_front();
  }
  for (Watch& watch : session.watches) tell(id, session, watch);
}

void Operators::on_ready(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  session.congested = false;
  if (!tables_.complete()) return;
  for (Watch& watch : session.watches) {
    if (watch.lagging && !session.congested) begin_again(id, session, watch);
  }
  go_on(id, session);
}

void Operators::on_changed(const Changed& changed, bool fresh_metrics) {
  if (!tables_.complete()) return;
  for (auto& [id, session] : sessions_) {
    for (Watch& watch : session.watches) on_changed(id, session, watch, changed);
    std::vector<ListRequest> waiting = std::exchange(session.waiting, {});
    for (ListRequest& request : waiting) {
      if (request.table == Table::kMetrics && !fresh_metrics) {
        session.waiting.push_back(std::move(request));
        // Those that were asked for may have come while the state was not whole.
        effects_.want_metrics();
      } else {
        answer(id, session, request);
      }
    }
    go_on(id, session);
  }
}

void Operators::on_answer(SessionId id, const ServerToOperator& answer) {
  if (sessions_.contains(id)) effects_.send(id, answer);
}

void Operators::on_lost(SessionId id) { sessions_.erase(id); }

void Operators::on_leadership(bool leads, std::string leader) {
  const bool stops = leads_ && !leads;
  leads_ = leads;
  leader_ = std::move(leader);
  if (!stops) return;
  for (const auto& [id, session] : std::exchange(sessions_, {})) effects_.close(id, elsewhere());
}

std::string Operators::elsewhere() const {
  if (leader_.empty()) return "this master does not lead, and knows no leader yet";
  return fmt::format("this master does not lead: ask {}", leader_);
}

void Operators::refuse(SessionId id, uint32_t request, std::string why) {
  effects_.send(id, RequestDone{.request = request, .error = std::move(why)});
}

size_t Operators::watchers() const {
  size_t count = 0;
  for (const auto& [id, session] : sessions_) count += session.watches.size();
  return count;
}

}  // namespace tepui
