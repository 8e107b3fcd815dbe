#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include "tests/sim/cluster.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kQuietWithin = 30min;
constexpr Duration kQuietFor = 20s;
// A run that does this much is going in circles without time passing.
constexpr uint64_t kEventsMax = 3'000'000;

bool run_for(World& world, Duration time) {
  const Instant end = later(world.now().mono, time);
  bool over = false;
  world.after(time, [&over] { over = true; });
  while (!over && !world.violation() && world.now().mono <= end) {
    if (!world.step()) break;
    if (world.steps() > kEventsMax) world.violated("liveness", "the events never end");
  }
  return !world.violation();
}

// All must be well at some moment soon, and stay so.
void demand_quiet(World& world, const Cluster& cluster) {
  const Instant start = world.now().mono;
  Instant quiet_since = kNever;
  std::string unrest;
  while (run_for(world, 1s)) {
    const Instant now = world.now().mono;
    unrest = cluster.unrest();
    if (!unrest.empty()) quiet_since = kNever;
    if (unrest.empty() && quiet_since == kNever) quiet_since = now;
    if (unrest.empty() && now - quiet_since >= kQuietFor) return;
    if (now - start > kQuietWithin) {
      return world.violated("liveness", fmt::format("not quiet {} minutes after all is healed: {}",
                                                    kQuietWithin / 1min, unrest));
    }
  }
}

// All is quiet: what was guaranteed must be lent, and had back when it is wanted.
void demand_guarantees(World& world, Cluster& cluster) {
  if (world.violation() || !cluster.promise() || !run_for(world, 5s)) return;
  cluster.let_borrow();
  if (!run_for(world, 10s)) return;
  cluster.demand_lent();
  cluster.let_demand();
  if (!run_for(world, 10s)) return;
  cluster.demand_kept();
  cluster.forget_promise();
  demand_quiet(world, cluster);
}

}  // namespace

Outcome run(uint64_t seed, const Size& size, Tracing tracing) {
  World world(seed, tracing);
  Cluster cluster(world, size);
  Outcome outcome;
  outcome.faults = cluster.faults().describe();
  outcome.nodes = cluster.nodes();
  const Instant start = world.now().mono;
  if (tracing != Tracing::kOff) world.trace(outcome.faults);
  cluster.start();
  if (run_for(world, 10s + world.up_to(80s))) {
    if (world.tracing()) world.trace("--- all faults end here ---");
    cluster.heal();
    demand_quiet(world, cluster);
    demand_guarantees(world, cluster);
    if (!world.violation()) cluster.replay_journals();
  }
  const auto broken = world.counters().find("agent.broken");
  if (!world.violation() && broken != world.counters().end()) {
    world.violated(
        "agent-broken",
        fmt::format("{} times the books of an agent did not balance; it was isolated and "
                    "came back, all else went on",
                    broken->second));
  }
  outcome.violation = world.violation();
  outcome.hash = world.hash();
  outcome.events = world.steps();
  outcome.virtual_time = world.now().mono - start;
  outcome.counters = world.counters();
  outcome.last_lines = world.last_lines();
  return outcome;
}

std::string replay_command(uint64_t seed, const Size& size) {
  std::string command = fmt::format("./dev sim --seed {}", seed);
  if (size.agents != 0) command += fmt::format(" --agents {}", size.agents);
  if (size.frameworks != 0) command += fmt::format(" --frameworks {}", size.frameworks);
  if (size.is_tuned_by_default) command += " --speed";
  if (size.tasks != 0) command += fmt::format(" --tasks {}", size.tasks);
  return command;
}

}  // namespace tepui::sim
