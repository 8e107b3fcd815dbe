#pragma once
// Finder is where one life of an agent or a scheduler believes that the leader is: where the lock's
// Election says, or, on an ensemble, where the product's ZkDetector does.

#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/zk_detector.h"
#include "tests/sim/alarm.h"
#include "tests/sim/election.h"
#include "tests/sim/ensemble.h"
#include "tests/sim/network.h"
#include "tests/sim/seat.h"

namespace tepui::sim {

class Finder final : private ZkSessionClient, private ZkDetectorClient {
 public:
  // `on_master` is called when another master leads than before; never with a lock.
  Finder(World& world, Election& election, NodeId node, std::function<void()> on_master)
      : world_(world),
        election_(election),
        on_master_(std::move(on_master)),
        alarm_(world, [this] { detector_->on_time(world_.now().mono); }) {
    if (election.ensemble() == nullptr) return;
    zookeeper_ = std::make_unique<SimZooKeeper>(*election.ensemble(), node,
                                                [this] { alarm_.set(detector_->due()); });
    detector_ = std::make_unique<ZkDetector>(*zookeeper_, std::string(kClusterPath),
                                             static_cast<ZkDetectorClient&>(*this));
    zookeeper_->open(*this);
  }

  // The master to connect to; 0: none is known.
  NodeId ask() { return detector_ == nullptr ? election_.ask() : master_; }

 private:
  void on_session(Instant now, const ZkSession& session) override {
    detector_->on_session(now, session);
  }
  // While nobody leads, the last leader stays known.
  void on_leader(Instant, const std::optional<ZkLeader>& leader) override {
    if (!leader) return;
    NodeId found = 0;
    std::from_chars(leader->data.data(), leader->data.data() + leader->data.size(), found);
    if (master_ != 0 && master_ != election_.leader()) world_.reached("election.stale");
    const bool is_another = found != std::exchange(master_, found);
    if (is_another) on_master_();
  }
  void on_trouble(Instant, std::string_view) override { world_.reached("election.trouble"); }

  World& world_;
  Election& election_;
  std::function<void()> on_master_;
  NodeId master_ = 0;
  std::unique_ptr<SimZooKeeper> zookeeper_;
  std::unique_ptr<ZkDetector> detector_;
  Alarm alarm_;
};

}  // namespace tepui::sim
