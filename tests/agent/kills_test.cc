// Killing a task at every moment of its life.

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using States = std::vector<TaskState>;

constexpr uint32_t kKillingState = bit(FrameworkCapability::kTaskKillingState);

TEST(Kills, TerminateFirstAndForceAfterTheDefaultGrace) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.kill("t");
  ASSERT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_EQ(bench.effects.signals[0], std::pair(bench.container("t"), 15));
  EXPECT_EQ(bench.effects.wake, bench.clock + 3s);
  bench.advance(3s - 1ns);
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.advance(1ns);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("t")});
  bench.dies("t", 9);
  EXPECT_EQ(bench.states("t"),
            (States{TaskState::kStarting, TaskState::kRunning, TaskState::kKilled}));
}

// Otherwise a later life would take the end for a failure of the command.
TEST(Kills, AreDurableBeforeTheCommandHearsOfThem) {
  Bench bench;
  bench.enlist();
  bench.run("slow");
  bench.run("ended");
  bench.run("now");
  bench.disk_works = false;
  bench.kill("slow");
  bench.kill("ended");
  bench.kill("now", 0s);
  bench.exits("ended", 0);
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.disk_works = true;
  bench.advance(1ms);
  EXPECT_EQ(bench.effects.signals, (std::vector{std::pair(bench.container("slow"), 15)}));
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("now")});
}

TEST(Kills, AnnounceThemselvesToFrameworksThatWantIt) {
  Bench bench;
  bench.enlist();
  bench.run("t", Bench::spec(), kKillingState);
  bench.kill("t");
  bench.kill("t");
  bench.exits("t", 0);
  EXPECT_EQ(bench.states("t"), (States{TaskState::kStarting, TaskState::kRunning,
                                       TaskState::kKilling, TaskState::kKilled}));
}

TEST(Kills, PreferTheGraceOfTheCallToThatOfTheTask) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.kill_policy = KillPolicy{.grace_ns = 20s};
  bench.run("own", spec);
  bench.kill("own");
  EXPECT_EQ(bench.effects.wake, bench.clock + 10s);  // the status is repeated first
  bench.settle("own");
  EXPECT_EQ(bench.effects.wake, bench.clock + 20s);
  bench.run("called", spec);
  bench.settle("called");
  bench.kill("called", 7s);
  EXPECT_EQ(bench.effects.wake, bench.clock + 7s);
}

TEST(Kills, AgainShortenTheGraceAndNeverLengthenIt) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.kill("t", 60s);
  bench.kill("t", 5s);
  bench.kill("t", 30s);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  bench.advance(5s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.kill("t", 0s);
  bench.advance(1min);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Kills, WithoutGraceForceAtOnce) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.kill("t", 0s);
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Kills, WinOverWhateverTheCommandAnswers) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.kill("t");
  bench.exits("t", 0);
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("t").exit_status, 0);
  // The deadline of the grace is gone with the command.
  bench.advance(1min);
  EXPECT_TRUE(bench.effects.kills.empty());
}

TEST(Kills, WhileTheLaunchIsUnderWayEndItAsSoonAsItIsDone) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  bench.kill("t");
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_TRUE(bench.effects.kills.empty());
  EXPECT_EQ(bench.effects.cancelled, std::vector{bench.container("t")});
  bench.started("t");
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("t")});
  bench.dies("t", 9);
  EXPECT_EQ(bench.states("t"), (States{TaskState::kStarting, TaskState::kKilled}));
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskKilledDuringLaunch);
}

TEST(Kills, OfALaunchThatFailsAreKillsAllTheSame) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  bench.kill("t");
  const ContainerId id = bench.container("t");
  bench.turn([&](Now now) { bench.agent.on_launch_failed(now, id, Error{"no"}); });
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskKilledDuringLaunch);
}

TEST(Kills, BeforeTheLaunchNeedNoContainer) {
  AgentConfig config = bench_config();
  config.info.resources = Resources::scalars({{"cpus", 100000}, {"mem", 409600000}});
  Bench bench(config);
  bench.enlist();
  for (uint32_t i = 0; i < limits::kLaunchesInFlightMax; ++i) {
    bench.launch("busy" + std::to_string(i), Bench::spec(10));
  }
  bench.launch("t", Bench::spec(10));
  EXPECT_TRUE(bench.states("t").empty());
  bench.kill("t");
  EXPECT_EQ(bench.states("t"), States{TaskState::kKilled});
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskKilledDuringLaunch);
  bench.started("busy0");
  EXPECT_EQ(bench.effects.launches.size(), limits::kLaunchesInFlightMax);
}

TEST(Kills, OfWhatIsNotHereAreIgnored) {
  Bench bench;
  bench.enlist();
  bench.kill("t");
  EXPECT_EQ(bench.effects.dropped_, std::vector<std::string>{"task 't' is not here"});
  bench.run("t");
  bench.exits("t", 0);
  bench.kill("t");
  EXPECT_EQ(bench.newest("t").state, TaskState::kFinished);
  EXPECT_TRUE(bench.effects.signals.empty());
}

TEST(Kills, OutrankTheCompletionTimer) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.max_completion_time = 10s;
  bench.run("t", spec, kKillingState);
  bench.settle("t");
  bench.advance(10s);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  bench.kill("t");
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilling);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  bench.dies("t", 15);
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
}

TEST(Kills, StopTheCompletionTimer) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.max_completion_time = 2s;
  bench.run("t", spec);
  bench.kill("t", 30s);
  bench.advance(29s);
  EXPECT_TRUE(bench.effects.kills.empty());
  EXPECT_EQ(bench.effects.signals.size(), 1u);
}

TEST(Kills, FollowTheDefaultGraceOfNewTunables) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.turn([&](Now now) { bench.agent.on_tunables(now, AgentTunables{.kill_grace = 1s}); });
  bench.kill("t");
  EXPECT_EQ(bench.effects.wake, bench.clock + 1s);
}

TEST(Kills, DrainingIsOverWhenTheLastContainerNeverCameToBe) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  bench.receive(DrainAgent{.max_grace = {}});
  const ContainerId id = bench.container("t");
  EXPECT_EQ(bench.effects.cancelled, std::vector{id});
  bench.turn([&](Now now) {
    bench.agent.on_launch_failed(now, id, Error{.message = "it was cancelled"});
  });
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
  // An operator has reactivated the agent.
  bench.run("next");
  EXPECT_EQ(bench.newest("next").state, TaskState::kRunning);
}

TEST(Kills, DrainingCapsTheGraceAndDropsWhatStillComes) {
  Bench bench;
  bench.enlist();
  TaskSpec patient = Bench::spec();
  patient.kill_policy = KillPolicy{.grace_ns = 60s};
  bench.run("patient", patient);
  bench.settle("patient");
  TaskSpec quick = Bench::spec();
  quick.kill_policy = KillPolicy{.grace_ns = 1s};
  bench.run("quick", quick);
  bench.settle("quick");
  const auto drain = [&bench] {
    bench.turn([&](Now now) {
      bench.agent.on_message(now, MasterToAgent(DrainAgent{.max_grace = Duration(5s)}));
    });
  };
  drain();
  EXPECT_EQ(bench.effects.signals.size(), 2u);
  bench.launch("late");
  EXPECT_EQ(bench.newest("late").reason, TaskReason::kAgentDraining);
  bench.advance(1s);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("quick")});
  bench.advance(4s);
  EXPECT_EQ(bench.effects.kills.size(), 2u);
  bench.dies("patient", 9);
  EXPECT_EQ(bench.newest("patient").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("patient").reason, TaskReason::kAgentDraining);
}

}  // namespace
}  // namespace tepui
