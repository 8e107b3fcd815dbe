#include "tests/sim/ensemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr Duration kReconnectMax = 500ms;
}  // namespace

SimEnsemble::Client* SimEnsemble::find(ClientNumber number) {
  const auto at = clients_.find(number);
  return at == clients_.end() ? nullptr : &at->second;
}

Duration SimEnsemble::draw_delay() {
  if (world_.rng().chance(1, faults_.tail_one_in)) return world_.up_to(faults_.delay_tail);
  return faults_.delay + world_.up_to(faults_.delay);
}

template <class Action>
void SimEnsemble::for_node(uint32_t node, Action action) {
  std::vector<ClientNumber> found;
  for (const auto& [number, client] : clients_) {
    if (client.alive && client.node == node) found.push_back(number);
  }
  for (const ClientNumber number : found) action(number);
}

// ---------------------------------------------------------------------------------------- clients

SimEnsemble::ClientNumber SimEnsemble::add(uint32_t node, std::function<void()> after_turn) {
  const ClientNumber number = ++last_client_;
  Client& client = clients_[number];
  client.node = node;
  client.after_turn = std::move(after_turn);
  return number;
}

void SimEnsemble::open(ClientNumber number, ZkSessionClient& owner) {
  clients_.at(number).owner = &owner;
  connect_later(number);
}

void SimEnsemble::close(ClientNumber number) {
  Client& client = clients_.at(number);
  client.owner = nullptr;
  client.asked.clear();
  const uint64_t session = std::exchange(client.session, 0);
  const bool is_heard = client.connected && !client.cut && !is_cut(client.node);
  client.connected = false;
  ++client.connection;
  if (session == 0) return;
  if (!is_heard) return expire_later(session, world_.now().mono);
  world_.after(draw_delay(), [this, session] { expire(session); });
}

void SimEnsemble::forget(ClientNumber number) {
  Client& client = clients_.at(number);
  client.alive = false;
  client.owner = nullptr;
  client.after_turn = nullptr;
  client.asked.clear();
  const uint64_t session = client.session;
  if (session == 0 || !sessions_.contains(session)) {
    clients_.erase(number);
    return;
  }
  // The rest of what it asked arrives, or not.
  if (client.connected) lose_connection(number, false);
  client.connected = false;
}

void SimEnsemble::tell_session(Client& client, const ZkSession& session) {
  if (client.owner != nullptr) client.owner->on_session(world_.now().mono, session);
}

// --------------------------------------------------------------------------------------- requests

void SimEnsemble::submit(ClientNumber number, ZkWaiter& waiter, uint64_t token, ZkRequest request) {
  Client& client = clients_.at(number);
  const uint64_t ticket = ++client.last_ticket;
  client.asked.push_back({.ticket = ticket, .waiter = &waiter, .token = token, .reply = {}});
  if (!client.connected) {
    client.asked.back().reply = ZkReply{.result = ZkResult::kConnectionLost};
    world_.after(world_.up_to(5ms), [this, number] { drain(number); });
    return;
  }
  const Instant now = world_.now().mono;
  client.last_request = std::max(client.last_request, later(now, draw_delay()));
  world_.after(client.last_request - now,
               [this, number, connection = client.connection, ticket,
                request = std::move(request)] { arrive(number, connection, ticket, request); });
  const uint64_t loss = faults_.loss_one_in;
  if (loss != 0 && world_.rng().chance(1, loss)) {
    world_.reached("ensemble.connection_lost");
    lose_connection(number, true);
  }
}

void SimEnsemble::arrive(ClientNumber number, uint64_t connection, uint64_t ticket,
                         const ZkRequest& request) {
  Client* client = find(number);
  if (client == nullptr || client->connection != connection || down_) return;
  if (client->cut && !client->mute && ticket > client->last_arriving) return;
  const auto at = sessions_.find(client->session);
  if (at == sessions_.end()) return;  // it ended, and the client will hear of it
  if (client->cut) world_.reached("ensemble.happened_unheard");
  Session& session = at->second;
  session.heard = world_.now().mono;
  ZkReply reply = tree_.apply(client->session, request);
  fire();
  const auto asked = std::ranges::find(client->asked, ticket, &Asked::ticket);
  if (asked != client->asked.end()) leave_watch(session, *asked->waiter, request, reply);
  if (client->cut || asked == client->asked.end()) return;
  const Instant now = world_.now().mono;
  client->last_answer = std::max(client->last_answer, later(now, draw_delay()));
  world_.after(client->last_answer - now,
               [this, number, connection, ticket, reply = std::move(reply)]() mutable {
                 answer(number, connection, ticket, std::move(reply));
               });
}

