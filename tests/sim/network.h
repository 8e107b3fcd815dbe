#pragma once
// Network joins the nodes with links as tcp gives them: messages arrive in order and at most once,
// or the link dies and what was under way is lost in whole or in part. Paths can be blocked one way
// or both; what is sent into a blocked path waits, until it opens or the silent end gives up.
// Executors speak to their agent over links inside its machine.
//
// Invariant: an end that was told that its link is down, or that closed it, hears nothing more of
// it. Calls to an end never come inside a call to the network.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/messages.h"
#include "common/wire.h"
#include "tests/sim/faults.h"
#include "tests/sim/released_wire.h"
#include "tests/sim/world.h"

namespace tepui::sim {

using NodeId = uint32_t;
using LinkNumber = uint64_t;

using Payload = std::variant<SchedulerToMaster, MasterToScheduler, AgentToMaster, MasterToAgent,
                             ExecutorToAgent, AgentToExecutor>;

class End {
 public:
  virtual ~End() = default;
  // At the end that connected. The other end learns of a link with its first message.
  virtual void on_link_up(LinkNumber link) = 0;
  virtual void on_payload(LinkNumber link, const Payload& payload) = 0;
  virtual void on_link_down(LinkNumber link, std::string_view why) = 0;
  virtual void on_link_congested(LinkNumber link) = 0;
  virtual void on_link_ready(LinkNumber link) = 0;
};

class Network {
 public:
  Network(World& world, const Faults& faults) : world_(world), faults_(faults) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // A node is there while it has an end; null: its process is dead.
  void set_end(NodeId node, End* end);
  // -> on_link_up or on_link_down
  LinkNumber connect(NodeId from, NodeId to);
  // Over a socket of the machine on which both run: quick, and never silent.
  LinkNumber connect_within(NodeId from, NodeId to);
  void send(LinkNumber link, NodeId from, Payload payload);
  void close(LinkNumber link, NodeId from, std::string_view why);

  // From now on that node speaks as the first release did, or no longer.
  void set_released(NodeId node, bool is_released);
  bool is_released(NodeId node) const { return released_.contains(node); }

  void block(NodeId from, NodeId to);
  void unblock(NodeId from, NodeId to);
  void unblock_all();

 private:
  struct Flight {
    Instant due;
    std::optional<Payload> payload;  // absent: the link is down, and that is the reason
    std::string why;
  };
  struct Link {
    NodeId ends[2] = {0, 0};  // [0] connected to [1]
    bool open[2] = {false, false};
    bool broken = false;
    bool congested = false;
    bool within = false;            // one machine
    std::deque<Flight> flights[2];  // by sending end
    Instant last_due[2]{};
  };

  End* end_of(NodeId node) const;
  LinkNumber begin_connect(NodeId from, NodeId to, bool within);
  bool blocked(NodeId from, NodeId to) const;
  Duration draw_delay(const Link& link);
  void launch_flight(LinkNumber number, Link& link, int from, Flight flight);
  void pump(LinkNumber number, int from);
  void finish_connect(LinkNumber number);
  void lose_at(LinkNumber number, int at, std::string_view why);
  void break_link(LinkNumber number, Link& link);
  void expire(NodeId from, NodeId to, uint64_t generation);
  void erase_if_over(LinkNumber number);
  // Nothing: the release does not know such a message.
  std::optional<Payload> through_codec(Payload payload, bool is_released);

  World& world_;
  const Faults& faults_;
  std::map<NodeId, End*> ends_;
  std::map<LinkNumber, Link> links_;
  std::map<std::pair<NodeId, NodeId>, uint64_t> blocked_;  // -> generation
  uint64_t blocks_ = 0;
  LinkNumber last_link_ = 0;
  Encoder encoder_;
  std::set<NodeId> released_;
  std::optional<ReleasedWire> released_wire_;
};

}  // namespace tepui::sim
