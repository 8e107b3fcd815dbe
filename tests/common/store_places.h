#pragma once
// Places for the store suite that need no machine: the fake ensemble.

#include <algorithm>
#include <memory>
#include <utility>

#include "common/zk_leadership.h"
#include "tests/common/fake_zookeeper.h"
#include "tests/common/store_suite.h"

namespace tepui::test {

// The part of a leader in ZooKeeper that is the same on every ensemble.
struct IgnoreLeadership final : ZkLeadershipOwner {
  void on_leader(Instant, const std::optional<ZkLeader>&) override {}
  void on_session(Instant, const ZkSession&) override {}
  void on_trouble(Instant, std::string_view) override {}
};

class FakeEnsemblePlace final : public StorePlace {
 public:
  std::unique_ptr<StoreUser> open() override {
    auto made = std::make_unique<User>(*this);
    user_ = made.get();
    return made;
  }
  bool run_until(const std::function<bool()>& done) override {
    for (int i = 0; i < 200 && !done(); ++i) {
      ensemble_.run();
      if (user_ == nullptr) continue;
      user_->leadership.on_time(ensemble_.now);
      // Who resigned waits before it contends again. What can be done without waiting is done.
      if (i >= 100 && user_->leadership.due() != kNever) {
        ensemble_.now = std::max(ensemble_.now, user_->leadership.due());
      }
    }
    return done();
  }

 private:
  struct User final : StoreUser {
    explicit User(FakeEnsemblePlace& in) : place(in), zookeeper(in.ensemble_) {
      zookeeper.open(leadership);
      zookeeper.connect();
    }
    ~User() override {
      zookeeper.close();
      place.user_ = nullptr;
    }
    Store& store() override { return leadership; }
    Coordinator& coordinator() override { return leadership; }

    FakeEnsemblePlace& place;
    FakeZooKeeper zookeeper;
    IgnoreLeadership ignore;
    ZkLeadership leadership{
        zookeeper, {.path = "/tepui", .master_info = "{}"}, *this, *this, ignore};
  };

  FakeEnsemble ensemble_;
  User* user_ = nullptr;
};

}  // namespace tepui::test