void SimEnsemble::leave_watch(Session& session, ZkWaiter& waiter, const ZkRequest& request,
                              const ZkReply& reply) {
  const bool is_there = reply.result == ZkResult::kOk;
  if (const auto* get = std::get_if<ZkGet>(&request)) {
    if (get->watch && is_there) session.watches.insert({&waiter, get->path, false});
  } else if (const auto* exists = std::get_if<ZkExists>(&request)) {
    if (exists->watch) session.watches.insert({&waiter, exists->path, false});
  } else if (const auto* children = std::get_if<ZkChildren>(&request)) {
    if (children->watch && is_there) session.watches.insert({&waiter, children->path, true});
  }
}

// The watches of what has just changed, in the order of sessions.
void SimEnsemble::fire() {
  if (tree_.changed_nodes().empty() && tree_.changed_children().empty()) return;
  for (auto& [id, session] : sessions_) {
    const size_t before = session.fired.size();
    std::erase_if(session.watches, [&, &fired = session.fired](const Watch& watch) {
      const auto& changed = watch.of_children ? tree_.changed_children() : tree_.changed_nodes();
      if (!changed.contains(watch.path)) return false;
      fired.push_back(watch);
      return true;
    });
    Client* client = find(session.client);
    if (client == nullptr) continue;
    for (size_t i = before; i < session.fired.size(); ++i) tell_watch(session.client, *client);
  }
}

// Between the answers: what is newer than the change comes after it.
void SimEnsemble::tell_watch(ClientNumber number, Client& client) {
  if (!client.connected || client.cut) return;
  const Instant now = world_.now().mono;
  client.last_answer =
      std::max(client.last_answer, later(now, draw_delay() + world_.up_to(faults_.watch_late)));
  world_.after(client.last_answer - now, [this, number, connection = client.connection] {
    deliver_watch(number, connection);
  });
}

void SimEnsemble::deliver_watch(ClientNumber number, uint64_t connection) {
  Client* client = find(number);
  if (client == nullptr || client->connection != connection || client->cut) return;
  const auto at = sessions_.find(client->session);
  if (at == sessions_.end() || at->second.fired.empty() || client->owner == nullptr) return;
  const Watch watch = std::move(at->second.fired.front());
  at->second.fired.pop_front();
  world_.reached("ensemble.watch");
  watch.waiter->on_changed(world_.now().mono, watch.path);
  client->after_turn();
}

void SimEnsemble::answer(ClientNumber number, uint64_t connection, uint64_t ticket, ZkReply reply) {
  Client* client = find(number);
  if (client == nullptr || client->connection != connection || client->cut) return;
  const auto asked = std::ranges::find(client->asked, ticket, &Asked::ticket);
  if (asked == client->asked.end()) return;
  asked->reply = std::move(reply);
  drain(number);
}

// Answers come in the order of the requests.
void SimEnsemble::drain(ClientNumber number) {
  bool told = false;
  for (Client* client = find(number); client != nullptr; client = find(number)) {
    if (client->asked.empty() || !client->asked.front().reply) {
      if (told && client->after_turn) client->after_turn();
      return;
    }
    Asked first = std::move(client->asked.front());
    client->asked.pop_front();
    told = true;
    first.waiter->on_reply(world_.now().mono, first.token, *std::move(first.reply));
  }
}

// ------------------------------------------------------------------------------------ connections

void SimEnsemble::connect_later(ClientNumber number) {
  world_.after(world_.up_to(kReconnectMax), [this, number] { connect(number); });
}

void SimEnsemble::connect(ClientNumber number) {
  Client* client = find(number);
  if (client == nullptr || client->owner == nullptr || client->connected) return;
  if (is_cut(client->node)) return connect_later(number);
  if (client->session != 0 && !sessions_.contains(client->session)) {
    world_.reached("ensemble.expired");
    client->session = 0;
    tell_session(*client, {.state = ZkSession::State::kExpired, .why = "it was silent too long"});
    lose_asked(*client, ZkResult::kSessionExpired);
    drain(number);
    return connect_later(number);
  }
  if (client->session == 0) {
    client->session = ++last_session_;
    sessions_[client->session].client = number;
  }
  Session& session = sessions_.at(client->session);
  session.heard = world_.now().mono;
  ++session.expiry;
  ++client->connection;
  client->connected = true;
  client->cut = client->mute = false;
  for (size_t i = 0; i < session.fired.size(); ++i) tell_watch(number, *client);
  tell_session(
      *client,
      {.state = ZkSession::State::kConnected, .id = client->session, .timeout = faults_.timeout});
  client->after_turn();
}

