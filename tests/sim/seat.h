#pragma once
// Seat is how one life of a master stands for election on the simulated ensemble: a session and the
// product's ZkLeadership in it, driven as the shell does. It dies with the process.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/zk_leadership.h"
#include "tests/sim/alarm.h"
#include "tests/sim/ensemble.h"
#include "tests/sim/world.h"

namespace tepui::sim {

inline constexpr std::string_view kClusterPath = "/tepui/sim";

class Seat final : public Store, public Coordinator, private ZkLeadershipOwner {
 public:
  // `info`: what others read about this master.
  Seat(World& world, SimEnsemble& ensemble, uint32_t node, std::string info, StoreClient& store,
       CoordinatorClient& leader);

  void contend() override;
  void resign(std::string_view why) override;
  void write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) override;

  // At the beginning of every turn of the process.
  void begin_turn();
  bool may_lead() const { return leadership_.may_lead(world_.now().mono); }

 private:
  // ZkLeadershipOwner
  void on_leader(Instant, const std::optional<ZkLeader>&) override {}
  void on_session(Instant, const ZkSession&) override {}
  void on_trouble(Instant, std::string_view why) override;

  void end_turn() { alarm_.set(leadership_.due()); }

  World& world_;
  const uint32_t node_;
  SimZooKeeper zookeeper_;
  ZkLeadership leadership_;
  Alarm alarm_;
};

}  // namespace tepui::sim
