#include "common/io/session_table.h"

#include <fmt/format.h>

#include "common/limits.h"

namespace tepui {

namespace {
// Of a SessionId; the bits above are the order of its link.
constexpr int kSessionBits = 20;
}  // namespace

void SessionTable::on_link_up(LinkId link) { link_of(link); }

SessionTable::Link& SessionTable::link_of(LinkId link) {
  const auto [found, is_new] = links_.try_emplace(link);
  if (is_new) found->second.order = ++last_order_;
  return found->second;
}

Result<SessionId> SessionTable::find_or_open(LinkId link, uint32_t number,
                                             Conversation conversation) {
  Link& on = link_of(link);
  auto& sessions = on.sessions;
  if (const auto found = sessions.find(number); found != sessions.end()) {
    if (peers_.at(found->second).conversation != conversation) {
      return fail(fmt::format("session {} of this link already runs another conversation", number));
    }
    return found->second;
  }
  if (sessions.size() >= limits::kSessionsPerLinkMax) {
    return fail(fmt::format("a link carries at most {} sessions", limits::kSessionsPerLinkMax));
  }
  if (++on.opened >= uint64_t{1} << kSessionBits) {
    return fail("a link that has carried so many sessions must be opened anew");
  }
  const SessionId session{(on.order << kSessionBits) | on.opened};
  sessions.emplace(number, session);
  peers_.emplace(session, Peer{.link = link, .number = number, .conversation = conversation});
  return session;
}

const SessionTable::Peer* SessionTable::find(SessionId session) const {
  const auto found = peers_.find(session);
  return found == peers_.end() ? nullptr : &found->second;
}

bool SessionTable::close(SessionId session) {
  const auto found = peers_.find(session);
  if (found == peers_.end()) return false;
  if (const auto link = links_.find(found->second.link); link != links_.end()) {
    link->second.sessions.erase(found->second.number);
  }
  peers_.erase(found);
  return true;
}

std::vector<SessionId> SessionTable::close_link(LinkId link) {
  std::vector<SessionId> closed = sessions_of(link);
  for (const SessionId session : closed) peers_.erase(session);
  links_.erase(link);
  return closed;
}

std::vector<SessionId> SessionTable::sessions_of(LinkId link) const {
  std::vector<SessionId> sessions;
  if (const auto found = links_.find(link); found != links_.end()) {
    for (const auto& [number, session] : found->second.sessions) sessions.push_back(session);
  }
  return sessions;
}

}  // namespace tepui
