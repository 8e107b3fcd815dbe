// Goal: the real cores keep their promises under faults, become quiet when those end, and the runs
// that say so are repeatable and did meet the faults. Method: whole clusters on a virtual clock.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "tests/sim/simulation.h"

namespace tepui::sim {
namespace {

// Seeds that show what was once wrong in the product (the bugs are kept in mutants/):
//   572  an agent repeated its answers to a removed framework for ever
//   911  a task was called GONE while its agent was only disconnected
//  1153  a repeated registration brought acknowledged tasks back
//  1064  a write of the registry waited for a connection that was there again
//  9719  an agent refused a framework for ever that a deposed master had removed
constexpr uint64_t kOldSeeds[] = {572, 911, 1064, 1153, 9719};

constexpr uint64_t kFreshSeeds = 2000;

// A build server hands in a number made of the commit, so that each commit tries new seeds and a
// failure can be repeated.
uint64_t first_fresh_seed() {
  const char* given = std::getenv("TEPUI_SIM_SEED");
  return given == nullptr ? 1000 : std::strtoull(given, nullptr, 10);
}

void expect_pass(uint64_t seed, const Size& size) {
  const Outcome outcome = run(seed, size, Tracing::kOff);
  if (outcome.violation) {
    ADD_FAILURE() << outcome.violation->checker << ": " << outcome.violation->what << "\n"
                  << outcome.faults << "\nreplay: " << replay_command(seed, size);
  }
}

TEST(Simulation, OldSeedsPass) {
  for (const uint64_t seed : kOldSeeds) expect_pass(seed, {});
}

TEST(Simulation, FreshSeedsPass) {
  for (uint64_t i = 0; i < kFreshSeeds; ++i) expect_pass(first_fresh_seed() + i, {});
}

TEST(Simulation, LargerClustersPass) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    expect_pass(seed, {.agents = 20, .frameworks = 6, .tasks = 40});
  }
}

TEST(Simulation, TheSameSeedGivesTheSameRun) {
  for (const uint64_t seed : {3, 4, 5}) {
    const Outcome first = run(seed, {}, Tracing::kOff);
    const Outcome second = run(seed, {}, Tracing::kLast);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.counters, second.counters);
  }
  EXPECT_NE(run(3, {}, Tracing::kOff).hash, run(4, {}, Tracing::kOff).hash);
}

// A fault that never happens proves nothing.
TEST(Simulation, TheRarePathsAreReached) {
  std::map<std::string, uint64_t> reached;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (const auto& [name, count] : run(seed, {}, Tracing::kOff).counters) reached[name] += count;
  }
  for (const char* name : {"adopt.absent",
                           "adopt.cannot_be_watched",
                           "adopt.ended",
                           "adopt.failed",
                           "adopt.running",
                           "agent.cannot_remember",
                           "agent.crash",
                           "agent.crash_at_step",
                           "agent.crash_at_write",
                           "agent.disconnected",
                           "agent.exits",
                           "agent.leave",
                           "agent.rebooted",
                           "agent.reconnects",
                           "agent.registered",
                           "agent.reregistered",
                           "agent.resumed",
                           "agent.says_all",
                           "agent.shutdown",
                           "agent.stays_down",
                           "agent.unreachable",
                           "clock.jump",
                           "codec",
                           "codec.released",
                           "container.check",
                           "container.check_outlived_its_agent",
                           "container.destroy_hangs",
                           "container.ignores_term",
                           "container.killed",
                           "container.ended_alone",
                           "container.never_began",
                           "container.launch_failed",
                           "container.not_resized",
                           "container.started",
                           "election.stale",
                           "ensemble.connection_lost",
                           "ensemble.contender_removed",
                           "ensemble.cut",
                           "ensemble.expired",
                           "ensemble.happened_unheard",
                           "ensemble.outage",
                           "ensemble.session_ended",
                           "ensemble.watch",
                           "executor.began",
                           "executor.gave_its_agent_up",
                           "executor.grace_was_over",
                           "executor.hangs",
                           "executor.launch",
                           "executor.message",
                           "executor.misbehaves",
                           "executor.says_again",
                           "executor.subscribed",
                           "executor.taken",
                           "executor.told_to_end",
                           "framework.accepts_twice",
                           "framework.agent_lost",
                           "framework.disconnected",
                           "framework.error",
                           "framework.greedy",
                           "framework.executor",
                           "framework.executor_lost",
                           "framework.group",
                           "framework.holds",
                           "framework.rescinded",
                           "framework.subscribed",
                           "framework.teardown",
                           "framework.updates",
                           "group.launched",
                           "group.one_did_not_finish",
                           "host.grew",
                           "host.left_by_an_earlier_life",
                           "host.reboot",
                           "launch.adopted",
                           "launch.cancelled",
                           "launch.ended_unseen",
                           "launch.ended_untold",
                           "launch.failed",
                           "launch.fails_at_step_0",
                           "launch.fails_at_step_1",
                           "launch.fails_at_step_2",
                           "launch.fails_at_step_3",
                           "launch.killed",
                           "launch.not_granted",
                           "launch.stalls",
                           "launch.subscribed_before_told",
                           "launch.update_failed",
                           "link.broken",
                           "link.congested",
                           "link.silent",
                           "master.crash",
                           "master.crash_at_write",
                           "master.deposed",
                           "master.elected",
                           "master.elected_again",
                           "master.resigned",
                           "master.sliced_round",
                           "master.two_lead",
                           "node.upgraded",
                           "offer.accepted",
                           "offer.declined",
                           "offer.rescinded",
                           "offer.timed_out",
                           "operator.kill",
                           "partition.full",
                           "partition.isolated",
                           "partition.one_way",
                           "registry.fenced",
                           "registry.unreported_write_survived",
                           "scheduler.crash",
                           "scheduler.reconnects",
                           "store.fenced",
                           "store.full",
                           "store.torn_end",
                           "store.unsynced_lost",
                           "task.recovered",
                           "tunables",
                           "update.about_a_stranger",
                           "update.repeated",
                           "TASK_FAILED",
                           "TASK_FINISHED",
                           "TASK_KILLED",
                           "TASK_KILLING",
                           "TASK_LOST",
                           "TASK_RUNNING",
                           "TASK_UNREACHABLE"}) {
    EXPECT_GT(reached[name], 0u) << name << " was never reached";
  }
}

}  // namespace
}  // namespace tepui::sim
