#include "master/sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "master/agents.h"
#include "master/frameworks.h"

namespace tepui::master {

namespace {

void send_reply(State& s, SessionId to, Session::Peer peer, HelloReply reply) {
  reply.build = s.config.build;
  if (peer == Session::Peer::kAgent) {
    reply.capabilities = {std::string(kCompactReregistration)};
    s.effects.send(to, MasterToAgent(std::move(reply)));
  } else {
    s.effects.send(to, MasterToScheduler(std::move(reply)));
  }
}

void refuse_hello(State& s, SessionId from, Session::Peer peer, const std::string& why) {
  s.emit(event::PeerRejected{.session = from, .why = why});
  send_reply(s, from, peer, HelloReply{.protocol = 0, .epoch = s.epoch, .error = why});
  close_session(s, from, why);
}

}  // namespace

void on_hello(State& s, SessionId from, Session::Peer peer, const Hello& hello) {
  if (!s.leading) return refuse_hello(s, from, peer, "not the leader");
  if (hello.epoch > s.epoch) {
    const std::string why = fmt::format("a peer has seen epoch {}", hello.epoch);
    refuse_hello(s, from, peer, "not the leader");
    return resign(s, why);
  }
  const uint16_t protocol = std::min(hello.protocol_max, kProtocolMax);
  if (protocol < std::max(hello.protocol_min, kProtocolMin)) {
    return refuse_hello(
        s, from, peer,
        fmt::format("no common protocol: the peer speaks {} to {}, this master {} to {}",
                    hello.protocol_min, hello.protocol_max, kProtocolMin, kProtocolMax));
  }
  const auto [position, is_new] = s.sessions.try_emplace(from);
  Session& session = position->second;
  if (is_new) {
    session.id = from;
    session.peer = peer;
    session.principal = hello.principal;
  } else if (session.peer != peer || session.principal != hello.principal) {
    return reject(s, from, session.peer, "a second hello, different from the first");
  }
  send_reply(s, from, peer,
             HelloReply{.protocol = protocol, .epoch = s.epoch, .master_id = s.master_id});
}

Session* greeted(State& s, SessionId from, Session::Peer peer) {
  Session* session = find_session(s, from);
  if (session == nullptr) {
    reject(s, from, peer, s.leading ? "the first message is not a hello" : "not the leader");
    return nullptr;
  }
  if (session->peer != peer) {
    reject(s, from, session->peer, "a message of another conversation");
    return nullptr;
  }
  return session;
}

void reject(State& s, SessionId id, Session::Peer peer, std::string_view why) {
  s.emit(event::PeerRejected{.session = id, .why = why});
  ErrorMessage message{.message = std::string(why)};
  if (peer == Session::Peer::kAgent) {
    s.effects.send(id, MasterToAgent(std::move(message)));
  } else {
    s.effects.send(id, MasterToScheduler(std::move(message)));
  }
  close_session(s, id, why);
}

void dismiss(State& s, SessionId id, std::string_view message) {
  const Session* session = find_session(s, id);
  if (session == nullptr) return;
  ErrorMessage error{.message = std::string(message)};
  if (session->peer == Session::Peer::kAgent) {
    s.effects.send(id, MasterToAgent(std::move(error)));
  } else {
    s.effects.send(id, MasterToScheduler(std::move(error)));
  }
  close_session(s, id, message);
}

void close_session(State& s, SessionId id, std::string_view why) {
  s.effects.close(id, why);
  lose_session(s, id, why);
}

void lose_session(State& s, SessionId id, std::string_view why) {
  const auto found = s.sessions.find(id);
  if (found == s.sessions.end()) return;
  AgentEntry* agent = found->second.agent;
  FrameworkEntry* framework = found->second.framework;
  s.sessions.erase(found);
  if (agent != nullptr && agent->session == id) disconnect_agent(s, *agent);
  if (framework != nullptr && framework->session == id) disconnect_framework(s, *framework, why);
}

void resign(State& s, std::string_view why) {
  s.leading = false;
  s.effects.resign(why);
}

}  // namespace tepui::master
