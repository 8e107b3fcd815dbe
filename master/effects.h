#pragma once
// What the master core may do to the world. Each verb starts something and returns at once; the
// outcome, if there is one, comes back later as a call to one of Master's on_ methods.
//
// Three implementations: the recording fake of the unit tests, the simulation, master/shell.
//
// Pure.

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/events.h"
#include "common/ids.h"
#include "common/messages.h"
#include "common/store.h"
#include "common/time.h"

namespace tepui {

class MasterEffects : public EventSink {
 public:
  virtual void send(SessionId to, const MasterToScheduler& message) = 0;  // may be lost
  virtual void send(SessionId to, const MasterToAgent& message) = 0;      // may be lost
  virtual void send(SessionId to, const RequestDone& message) = 0;        // to an operator
  virtual void send(SessionId to, const Explanation& message) = 0;        // to an operator
  // Ends the session after what was sent; no on_peer_lost follows.
  virtual void close(SessionId session, std::string_view why) = 0;
  // -> on_persisted(token) / on_persist_failed(token)
  virtual void persist(uint64_t token, std::vector<StoreWrite> batch) = 0;
  // -> on_time, at or after `when`; replaces an earlier wish.
  virtual void wake_at(Instant when) = 0;
  // This master must not lead any longer.
  virtual void resign(std::string_view why) = 0;
};

}  // namespace tepui
