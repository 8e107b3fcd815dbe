#include "master/shell/links.h"

#include <fmt/format.h>

namespace tepui {

void Links::send(SessionId to, const MasterToScheduler& message) {
  if (const SessionTable::Peer* peer = sessions_.find(to)) {
    send(*peer, encoder_.encode(peer->number, message));
  }
}

void Links::send(SessionId to, const MasterToAgent& message) {
  if (const SessionTable::Peer* peer = sessions_.find(to)) {
    send(*peer, encoder_.encode(peer->number, message));
  }
}

void Links::send(const SessionTable::Peer& peer, std::span<const std::byte> payload) {
  const SendResult result = transport_->send(peer.link, peer.conversation, payload);
  // kClosed: on_link_down follows and reports the loss.
  if (result == SendResult::kCongested && congested_.insert(peer.link).second) {
    newly_congested_.push_back(peer.link);
  }
}

void Links::close(SessionId session, std::string_view why) {
  const SessionTable::Peer* found = sessions_.find(session);
  if (found == nullptr) return;
  const SessionTable::Peer peer = *found;
  const Goodbye goodbye{.why = std::string(why)};
  if (peer.conversation == Conversation::kAgent) {
    send(session, MasterToAgent{goodbye});
  } else {
    send(session, MasterToScheduler{goodbye});
  }
  sessions_.close(session);
  if (sessions_.sessions_of(peer.link).empty()) transport_->close(peer.link, why);
}

void Links::report() {
  for (const LinkId link : std::exchange(newly_congested_, {})) {
    if (!congested_.contains(link)) continue;  // ready again, and the owner was told so
    for (const SessionId session : sessions_.sessions_of(link)) owner_.on_congested(session);
  }
}

void Links::on_link_up(LinkId link, std::string_view peer) {
  peers_[link] = {.address = std::string(peer)};
  sessions_.on_link_up(link);
}

void Links::on_link_ready(LinkId link) {
  if (congested_.erase(link) == 0) return;
  for (const SessionId session : sessions_.sessions_of(link)) owner_.on_ready(session);
}

void Links::on_link_down(LinkId link, std::string_view why) {
  congested_.erase(link);
  peers_.erase(link);
  for (const SessionId session : sessions_.close_link(link)) owner_.on_lost(session, why);
}

void Links::on_frame(LinkId link, Conversation conversation, std::span<const std::byte> payload) {
  const auto known = peers_.find(link);
  if (known == peers_.end()) return;  // refused or given away in this turn
  switch (conversation) {
    case Conversation::kScheduler:
      known->second.used = true;
      return deliver(link, conversation, decode_scheduler_to_master(payload));
    case Conversation::kAgent:
      known->second.used = true;
      return deliver(link, conversation, decode_agent_to_master(payload));
    case Conversation::kOperator:
      // Also if those conversations have ended: something was sent, and the reader cannot go on.
      if (known->second.used) {
        return refuse(link, "an operator's conversation needs a link of its own");
      }
      peers_.erase(known);
      return owner_.on_operator_link(link);
    case Conversation::kExecutor:
      return refuse(link, "executors talk to their agent, not to the master");
    case Conversation::kControl:
      return;
  }
}

template <class Message>
void Links::deliver(LinkId link, Conversation conversation, Result<Inbound<Message>> inbound) {
  if (!inbound) return refuse(link, inbound.error().message);
  const Result<SessionId> session = sessions_.find_or_open(link, inbound->session, conversation);
  if (!session) return refuse(link, session.error().message);
  if (const auto* goodbye = std::get_if<Goodbye>(&inbound->message)) {
    sessions_.close(*session);
    owner_.on_lost(*session, goodbye->why);
    return;
  }
  owner_.on_message(*session, std::move(inbound->message));
}

void Links::refuse(LinkId link, std::string_view why) {
  owner_.on_refused(peers_.at(link).address, why);
  peers_.erase(link);
  for (const SessionId session : sessions_.close_link(link)) owner_.on_lost(session, why);
  transport_->close(link, why);
}

}  // namespace tepui
