#pragma once
// When machines are out of service. Pure.

#include <optional>
#include <string>
#include <vector>

#include "common/time.h"

namespace tepui {

struct Unavailability {
  WallTime start{};
  std::optional<Duration> duration;  // absent: for good
  bool operator==(const Unavailability&) const = default;
};

// What the schedule says: these machines, by the hostname of their agents, at that time.
struct MaintenanceWindow {
  std::vector<std::string> hostnames;
  Unavailability unavailability;
  bool drain = false;  // at its start their agents are drained by themselves
  bool operator==(const MaintenanceWindow&) const = default;
};

}  // namespace tepui
