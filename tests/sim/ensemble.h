#pragma once
// SimEnsemble is a ZooKeeper ensemble on the virtual clock, and SimZooKeeper a client of it, which
// keeps what common/zookeeper.h promises and nothing more:
//
// - A session ends some time after the ensemble has last heard of it, early or late, and its client
//   learns of that when it is connected again. It may end by itself, too, while its client believes
//   that all is well. While there is no majority, no session ends.
// - A connection that is lost is noticed at once or after two thirds of the timeout. Of what was
//   under way some is carried out, perhaps much later, but never after the next connection; on some
//   connections only the answers are lost, and all that was asked happens.
// - A watch comes once, late, and with a next connection if need be.
//
// The tree is that of the unit tests' fake. Whoever is destroyed without close() is a process that
// died: its session ends when the ensemble finds out.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/zookeeper.h"
#include "tests/common/zk_tree.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimZooKeeper;

class SimEnsemble {
 public:
  SimEnsemble(World& world, const EnsembleFaults& faults) : world_(world), faults_(faults) {}
  SimEnsemble(const SimEnsemble&) = delete;
  SimEnsemble& operator=(const SimEnsemble&) = delete;

  // ---- chaos
  void begin_outage(Duration time);
  // Nothing passes between the ensemble and the clients of that node.
  void cut(uint32_t node, Duration time);
  void break_connection(uint32_t node);
  // The ensemble ends a session; its client hears of it late.
  void end_session(uint32_t node);
  // Somebody deletes a node.
  void remove(const std::string& path);
  void heal();

  // Whether a session was ended or a node removed that its owner believed in.
  bool was_forced() const { return forced_; }
  const test::ZkTree& tree() const { return tree_; }

 private:
  friend class SimZooKeeper;
  using ClientNumber = uint64_t;

  struct Watch {
    ZkWaiter* waiter;
    std::string path;
    bool of_children;
    auto operator<=>(const Watch&) const = default;
  };
  struct Asked {
    uint64_t ticket;
    ZkWaiter* waiter;
    uint64_t token;
    std::optional<ZkReply> reply;  // told once it is the first
  };
  struct Client {
    uint32_t node = 0;
    bool alive = true;
    ZkSessionClient* owner = nullptr;
    std::function<void()> after_turn;
    uint64_t session = 0;  // 0: none
    bool connected = false;
    bool cut = false;   // of this connection nothing arrives any more at either end, but:
    bool mute = false;  // what is asked arrives
    uint64_t connection = 0;
    uint64_t last_arriving = 0;  // of a cut one: tickets that are still carried out
    uint64_t last_ticket = 0;
    Instant last_request{};  // due at the ensemble
    Instant last_answer{};   // due at the client
    std::deque<Asked> asked;
  };
  struct Session {
    ClientNumber client = 0;
    Instant heard{};
    uint64_t expiry = 0;  // the newest wish to end it
    std::set<Watch> watches;
    std::deque<Watch> fired;  // not told yet
  };

  ClientNumber add(uint32_t node, std::function<void()> after_turn);
  void open(ClientNumber number, ZkSessionClient& owner);
  void submit(ClientNumber number, ZkWaiter& waiter, uint64_t token, ZkRequest request);
  void close(ClientNumber number);
  void forget(ClientNumber number);  // its process died

  Client* find(ClientNumber number);
  Duration draw_delay();
  bool is_cut(uint32_t node) const { return down_ || cut_nodes_.contains(node); }

  void arrive(ClientNumber number, uint64_t connection, uint64_t ticket, const ZkRequest& request);
  void leave_watch(Session& session, ZkWaiter& waiter, const ZkRequest& request,
                   const ZkReply& reply);
  void fire();
  void tell_watch(ClientNumber number, Client& client);
  void deliver_watch(ClientNumber number, uint64_t connection);
  void answer(ClientNumber number, uint64_t connection, uint64_t ticket, ZkReply reply);
  void drain(ClientNumber number);

  void connect_later(ClientNumber number);
  void connect(ClientNumber number);
  // From now on; the client notices after a while.
  void lose_connection(ClientNumber number, bool is_noticed_at_once);
  void notice_loss(ClientNumber number, uint64_t connection);
  void lose_asked(Client& client, ZkResult result);
  void tell_session(Client& client, const ZkSession& session);
  void expire_later(uint64_t session, Instant heard);
  void expire(uint64_t session);
  template <class Action>
  void for_node(uint32_t node, Action action);

  World& world_;
  const EnsembleFaults& faults_;
  test::ZkTree tree_;
  bool down_ = false;
  bool forced_ = false;
  uint64_t outages_ = 0;
  std::map<uint32_t, uint64_t> cut_nodes_;  // -> which cut
  uint64_t cuts_ = 0;
  uint64_t last_session_ = 0;
  ClientNumber last_client_ = 0;
  std::map<ClientNumber, Client> clients_;
  std::map<uint64_t, Session> sessions_;
};

class SimZooKeeper final : public ZooKeeper {
 public:
  // `after_turn` is called after each turn in which something was told.
  SimZooKeeper(SimEnsemble& ensemble, uint32_t node, std::function<void()> after_turn)
      : ensemble_(ensemble), number_(ensemble.add(node, std::move(after_turn))) {}
  ~SimZooKeeper() override { ensemble_.forget(number_); }
  SimZooKeeper(const SimZooKeeper&) = delete;
  SimZooKeeper& operator=(const SimZooKeeper&) = delete;

  void open(ZkSessionClient& client) override { ensemble_.open(number_, client); }
  void submit(ZkWaiter& waiter, uint64_t token, ZkRequest request) override {
    ensemble_.submit(number_, waiter, token, std::move(request));
  }
  void close() override { ensemble_.close(number_); }

 private:
  SimEnsemble& ensemble_;
  const uint64_t number_;
};

}  // namespace tepui::sim
