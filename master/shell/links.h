#pragma once
// Links translates between frames on links and messages of sessions for the master's loop. It
// verifies and decodes what comes in, encodes what goes out, and refuses by name what is neither;
// it decides nothing about agents or frameworks.
//
// Congestion and losses are reported at the end of the turn (report()), never inside send().
//
// One thread, the loop's.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/io/session_table.h"
#include "common/messages.h"
#include "common/transport.h"
#include "common/wire.h"

namespace tepui {

class LinksOwner {
 public:
  virtual ~LinksOwner() = default;
  virtual void on_message(SessionId session, const SchedulerToMaster& message) = 0;
  virtual void on_message(SessionId session, AgentToMaster message) = 0;
  virtual void on_lost(SessionId session, std::string_view why) = 0;
  virtual void on_congested(SessionId session) = 0;
  virtual void on_ready(SessionId session) = 0;
  // The first frame of this link is an operator's: it belongs to the reader from here on.
  virtual void on_operator_link(LinkId link) = 0;
  virtual void on_refused(std::string_view peer, std::string_view why) = 0;
};

class Links final : public LinkHandler {
 public:
  explicit Links(LinksOwner& owner) : owner_(owner) {}
  void use(Transport& transport) { transport_ = &transport; }

  void send(SessionId to, const MasterToScheduler& message);
  void send(SessionId to, const MasterToAgent& message);
  // Says goodbye in the session; the link ends with its last session.
  void close(SessionId session, std::string_view why);
  // Tells the owner what send() found out.
  void report();
  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId link) override;
  void on_link_down(LinkId link, std::string_view why) override;

 private:
  void send(const SessionTable::Peer& peer, std::span<const std::byte> payload);
  void refuse(LinkId link, std::string_view why);
  template <class Message>
  void deliver(LinkId link, Conversation conversation, Result<Inbound<Message>> inbound);

  LinksOwner& owner_;
  Transport* transport_ = nullptr;
  Encoder encoder_;
  SessionTable sessions_;
  struct Peer {
    std::string address;
    bool used = false;  // a conversation began on it
  };
  std::map<LinkId, Peer> peers_;  // links that are up
  std::set<LinkId> congested_;
  std::vector<LinkId> newly_congested_;
};

}  // namespace tepui
