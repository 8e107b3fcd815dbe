// The agent as a whole: its end, its clock, and that the same inputs give the same outputs.

#include "agent/agent.h"

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

void stop(Bench& bench) {
  bench.turn([&](Now now) { bench.agent.on_shutdown(now); });
}

TEST(Agent, WithoutWorkLeavesAtOnceWhenItIsTold) {
  Bench bench;
  bench.enlist();
  stop(bench);
  EXPECT_EQ(bench.effects.take<UnregisterAgent>().size(), 1u);
  EXPECT_EQ(bench.effects.exits,
            std::vector<std::string>{"the agent was told to end, and all that it ran"});
}

TEST(Agent, ThatNeverRegisteredLeavesWithoutAWord) {
  Bench bench;
  stop(bench);
  EXPECT_TRUE(bench.effects.sent.empty());
  EXPECT_EQ(bench.effects.exits.size(), 1u);
}

TEST(Agent, KillsWithGraceTellsTheMasterAndLeaves) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.settle("t");
  stop(bench);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.dies("t", 15);
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.destroyed("t");
  // The last status is on its way: the master hears of the end after it.
  EXPECT_TRUE(bench.effects.exits.empty());
  EXPECT_EQ(bench.settle("t").state, TaskState::kKilled);
  EXPECT_EQ(bench.effects.take<UnregisterAgent>().size(), 1u);
  EXPECT_EQ(bench.effects.exits.size(), 1u);
}

TEST(Agent, WaitsOnlySoLongForTheLastAcknowledgement) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  stop(bench);
  bench.dies("t", 15);
  bench.destroyed("t");
  bench.advance(limits::kShutdownAckWait - 1ns);
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.advance(1ns);
  EXPECT_EQ(bench.effects.take<UnregisterAgent>().size(), 1u);
  EXPECT_EQ(bench.effects.exits.size(), 1u);
  bench.advance(1h);
  EXPECT_EQ(bench.effects.exits.size(), 1u);
}

TEST(Agent, ToldTwiceToStopHasNoPatience) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  stop(bench);
  EXPECT_TRUE(bench.effects.kills.empty());
  stop(bench);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Agent, ThatIsStoppingAcceptsNothing) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  stop(bench);
  bench.launch("late", Bench::spec(), bit(FrameworkCapability::kPartitionAware));
  EXPECT_EQ(bench.newest("late").state, TaskState::kDropped);
  EXPECT_EQ(bench.newest("late").message, "The agent is shutting down");
  EXPECT_EQ(bench.effects.launches.size(), 1u);
}

TEST(Agent, ThatIsRefusedKillsEverythingAndLeaves) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.receive(ShutdownAgent{.message = "marked gone"});
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  bench.advance(3s);
  bench.dies("t", 9);
  bench.destroyed("t");
  EXPECT_EQ(bench.effects.exits,
            std::vector<std::string>{"the master shut the agent down: marked gone"});
  EXPECT_TRUE(bench.effects.take<UnregisterAgent>().empty());
  // It does not greet that master again.
  bench.effects.take<Hello>();
  bench.connect();
  EXPECT_TRUE(bench.effects.take<Hello>().empty());
}

TEST(Agent, StopsContainersThatAreBeingLaunched) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  stop(bench);
  bench.started("t");
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.dies("t", 9);
  bench.destroyed("t");
  bench.advance(limits::kShutdownAckWait);
  EXPECT_EQ(bench.effects.exits.size(), 1u);
}

TEST(Agent, IgnoresOutcomesOfContainersItDoesNotKnow) {
  Bench bench;
  bench.enlist();
  const ContainerId id{"unknown"};
  bench.turn([&](Now now) { bench.agent.on_launched(now, id, 1); });
  bench.turn([&](Now now) { bench.agent.on_launch_failed(now, id, Error{"no"}); });
  bench.turn([&](Now now) { bench.agent.on_exit(now, id, ExitRecord{}); });
  bench.turn([&](Now now) { bench.agent.on_destroyed(now, id); });
  EXPECT_EQ(bench.effects.dropped_.size(), 4u);
}

TEST(Agent, NeedsNoClockWhileNothingIsDue) {
  Bench bench;
  EXPECT_EQ(bench.effects.wake, kNever);
  bench.enlist();
  bench.run("t");
  bench.settle("t");
  EXPECT_EQ(bench.effects.wake, bench.clock + 75s);  // the master's silence
}

TEST(Agent, SendsAllStatusesOfATurnTogether) {
  Bench bench;
  bench.enlist();
  LaunchTasks message;
  message.frameworks.push_back(bench.framework());
  for (int i = 0; i < 8; ++i) {
    const TaskId id{"t" + std::to_string(i)};
    message.tasks.push_back(LaunchTasks::Item{
        .framework_id = FrameworkId{"f"},
        .role = "eng",
        .task = TaskInfo{
            .id = id, .name = {}, .spec = std::make_shared<const TaskSpec>(Bench::spec(100))}});
  }
  bench.receive(message);
  const auto batches = bench.effects.take<StatusUpdates>();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].items.size(), 8u);
}

TEST(Agent, GivesTheSameOutputsForTheSameSeed) {
  std::vector<std::string> runs;
  for (const uint64_t seed : {7, 7, 8}) {
    Bench bench(bench_config(), seed);
    bench.enlist();
    bench.run("t");
    bench.exits("t", 0);
    std::string told = bench.container("t").value;
    for (const TaskStatus& status : bench.effects.created) told += to_text(status.uuid);
    runs.push_back(told);
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
}

}  // namespace
}  // namespace tepui
