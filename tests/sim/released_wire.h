#pragma once
// ReleasedWire is what a program of the first release would make of a message: it drops the fields
// that schemas/released/1 does not have, and does not know what kinds of message came later.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tepui::sim {

enum class WireTable { kAgentToMaster, kMasterToAgent, kSchedulerToMaster, kMasterToScheduler };

class ReleasedWire {
 public:
  // Reads the released schemas, which the build has compiled; ends the program if it cannot.
  ReleasedWire();

  // Nothing: a kind of message that the release does not know.
  std::optional<std::vector<std::byte>> strip(WireTable table, std::span<const std::byte> payload);

 private:
  std::string agent_;
  std::string scheduler_;
};

}  // namespace tepui::sim
