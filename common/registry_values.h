#pragma once
// What the registry remembers of machines and agents beside the lists they are in. Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/maintenance.h"
#include "common/time.h"

namespace tepui {

// A machine of the maintenance schedule.
struct Machine {
  Unavailability unavailability;
  bool drain = false;        // its agents are drained when the window begins
  bool drain_begun = false;  // that has happened
  bool down = false;         // its agents were removed and may not register
  bool operator==(const Machine&) const = default;
};

// An agent that is unreachable or gone.
struct Departed {
  WallTime since{};
  bool by_operator = false;  // gone because an operator said so
  bool operator==(const Departed&) const = default;
};

// How an operator wants an agent to be treated.
struct Standing {
  enum class Drain : uint8_t { kNo = 0, kDraining = 1, kDrained = 2 };
  bool deactivated = false;
  Drain drain = Drain::kNo;
  std::optional<Duration> max_grace;  // of its tasks while draining
  bool mark_gone = false;             // once it is drained
  bool operator==(const Standing&) const = default;
};
inline constexpr int kDrainCount = 3;

inline std::string_view to_text(Standing::Drain drain) {
  switch (drain) {
    case Standing::Drain::kNo:
      return "";
    case Standing::Drain::kDraining:
      return "draining";
    case Standing::Drain::kDrained:
      return "drained";
  }
  return "";
}

}  // namespace tepui
