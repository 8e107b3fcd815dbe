// Frameworks on an agent: told once per session, torn down, and what is held meanwhile.

#include <gtest/gtest.h>

#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using States = std::vector<TaskState>;

void launch_untold(Bench& bench, const std::string& task) {
  LaunchTasks message;
  message.tasks.push_back(
      LaunchTasks::Item{.framework_id = FrameworkId{"f"},
                        .role = "eng",
                        .task = TaskInfo{.id = TaskId{task},
                                         .name = task,
                                         .spec = std::make_shared<const TaskSpec>(Bench::spec())}});
  bench.receive(message);
}

void shut_down(Bench& bench, const std::string& framework = "f") {
  bench.receive(ShutdownFramework{.framework_id = FrameworkId{framework}});
}

TEST(Frameworks, AreToldOncePerSession) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.exits("a", 0);
  bench.settle("a");
  launch_untold(bench, "b");
  EXPECT_EQ(bench.newest("b").state, TaskState::kStarting);
}

TEST(Frameworks, WithoutTasksAreForgottenWithTheSession) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.exits("a", 0);
  bench.settle("a");
  EXPECT_EQ(bench.agent.totals().frameworks, 1u);
  bench.disconnect();
  EXPECT_EQ(bench.agent.totals().frameworks, 0u);
}

TEST(Frameworks, WithTasksOutliveTheSession) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.disconnect();
  EXPECT_EQ(bench.agent.totals().frameworks, 1u);
}

TEST(Frameworks, MayChangeWhatTheyCan) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.launch("b", Bench::spec(), bit(FrameworkCapability::kTaskKillingState));
  bench.kill("a");
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilling);
}

TEST(Frameworks, ThatAreShutDownLoseTheirTasksWithGraceAndAreForgotten) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.launch("other", Bench::spec(), 0, "g");
  bench.started("other");
  shut_down(bench);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_EQ(bench.agent.totals().frameworks, 2u);
  bench.advance(3s);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("a")});
  bench.effects.take<StatusUpdates>();
  bench.dies("a", 9);
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kFrameworkRemoved);
  // Nobody waits for that status.
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
  EXPECT_EQ(bench.agent.totals().frameworks, 1u);
  EXPECT_EQ(bench.effects.destroys, std::vector{bench.container("a")});
  EXPECT_EQ(bench.newest("other").state, TaskState::kRunning);
}

TEST(Frameworks, ThatAreShutDownTwiceDieOnce) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  shut_down(bench);
  shut_down(bench);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  shut_down(bench, "unknown");
  EXPECT_EQ(bench.effects.dropped_, std::vector<std::string>{"framework 'unknown' is not here"});
}

TEST(Frameworks, ThatAreShutDownWithoutTasksAreForgottenAtOnce) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  bench.exits("a", 0);
  shut_down(bench);
  EXPECT_EQ(bench.agent.totals().frameworks, 0u);
  EXPECT_EQ(bench.agent.totals().updates_pending, 0u);
}

TEST(Frameworks, ThatAreShuttingDownAcceptNothing) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  shut_down(bench);
  launch_untold(bench, "late");
  EXPECT_EQ(bench.states("late"), States{TaskState::kLost});
  EXPECT_EQ(bench.newest("late").reason, TaskReason::kFrameworkRemoved);
  bench.dies("a", 15);
  EXPECT_EQ(bench.settle("late").state, TaskState::kLost);
}

TEST(Frameworks, ThatTheNextMasterTookBackAreAcceptedWhenTheirOldTasksAreDead) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  shut_down(bench);
  bench.disconnect();
  bench.enlist(2);
  // This master names the framework once; the old one had removed it.
  bench.launch("early");
  EXPECT_EQ(bench.newest("early").reason, TaskReason::kFrameworkRemoved);
  bench.dies("a", 15);
  launch_untold(bench, "later");
  EXPECT_EQ(bench.newest("later").state, TaskState::kStarting);
}

TEST(Frameworks, ThatAreShuttingDownAreNotNamedToAMaster) {
  Bench bench;
  bench.enlist();
  bench.run("a");
  shut_down(bench);
  bench.disconnect();
  bench.connect();
  bench.greet(2);
  bench.advance(1s);
  const auto messages = bench.effects.take<ReregisterAgent>();
  ASSERT_GE(messages.size(), 1u);
  EXPECT_TRUE(messages[0].frameworks.empty());
  EXPECT_TRUE(messages[0].tasks.empty());
}

TEST(Frameworks, ThatAreShuttingDownHoldWhatTheyUseUntilTheirCommandsEnd) {
  Bench bench;
  bench.enlist();
  bench.run("a", Bench::spec(3000));
  shut_down(bench);
  // The master has given these resources back and offers them again.
  bench.launch("next", Bench::spec(4000), 0, "g");
  EXPECT_TRUE(bench.states("next").empty());
  EXPECT_EQ(bench.effects.launches.size(), 1u);
  bench.dies("a", 15);
  EXPECT_EQ(bench.newest("next").state, TaskState::kStarting);
  EXPECT_EQ(bench.effects.launches.size(), 2u);
}

TaskSpec revocable_spec(int64_t cpus_milli) {
  TaskSpec spec = Bench::spec();
  spec.resources = Resources::scalars({{"mem", 32000}});
  spec.resources += Resources::create({{.kind = make_kind({.name = "cpus", .revocable = true}),
                                        .amount = cpus_milli}})
                        .value();
  return spec;
}

TEST(Frameworks, ThatAreShuttingDownHoldWhatIsRevocableToo) {
  Bench bench;
  bench.enlist();
  bench.turn(
      [&](Now now) { bench.agent.on_revocable(now, revocable_spec(3000).resources.revocable()); });
  bench.launch("all", Bench::spec(4000), 0, "g");
  bench.started("all");
  bench.run("a", revocable_spec(2000));
  shut_down(bench);
  bench.launch("next", revocable_spec(3000), 0, "g");
  EXPECT_TRUE(bench.states("next").empty());
  bench.dies("a", 15);
  EXPECT_EQ(bench.newest("next").state, TaskState::kStarting);
}

TEST(Frameworks, ThatAreShuttingDownHoldWhatWasLentToThem) {
  Bench bench;
  bench.enlist();
  // Of what is regular and nobody used then.
  bench.run("a", revocable_spec(2000));
  shut_down(bench);
  bench.launch("next", Bench::spec(3000), 0, "g");
  EXPECT_TRUE(bench.states("next").empty());
  bench.launch("small", Bench::spec(1000), 0, "g");
  EXPECT_TRUE(bench.states("small").empty()) << "it came later";
  bench.dies("a", 15);
  EXPECT_EQ(bench.newest("next").state, TaskState::kStarting);
  EXPECT_EQ(bench.newest("small").state, TaskState::kStarting);
}

TEST(Frameworks, KeepTheSameTaskIdApart) {
  Bench bench;
  bench.enlist();
  bench.launch("t", Bench::spec(), 0, "f");
  bench.launch("t", Bench::spec(), 0, "g");
  ASSERT_EQ(bench.effects.launches.size(), 2u);
  const ContainerId of_f = bench.effects.launches[0].id;
  bench.turn([&](Now now) { bench.agent.on_launched(now, of_f, 1); });
  bench.kill("t", 0s, "f");
  EXPECT_EQ(bench.effects.kills, std::vector{of_f});
}

}  // namespace
}  // namespace tepui
