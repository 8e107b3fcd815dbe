#pragma once
// Simulation is one run: a cluster of real cores, built from a seed, first under faults and then
// healed, when it must become quiet within bounded virtual time.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace tepui::sim {

struct Size {
  uint32_t agents = 0;      // 0: drawn from the seed
  uint32_t frameworks = 0;  // 0: drawn
  uint32_t tasks = 0;       // per framework; 0: drawn
  // Masters and agents are tuned as they are by default; false: now and then as nobody would.
  bool is_tuned_by_default = false;
};

struct Outcome {
  std::optional<Violation> violation;
  uint64_t hash = 0;
  uint64_t events = 0;
  size_t nodes = 0;
  Duration virtual_time{};
  std::string faults;
  std::map<std::string, uint64_t, std::less<>> counters;
  std::vector<std::string> last_lines;
};

Outcome run(uint64_t seed, const Size& size, Tracing tracing);

// The command that repeats a run.
std::string replay_command(uint64_t seed, const Size& size);

}  // namespace tepui::sim
