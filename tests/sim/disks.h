#pragma once
// SimDisks is what an agent's machine keeps on disk through the deaths of its agent: its checkpoint
// and the directories of volumes; and the checker of volumes: none that was confirmed is ever lost
// or has another size, none is used before it is there, none is destroyed under a task, and only
// shared ones have several users at once.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/effects.h"
#include "tests/sim/fates.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimDisks {
 public:
  SimDisks(World& world, const Fates& fates, NodeId node)
      : world_(world), fates_(fates), node_(node) {}

  // A checkpoint has become durable; the agent hears of it, and confirms what it holds.
  void write(const AgentCheckpoint& checkpoint);
  void on_confirmed();
  // What a starting agent finds.
  const std::optional<AgentCheckpoint>& read() const { return durable_; }
  // The agent starts with this total, after all its containers were ended.
  void on_started(const Resources& total);
  // The agent told that an operation has ended.
  void on_operation(const Operation& operation, const OperationStatus& status);
  void on_launch(const LaunchSpec& spec);
  void on_ended(const ContainerId& id);

 private:
  void check_confirmed(const Resources& total);
  void violated(const std::string& what);

  bool is_shared(const VolumePlace& place) const;

  World& world_;
  const Fates& fates_;
  const NodeId node_;
  std::optional<AgentCheckpoint> durable_;
  bool confirming_ = false;
  std::set<VolumePlace> made_;
  Resources confirmed_;  // volumes that operations are known to have made, and not undone
  std::map<ContainerId, LaunchSpec> running_;
};

}  // namespace tepui::sim
