#pragma once
// Connector keeps one link to one address: it connects, and when the link goes down it connects
// again after a wait that doubles with every failure, drawn at random below its bound so that many
// peers of one server do not come back at once.
//
// The handler of the transport passes on_link_up and on_link_down on to it; both answer whether the
// link was this connector's.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/io/reactor.h"
#include "common/limits.h"
#include "common/rng.h"
#include "common/time.h"
#include "common/transport.h"

namespace tepui {

class ConnectorOwner {
 public:
  virtual ~ConnectorOwner() = default;
  virtual void on_connected(LinkId link) = 0;
  // Also after each attempt that failed.
  virtual void on_disconnected(LinkId link, std::string_view why) = 0;
};

class Connector {
 public:
  Connector(Reactor& reactor, Transport& transport, ConnectorOwner& owner, Rng rng)
      : reactor_(reactor), transport_(transport), owner_(owner), rng_(rng) {}
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Instead of limits::kConnectBackoffMax.
  void set_backoff_max(Duration bound) { backoff_max_ = bound; }
  // Connects, or turns to another address: the first attempt comes at once.
  void start(std::string address);
  // Closes what there is and stays away. No call follows.
  void stop(std::string_view why);
  // Gives up the present link, if there is one, and connects again after a wait.
  void reconnect(std::string_view why) { transport_.close(link_, why); }

  bool on_link_up(LinkId link);
  bool on_link_down(LinkId link, std::string_view why);

  bool connected() const { return up_; }
  LinkId link() const { return link_; }  // of the present attempt or connection; 0: none

 private:
  void attempt();
  Duration next_wait();

  Reactor& reactor_;
  Transport& transport_;
  ConnectorOwner& owner_;
  Rng rng_;
  Duration backoff_max_ = limits::kConnectBackoffMax;
  std::string address_;
  LinkId link_;
  bool up_ = false;
  Instant up_since_{};
  uint32_t failures_ = 0;
  Timer<&Connector::attempt> again_{*this};
};

}  // namespace tepui
