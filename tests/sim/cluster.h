#pragma once
// Cluster is all the nodes of one run, the chaos that is done to them, and the judgement of whether
// they have become quiet.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/agent_node.h"
#include "tests/sim/election.h"
#include "tests/sim/ensemble.h"
#include "tests/sim/fates.h"
#include "tests/sim/faults.h"
#include "tests/sim/framework.h"
#include "tests/sim/master_node.h"
#include "tests/sim/network.h"
#include "tests/sim/operator.h"
#include "tests/sim/scheduler_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/store.h"
#include "tests/sim/witness.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Cluster {
 public:
  Cluster(World& world, const Size& size);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void start();
  // Ends all faults, past and future.
  void heal();
  // Of the masters that live: each must do again what it did.
  void replay_journals();
  // What keeps the cluster from being quiet; empty: nothing.
  std::string unrest() const;

  // Once all is quiet, whether guarantees are reached, loans or not. A role is guaranteed half of
  // all processors and uses none; a framework of another role, which takes revocable resources,
  // holds every offer it gets; then one of the guaranteed role wants offers. False: this cluster
  // has nobody to try it with.
  bool promise();
  void let_borrow();   // all that is not promised, and the rest as revocable
  void demand_lent();  // so it is
  void let_demand();
  void demand_kept();  // the promise: that much is offered, regular
  void forget_promise();

  const Faults& faults() const { return faults_; }
  size_t nodes() const { return nodes_.size(); }

 private:
  // Calls `strike` at random times, `every` so often on average, until the cluster is healed.
  void haunt(Duration every, void (Cluster::*strike)());
  void plan_upgrades();
  void upgrade(NodeId node);
  void strike_partition();
  void strike_isolation();
  void strike_master();
  void strike_leader_lock();
  void strike_agent();
  void strike_scheduler();
  void strike_ensemble_cut();
  void strike_ensemble();
  void strike_session();
  void strike_contender();
  void strike_clock();
  void strike_tunables();
  void strike_task();
  void strike_operator();
  void strike_revocable();
  void take_back();
  void repeat_kills();
  SimOperator::Known known_to_operators() const;
  void block_for_a_while(NodeId from, NodeId to, Duration time);
  MasterNode* leader() const;

  World& world_;
  Faults faults_;
  bool healed_ = false;
  bool commanded_ = false;                              // by the operator
  std::vector<std::pair<FrameworkId, TaskId>> killed_;  // likewise
  int64_t promised_milli_ = 0;
  Network network_;
  SimStore store_;
  Witness witness_;
  SimEnsemble ensemble_;
  Election election_;
  Fates fates_;
  SimOperator operator_;
  std::vector<NodeId> nodes_;
  std::vector<std::unique_ptr<MasterNode>> masters_;
  std::vector<std::unique_ptr<AgentNode>> agents_;
  std::vector<std::unique_ptr<SimFramework>> frameworks_;
  std::vector<std::unique_ptr<SchedulerNode>> schedulers_;
};

}  // namespace tepui::sim
