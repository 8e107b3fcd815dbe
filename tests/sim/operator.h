#pragma once
// SimOperator commands the leading master at random: quota, weights, the maintenance schedule,
// machines that are taken down and up, agents that are deactivated, drained, reactivated and gone,
// reservations and volumes. When all is healed it takes everything back, as often as it must, for a
// command may be lost with the master that it was told to.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/messages.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimOperator {
 public:
  struct Known {
    std::vector<std::string> hosts;
    std::vector<AgentId> agents;
    std::vector<Resources> totals;  // of each
  };
  // `command` reaches whoever leads, or nobody.
  SimOperator(World& world, std::function<void(const OperatorRequest&)> command)
      : world_(world), command_(std::move(command)) {}

  void strike(const Known& known);
  void take_back(const Known& known);
  // The role's only quota; nothing: none.
  void guarantee(std::string_view role, int64_t cpus_milli);

 private:
  void set_quota();
  void set_weights();
  void plan(const Known& known);
  void operate(const Known& known);
  void take_down_or_up(const Known& known);
  // Reserves disk, makes a volume, or changes or undoes one; mostly validly.
  void change_disk(const Known& known);

  World& world_;
  std::function<void(const OperatorRequest&)> command_;
};

}  // namespace tepui::sim
