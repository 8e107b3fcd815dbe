// How agents are watched, lost, given up and removed.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

TEST(Agents, ArePingedAndTheirAnswersKeepThem) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  bench.take<Ping>(agent.session);
  bench.pass(15s);
  EXPECT_EQ(bench.take<Ping>(agent.session).size(), 1u);
  bench.pass(300s);
  EXPECT_EQ(bench.take<Ping>(agent.session).size(), 20u);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Agents, AreUnreachableAfterFiveUnansweredPings) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.pass(74s);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  bench.pass(2s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  EXPECT_EQ(bench.effects.closed[agent.session], "it did not answer pings");
  EXPECT_TRUE(bench.store.contains("unreachable/" + agent.info.id.value));
  EXPECT_FALSE(bench.store.contains("agents/" + agent.info.id.value));
}

TEST(Agents, OneAnswerForgivesTheMissesBefore) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.pass(70s);
  bench.say(agent.session, Pong{});
  bench.pass(70s);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Agents, ThatDisconnectLoseTheirOffersAtOnceAndKeepTheirTasks) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.say(framework.session, Revive{});  // the rest of the agent is offered again
  bench.settle();
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  bench.lose(agent.session);
  const auto rescinds = bench.take<Rescind>(framework.session);
  ASSERT_EQ(rescinds.size(), 1u);
  EXPECT_EQ(rescinds[0].offers, std::vector<OfferId>{offers[0].id});
  EXPECT_TRUE(bench.updates(framework).empty());
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.pass(5s);
  EXPECT_TRUE(bench.offers(framework).empty()) << "a disconnected agent was offered";
}

TEST(Agents, ThatDisconnectLoseTheTasksOfFrameworksThatDoNotCheckpoint) {
  Bench bench;
  const TestAgent agent = bench.agent();
  FrameworkInfo info = framework_info();
  info.checkpoint = false;
  const TestFramework framework = bench.framework(info);
  bench.launch(framework, "t");
  bench.lose(agent.session);
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kLost);
  EXPECT_EQ(statuses[0].reason, TaskReason::kAgentDisconnected);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(Agents, ThatAreUnreachableMakeTheirTasksUnreachable) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kRunning));
  bench.updates(framework);
  bench.lose(agent.session);
  bench.pass(80s);
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kUnreachable);
  EXPECT_EQ(statuses[0].reason, TaskReason::kAgentRemoved);
  EXPECT_NE(statuses[0].unreachable_time, WallTime{});
  EXPECT_TRUE(statuses[0].uuid.is_nil());
  EXPECT_EQ(bench.take<Failure>(framework.session).at(0).agent_id, agent.info.id);

  // It comes back with the task, and keeps it.
  bench.reregister(agent, {framework.info}, {task});
  const auto back = bench.updates(framework);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].state, TaskState::kRunning);
  EXPECT_EQ(back[0].reason, TaskReason::kAgentReregistered);
  bench.say(framework.session, Revive{});
  bench.settle();
  EXPECT_EQ(bench.offers(framework).at(0).resources, machine() - task.kind->resources);
}

TEST(Agents, ThatAreUnreachableMakeTasksLostForFrameworksThatKnowNoMore) {
  Bench bench;
  TestAgent agent = bench.agent();
  FrameworkInfo info = framework_info();
  info.capabilities = 0;
  const TestFramework framework = bench.framework(info);
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kRunning);
  bench.updates(framework);
  bench.lose(agent.session);
  bench.pass(80s);
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kLost);
  // RUNNING may follow LOST.
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kRunning);
  EXPECT_EQ(bench.reconcile(framework, {}).at(0).state, TaskState::kRunning);
}

TEST(Agents, ThatComeBackWithoutATaskHaveLostItForGood) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.launch(framework, "en-route");
  bench.lose(agent.session);
  bench.pass(80s);
  bench.updates(framework);
  bench.reregister(agent, {framework.info}, {});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kGone);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(Agents, ThatReturnReportWhatEndedMeanwhileThroughTheUpdateAlone) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kRunning);
  bench.lose(agent.session);
  bench.pass(80s);
  bench.updates(framework);
  task.state = TaskState::kFinished;
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_TRUE(bench.updates(framework).empty());
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kFinished));
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kFinished);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(Agents, KeepTheirUnacknowledgedTerminalTasksOutOfUnreachability) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kFinished);
  bench.updates(framework);
  bench.lose(agent.session);
  bench.pass(80s);
  EXPECT_TRUE(bench.updates(framework).empty()) << "FINISHED must not become UNREACHABLE";
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.acknowledge(framework, task, task.update_uuid);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_EQ(bench.take<AcknowledgeUpdates>(agent.session).size(), 1u);
}

TEST(Agents, ThatUnregisterAreGoneWithTheirTasks) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.launch(framework, "t");
  bench.say(agent.session, UnregisterAgent{});
  EXPECT_TRUE(bench.updates(framework).empty()) << "before the registry is durable";
  bench.settle();
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kGone);
  const MasterTotals totals = bench.master().totals();
  EXPECT_EQ(totals.agents_active + totals.agents_disconnected + totals.agents_unreachable, 0u);
  // Also under the next leader.
  bench.restart();
  bench.reregister(agent);
  EXPECT_EQ(bench.take<ShutdownAgent>(agent.session).size(), 1u);
}

TEST(Agents, ThatGoForGoodTellHowTasksEndedWhoseUpdateStillWaited) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  const TaskStatus running{.task_id = task.id, .state = TaskState::kRunning, .uuid = {1, 1}};
  bench.say(agent.session, StatusUpdates{{{framework.info.id, running, TaskState::kFailed}}});
  bench.settle();
  bench.updates(framework);
  bench.say(agent.session, UnregisterAgent{});
  bench.settle();
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kFailed);
}

TEST(Agents, ThatComeBackWhileTheyAreGivenUpAreTakenBackAfterwards) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.lose(agent.session);
  bench.now.mono += 80s;
  bench.master().on_time(bench.now);
  bench.now.mono += 80s;
  for (int i = 0; i < 5; ++i) {
    bench.now.mono += 15s;
    bench.master().on_time(bench.now);
  }
  bench.master().work(bench.now);
  ASSERT_EQ(bench.effects.writes.size(), 1u);  // UNREACHABLE is on its way to the disk
  bench.reregister(agent, {framework.info}, {task});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[0].state, TaskState::kUnreachable);
  EXPECT_EQ(statuses[1].state, TaskState::kStarting) << "nothing leads back to STAGING";
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_TRUE(bench.store.contains("agents/" + agent.info.id.value));
}

TEST(Agents, ThatAreGivenUpWhileTheyComeBackAreTakenBackAfterwards) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.restart();
  agent.info.attributes = {{.name = "rack", .value = "r2"}};
  agent.session = bench.new_session();
  bench.say(agent.session, AgentToMaster(Hello{}));
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.master().work(bench.now);
  ASSERT_EQ(bench.effects.writes.size(), 1u);  // what it is now is on its way to the disk
  bench.now.mono += 10min;
  bench.master().on_time(bench.now);
  bench.settle();
  EXPECT_EQ(bench.events().count<event::AgentUnreachable>(), 1);
  EXPECT_EQ(bench.take<Registered>(agent.session).size(), 1u);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_TRUE(bench.store.contains("agents/" + agent.info.id.value));
  EXPECT_FALSE(bench.store.contains("unreachable/" + agent.info.id.value));
}

}  // namespace
}  // namespace tepui
