#pragma once
// Election knows which master leads, and where clients believe that one is: some look at what was
// true a while ago. With an ensemble it is only told; who leads is decided there.

#include <fmt/format.h>

#include <functional>
#include <map>
#include <utility>

#include "tests/sim/ensemble.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Election {
 public:
  Election(World& world, const Faults& faults, SimEnsemble* ensemble)
      : world_(world), faults_(faults), ensemble_(ensemble) {}

  void elect(NodeId node) {
    if (leader_ != 0 && leader_ != node) before_ = leader_;
    leader_ = node;
  }
  void vacate() {
    if (leader_ != 0) before_ = leader_;
    leader_ = 0;
  }
  NodeId leader() const { return leader_; }  // 0: none
  // A master that lives, and whether its lease says that it leads; null: it is dead.
  void set_lease(NodeId node, std::function<bool()> may_lead) {
    if (may_lead) {
      leases_[node] = std::move(may_lead);
    } else {
      leases_.erase(node);
    }
  }
  // Leases end before another can be elected, unless somebody ends sessions or removes nodes.
  void check_leases(NodeId elected) const {
    if (ensemble_ == nullptr || ensemble_->was_forced()) return;
    for (const auto& [node, may_lead] : leases_) {
      if (node == elected || !may_lead()) continue;
      world_.violated(
          "lease",
          fmt::format("master {} is elected while the lease of master {} lasts", elected, node));
    }
  }
  // Null: a lock elects.
  SimEnsemble* ensemble() const { return ensemble_; }

  // Where a client connects to; 0: nowhere.
  NodeId ask() {
    const uint64_t stale = faults_.network.stale_one_in;
    if (before_ != 0 && stale != 0 && world_.rng().chance(1, stale)) {
      world_.reached("election.stale");
      return before_;
    }
    return leader_;
  }

 private:
  World& world_;
  const Faults& faults_;
  SimEnsemble* const ensemble_;
  NodeId leader_ = 0;
  NodeId before_ = 0;
  std::map<NodeId, std::function<bool()>> leases_;
};

}  // namespace tepui::sim
