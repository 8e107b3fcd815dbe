#pragma once
// SessionTable is a server's book of sessions: which conversation with which peer runs over which
// link. A client numbers the sessions of its link; the table gives each a SessionId that is never
// used again while the process lives, and that is higher the later its link came up.
//
// One thread.

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/ids.h"
#include "common/result.h"
#include "common/transport.h"

namespace tepui {

class SessionTable {
 public:
  struct Peer {
    LinkId link;
    uint32_t number = 0;  // as the client counts
    Conversation conversation = Conversation::kControl;
  };

  // Links are ordered as this is called, or else by their first session.
  void on_link_up(LinkId link);
  // The session of this number, opened if it is new. Refuses a number that runs another
  // conversation, and more sessions than limits::kSessionsPerLinkMax on one link.
  Result<SessionId> find_or_open(LinkId link, uint32_t number, Conversation conversation);
  const Peer* find(SessionId session) const;
  // Forgets one session; true if it was known.
  bool close(SessionId session);
  // Forgets a link; its sessions, in the order of their numbers.
  std::vector<SessionId> close_link(LinkId link);
  std::vector<SessionId> sessions_of(LinkId link) const;
  size_t size() const { return peers_.size(); }

 private:
  struct Link {
    uint64_t order = 0;
    uint64_t opened = 0;  // sessions, ever
    std::map<uint32_t, SessionId> sessions;
  };
  Link& link_of(LinkId link);

  uint64_t last_order_ = 0;
  std::unordered_map<SessionId, Peer> peers_;
  std::map<LinkId, Link> links_;
};

}  // namespace tepui
