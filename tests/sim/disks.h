#pragma once
// SimDisks is what an agent's machine keeps on disk through the deaths of its agent: its checkpoint
// and the directories of volumes; and the checker of volumes: none that was confirmed is ever lost,
// none is used before it is there.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/effects.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimDisks {
 public:
  SimDisks(World& world, NodeId node) : world_(world), node_(node) {}

  // A checkpoint has become durable.
  void write(const AgentCheckpoint& checkpoint);
  // What a starting agent finds.
  const std::optional<AgentCheckpoint>& read() const { return durable_; }
  // The agent starts with this total.
  void on_started(const Resources& total);
  // All containers are gone.
  void on_reboot() { running_.clear(); }
  // The agent told that an operation has ended.
  void on_operation(const Operation& operation, const OperationStatus& status);
  void on_launch(const LaunchSpec& spec);
  void on_ended(const ContainerId& id);

 private:
  void check_confirmed(const Resources& total);
  void violated(const std::string& what);

  World& world_;
  const NodeId node_;
  std::optional<AgentCheckpoint> durable_;
  std::set<VolumePlace> made_;
  Resources confirmed_;  // volumes that operations are known to have made, and not undone
  std::map<ContainerId, LaunchSpec> running_;
};

}  // namespace tepui::sim