void SimEnsemble::lose_connection(ClientNumber number, bool is_noticed_at_once) {
  Client& client = clients_.at(number);
  if (!client.connected || client.cut) return;
  client.cut = true;
  client.mute = !is_cut(client.node) && client.alive && world_.rng().chance(1, 3);
  const uint64_t waiting = client.asked.size();
  client.last_arriving = client.last_ticket - waiting + world_.rng().below(waiting + 1);
  const Instant now = world_.now().mono;
  const auto session = sessions_.find(client.session);
  if (session != sessions_.end()) {
    // It pings three times in a timeout, if there is nothing else to say.
    expire_later(client.session,
                 std::max(session->second.heard, now - world_.up_to(faults_.timeout / 3)));
  }
  if (!client.alive) return;
  const Duration wait =
      is_noticed_at_once ? world_.up_to(1ms) : world_.up_to(faults_.timeout / 3 * 2);
  world_.after(wait,
               [this, number, connection = client.connection] { notice_loss(number, connection); });
}

void SimEnsemble::notice_loss(ClientNumber number, uint64_t connection) {
  Client* client = find(number);
  if (client == nullptr || client->connection != connection || !client->connected) return;
  if (client->owner == nullptr) return;
  client->connected = false;
  client->mute = false;  // it hangs up
  tell_session(*client, {.state = ZkSession::State::kDisconnected, .why = "silence"});
  lose_asked(*client, ZkResult::kConnectionLost);
  // The answers may come when there is a connection again.
  world_.after(world_.rng().chance(1, 2) ? Duration{} : world_.up_to(kReconnectMax),
               [this, number] { drain(number); });
  connect_later(number);
  client->after_turn();
}

void SimEnsemble::lose_asked(Client& client, ZkResult result) {
  for (Asked& asked : client.asked) {
    if (!asked.reply) asked.reply = ZkReply{.result = result};
  }
}

// --------------------------------------------------------------------------------------- sessions

// The servers tell each other of sessions up to a quarter of the timeout late, and look for those
// that are over now and then.
void SimEnsemble::expire_later(uint64_t id, Instant heard) {
  const auto at = sessions_.find(id);
  if (at == sessions_.end()) return;
  const uint64_t wish = ++at->second.expiry;
  const Duration early = world_.up_to(faults_.timeout / 4);
  const Instant end = later(heard, faults_.timeout - early + world_.up_to(faults_.expiry_late));
  const Instant now = world_.now().mono;
  world_.after(std::max(end - now, Duration{}), [this, id, wish] {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.expiry != wish) return;
    if (down_) return;  // who comes back begins to count anew
    // It was heard of after all, if only one way.
    const Instant last = found->second.heard;
    if (world_.now().mono < later(last, faults_.timeout / 4 * 3)) return expire_later(id, last);
    expire(id);
  });
}

void SimEnsemble::expire(uint64_t id) {
  const auto at = sessions_.find(id);
  if (at == sessions_.end()) return;
  const ClientNumber number = at->second.client;
  tree_.end_session(id);
  sessions_.erase(at);
  fire();
  const Client* client = find(number);
  if (client != nullptr && !client->alive) clients_.erase(number);
}

// ------------------------------------------------------------------------------------------ chaos

void SimEnsemble::begin_outage(Duration time) {
  if (down_) return;
  world_.reached("ensemble.outage");
  down_ = true;
  std::vector<ClientNumber> all;
  for (const auto& [number, client] : clients_) all.push_back(number);
  for (const ClientNumber number : all) lose_connection(number, world_.rng().chance(1, 2));
  world_.after(time, [this, outage = ++outages_] {
    if (outage == outages_) heal();
  });
}

void SimEnsemble::heal() {
  cut_nodes_.clear();
  if (!std::exchange(down_, false)) return;
  ++outages_;
  for (const auto& [id, session] : sessions_) {
    const Client* client = find(session.client);
    if (client == nullptr || !client->connected || client->cut) {
      expire_later(id, world_.now().mono);
    }
  }
}

void SimEnsemble::cut(uint32_t node, Duration time) {
  world_.reached("ensemble.cut");
  const uint64_t number = ++cuts_;
  cut_nodes_[node] = number;
  for_node(node, [this](ClientNumber client) { lose_connection(client, false); });
  world_.after(time, [this, node, number] {
    const auto at = cut_nodes_.find(node);
    if (at != cut_nodes_.end() && at->second == number) cut_nodes_.erase(at);
  });
}

void SimEnsemble::break_connection(uint32_t node) {
  for_node(node, [this](ClientNumber client) { lose_connection(client, true); });
}

void SimEnsemble::end_session(uint32_t node) {
  world_.reached("ensemble.session_ended");
  forced_ = true;
  for_node(node, [this](ClientNumber number) {
    const uint64_t session = clients_.at(number).session;
    if (session == 0 || down_) return;
    lose_connection(number, world_.rng().chance(1, 2));
    expire(session);
  });
}

void SimEnsemble::remove(const std::string& path) {
  if (down_) return;
  forced_ = true;
  tree_.apply(0, ZkDelete{.path = path});
  fire();
}

}  // namespace tepui::sim
