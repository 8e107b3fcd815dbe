#pragma once
// SessionTable is a server's book of sessions: which conversation with which peer runs over which
// link. A client numbers the sessions of its link; the table gives each a SessionId that is never
// used again while the process lives.
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
  uint64_t next_ = 1;
  std::unordered_map<SessionId, Peer> peers_;
  std::map<LinkId, std::map<uint32_t, SessionId>> links_;
};

}  // namespace tepui
