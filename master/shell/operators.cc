#include "master/shell/operators.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/limits.h"

namespace tepui {

namespace {
// Requests that may wait in one session; a client that asks for more without reading is wrong.
constexpr size_t kWaitingMax = 64;
constexpr size_t kWatchesPerSessionMax = 16;
}  // namespace

void Operators::on_message(SessionId id, const OperatorToServer& message) {
  Session& session = sessions_[id];
  if (const auto* hello = std::get_if<Hello>(&message)) return on(id, session, *hello);
  if (!session.greeted) {
    effects_.close(id, "the first message of a conversation is Hello");
    sessions_.erase(id);
    return;
  }
  if (const auto* list = std::get_if<ListRequest>(&message)) return on(id, session, *list);
  if (const auto* watch = std::get_if<WatchRequest>(&message)) return on(id, session, *watch);
  if (const auto* kill = std::get_if<OperatorKill>(&message)) {
    return effects_.command(id, session.principal, *kill);
  }
  if (const auto* read = std::get_if<ReadFile>(&message)) {
    return refuse(id, read->request,
                  "the master has no sandboxes: ask the agent that runs the task");
  }
}

void Operators::on(SessionId id, Session& session, const Hello& hello) {
  HelloReply reply{.build = build_,
                   .capabilities = {},
                   .epoch = tables_.epoch(),
                   .master_id = tables_.master_id(),
                   .error = {}};
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
  if (tables_.complete() && request.table != Table::kMetrics) return answer(id, request);
  if (session.waiting.size() >= kWaitingMax) {
    return refuse(id, request.request, "too many requests wait for an answer");
  }
  session.waiting.push_back(request);
  if (request.table == Table::kMetrics) effects_.want_metrics();
}

void Operators::on(SessionId id, Session& session, const WatchRequest& request) {
  if (std::ranges::find(request.tables, Table::kMetrics) != request.tables.end()) {
    return refuse(id, request.request, "metrics are listed, not watched");
  }
  if (session.watches.size() >= kWatchesPerSessionMax || watchers() >= limits::kWatchersMax) {
    return refuse(id, request.request, "too many watches are open");
  }
  Watch& watch = session.watches.emplace_back(
      Watch{.request = request.request, .tables = request.tables, .lagging = false});
  if (tables_.complete()) {
    snapshot(id, watch);
  } else {
    watch.lagging = true;
  }
}

void Operators::answer(SessionId id, const ListRequest& request) {
  for (ListReply& part : tables_.list(request)) effects_.send(id, part);
}

void Operators::snapshot(SessionId id, Watch& watch) {
  watch.lagging = false;
  for (int t = 0; t < kTableCount; ++t) {
    const auto table = static_cast<Table>(t);
    const bool wanted = watch.tables.empty()
                            ? table != Table::kMetrics
                            : std::ranges::find(watch.tables, table) != watch.tables.end();
    if (!wanted) continue;
    for (ListReply& part : tables_.list({.request = watch.request, .table = table})) {
      if (effects_.send(id, part) == OperatorsEffects::Sent::kCongested) watch.lagging = true;
    }
  }
}

void Operators::on_ready(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || !tables_.complete()) return;
  for (Watch& watch : found->second.watches) {
    if (!watch.lagging) continue;
    effects_.send(id, WatchEvent{.request = watch.request,
                                 .state_version = tables_.state_version(),
                                 .resync = true});
    snapshot(id, watch);
  }
}

void Operators::on_changed(const Changed& changed, bool fresh_metrics) {
  if (!tables_.complete()) return;
  for (auto& [id, session] : sessions_) {
    for (Watch& watch : session.watches) {
      if (watch.lagging && !changed.resync) continue;
      WatchEvent event = tables_.describe(changed, watch.tables);
      event.request = watch.request;
      if (event.resync) {
        event.changed = {};
        event.removed = {};
        effects_.send(id, event);
        snapshot(id, watch);
        continue;
      }
      const Rows& rows = event.changed;
      if (rows.agents.empty() && rows.frameworks.empty() && rows.tasks.empty() &&
          rows.roles.empty() && rows.offers.empty() && event.removed.empty()) {
        continue;
      }
      if (effects_.send(id, event) == OperatorsEffects::Sent::kCongested) watch.lagging = true;
    }
    std::vector<ListRequest> waiting = std::exchange(session.waiting, {});
    for (ListRequest& request : waiting) {
      if (request.table == Table::kMetrics && !fresh_metrics) {
        session.waiting.push_back(std::move(request));
        // Those that were asked for may have come while the state was not whole.
        effects_.want_metrics();
      } else {
        answer(id, request);
      }
    }
  }
}

void Operators::on_answer(SessionId id, const RequestDone& done) {
  if (sessions_.contains(id)) effects_.send(id, done);
}

void Operators::on_lost(SessionId id) { sessions_.erase(id); }

void Operators::refuse(SessionId id, uint32_t request, std::string why) {
  effects_.send(id, RequestDone{.request = request, .error = std::move(why)});
}

size_t Operators::watchers() const {
  size_t count = 0;
  for (const auto& [id, session] : sessions_) count += session.watches.size();
  return count;
}

}  // namespace tepui
