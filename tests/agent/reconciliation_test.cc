// What an agent answers about tasks that the master believes to be here.

#include <gtest/gtest.h>

#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using States = std::vector<TaskState>;

ReconcileTasks about(const std::string& task, bool partition_aware,
                     const std::string& framework = "f") {
  ReconcileTasks message;
  message.items.push_back({.framework_id = FrameworkId{framework},
                           .task_id = TaskId{task},
                           .partition_aware = partition_aware});
  return message;
}

TEST(Reconciliation, TellsOnceThatAMissingTaskIsGone) {
  Bench bench;
  bench.enlist();
  bench.receive(about("t", true));
  EXPECT_EQ(bench.states("t"), States{TaskState::kGone});
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kReconciliation);
  EXPECT_TRUE(bench.newest("t").uuid.is_nil()) << "there is nothing to acknowledge";
  const auto sent = bench.effects.take<StatusUpdates>();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].items.at(0).status.state, TaskState::kGone);
  EXPECT_EQ(sent[0].items.at(0).latest_state, TaskState::kGone);
  EXPECT_EQ(bench.agent.totals().updates_pending, 0u);
  bench.advance(1h);
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
}

TEST(Reconciliation, TellsLostToFrameworksThatDoNotKnowPartitions) {
  Bench bench;
  bench.enlist();
  bench.receive(about("t", false));
  EXPECT_EQ(bench.states("t"), States{TaskState::kLost});
}

TEST(Reconciliation, IsSilentAboutTasksThatAreHere) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.run("ended");
  bench.exits("ended", 0);
  bench.receive(about("t", true));
  bench.receive(about("ended", true));
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
  EXPECT_EQ(bench.newest("ended").state, TaskState::kFinished);
}

TEST(Reconciliation, AskedAgainAnswersAgain) {
  Bench bench;
  bench.enlist();
  bench.receive(about("t", true));
  bench.effects.take<StatusUpdates>();
  bench.receive(about("t", true));
  EXPECT_EQ(bench.effects.take<StatusUpdates>().size(), 1u) << "the first may have been lost";
}

TEST(Reconciliation, TellsThatTasksOfAFrameworkBeingShutDownAreGone) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.receive(ShutdownFramework{.framework_id = FrameworkId{"f"}});
  bench.receive(about("t", true));
  EXPECT_EQ(bench.newest("t").state, TaskState::kGone);
  // That does not make the agent forget what it has to kill.
  EXPECT_EQ(bench.agent.totals().tasks, 1u);
  bench.advance(3s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.dies("t", 9);
  EXPECT_EQ(bench.agent.totals().tasks, 0u);
}

TEST(Reconciliation, NeedsARegisteredAgent) {
  Bench bench;
  bench.connect();
  bench.greet();
  bench.receive(about("t", true));
  EXPECT_TRUE(bench.states("t").empty());
}

}  // namespace
}  // namespace tepui
