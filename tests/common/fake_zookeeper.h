#pragma once
// FakeEnsemble is an ensemble on a table: it answers when a test says so, loses connections at any
// request, and ends sessions. FakeZooKeeper is a client of it.

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/zookeeper.h"
#include "tests/common/zk_tree.h"

namespace tepui::test {

class FakeZooKeeper;

struct FakeEnsemble {
  ZkTree tree;
  Instant now{};
  uint64_t last_session = 0;
  std::vector<FakeZooKeeper*> clients;

  // Answers everything that was asked, and what is asked because of it.
  void run();
  void fire();  // the watches of what just changed
};

class FakeZooKeeper final : public ZooKeeper {
 public:
  struct Asked {
    ZkWaiter* waiter;
    uint64_t token;
    ZkRequest request;
  };

  explicit FakeZooKeeper(FakeEnsemble& ensemble) : ensemble_(ensemble) {
    ensemble.clients.push_back(this);
  }
  ~FakeZooKeeper() override { std::erase(ensemble_.clients, this); }

  void open(ZkSessionClient& client) override { client_ = &client; }
  void submit(ZkWaiter& waiter, uint64_t token, ZkRequest request) override {
    asked.push_back({&waiter, token, std::move(request)});
  }
  void close() override {
    end();
    client_ = nullptr;
    asked.clear();
  }

  void connect() {
    if (session == 0) session = ++ensemble_.last_session;
    connected = true;
    tell({.state = ZkSession::State::kConnected, .id = session, .timeout = timeout});
  }
  // Carries out the first `done` requests, and loses every answer and the rest.
  void disconnect(size_t done = 0) {
    for (size_t i = 0; i < done && i < asked.size(); ++i) {
      ensemble_.tree.apply(session, asked[i].request);
      ensemble_.fire();
    }
    connected = false;
    tell({.state = ZkSession::State::kDisconnected, .why = "cut"});
    lose(ZkResult::kConnectionLost);
  }
  void expire() {
    end();
    tell({.state = ZkSession::State::kExpired, .why = "expired"});
    lose(ZkResult::kSessionExpired);
  }
  // The ensemble ends the session, and the client does not hear of it yet.
  void end() {
    ensemble_.tree.end_session(session);
    ensemble_.fire();
    session = 0;
    connected = false;
    watches_.clear();
  }
  // Carries out and answers the first request.
  void answer() {
    Asked one = std::move(asked.front());
    asked.pop_front();
    ZkReply reply = ensemble_.tree.apply(session, one.request);
    ensemble_.fire();
    leave_watch(one, reply.result);
    one.waiter->on_reply(ensemble_.now, one.token, std::move(reply));
  }
  // Tells what fired, or answers; false: there is nothing to do.
  bool step() {
    if (deliver_fired()) return true;
    if (!connected || asked.empty()) return false;
    answer();
    return true;
  }
  // Answers the first request with something, without carrying it out.
  void answer_with(ZkReply reply) {
    const Asked one = std::move(asked.front());
    asked.pop_front();
    one.waiter->on_reply(ensemble_.now, one.token, std::move(reply));
  }

  std::deque<Asked> asked;
  uint64_t session = 0;
  bool connected = false;
  Duration timeout = std::chrono::seconds(8);

 private:
  friend struct FakeEnsemble;
  struct Watch {
    ZkWaiter* waiter;
    std::string path;
    bool of_children;
    auto operator<=>(const Watch&) const = default;
  };

  void tell(const ZkSession& session) {
    if (client_ != nullptr) client_->on_session(ensemble_.now, session);
  }
  void lose(ZkResult result) {
    for (Asked& one : std::exchange(asked, {})) {
      one.waiter->on_reply(ensemble_.now, one.token, {.result = result});
    }
  }
  void leave_watch(const Asked& one, ZkResult result) {
    if (const auto* get = std::get_if<ZkGet>(&one.request)) {
      if (get->watch && result == ZkResult::kOk) watches_.insert({one.waiter, get->path, false});
    } else if (const auto* exists = std::get_if<ZkExists>(&one.request)) {
      if (exists->watch) watches_.insert({one.waiter, exists->path, false});
    } else if (const auto* children = std::get_if<ZkChildren>(&one.request)) {
      if (children->watch && result == ZkResult::kOk) {
        watches_.insert({one.waiter, children->path, true});
      }
    }
  }
  void collect_fired() {
    const ZkTree& tree = ensemble_.tree;
    std::erase_if(watches_, [&](const Watch& watch) {
      const auto& changed = watch.of_children ? tree.changed_children() : tree.changed_nodes();
      if (!changed.contains(watch.path)) return false;
      fired_.push_back(watch);
      return true;
    });
  }
  // Watches are heard of once there is a connection.
  bool deliver_fired() {
    if (!connected || fired_.empty()) return false;
    for (const Watch& watch : std::exchange(fired_, {})) {
      watch.waiter->on_changed(ensemble_.now, watch.path);
    }
    return true;
  }

  FakeEnsemble& ensemble_;
  ZkSessionClient* client_ = nullptr;
  std::set<Watch> watches_;
  std::vector<Watch> fired_;
};

inline void FakeEnsemble::fire() {
  for (FakeZooKeeper* client : clients) client->collect_fired();
}

inline void FakeEnsemble::run() {
  for (bool busy = true; busy;) {
    busy = false;
    for (FakeZooKeeper* client : clients) {
      busy |= client->step();
    }
  }
}

}  // namespace tepui::test
