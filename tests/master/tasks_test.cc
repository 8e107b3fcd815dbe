// The way of status updates, acknowledgements and kills through the master.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

struct Running {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t", machine());
};

TEST(Tasks, UpdatesGoToTheSchedulerAndAcknowledgementsToTheAgent) {
  Running r;
  const Uuid uuid = r.bench.update(r.agent, r.task, TaskState::kRunning);
  const auto statuses = r.bench.updates(r.framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kRunning);
  EXPECT_EQ(statuses[0].uuid, uuid);
  EXPECT_EQ(statuses[0].agent_id, r.agent.info.id);
  r.bench.acknowledge(r.framework, r.task, uuid);
  const auto acknowledged = r.bench.take<AcknowledgeUpdates>(r.agent.session);
  ASSERT_EQ(acknowledged.size(), 1u);
  ASSERT_EQ(acknowledged[0].items.size(), 1u);
  EXPECT_EQ(acknowledged[0].items[0].uuid, uuid);
  EXPECT_EQ(acknowledged[0].items[0].framework_id, r.framework.info.id);
  EXPECT_EQ(r.bench.master().totals().tasks, 1u) << "RUNNING does not end a task";
}

TEST(Tasks, ManyUpdatesOfATurnAreOneMessage) {
  Running r;
  for (int i = 1; i <= 3; ++i) {
    const TaskStatus status{.task_id = r.task.id, .state = TaskState::kRunning, .uuid = {9, 9}};
    r.bench.say(r.agent.session,
                StatusUpdates{{{r.framework.info.id, status, TaskState::kRunning}}});
  }
  r.bench.settle();
  const auto parts = r.bench.take<Updates>(r.framework.session);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].statuses.size(), 3u);
}

TEST(Tasks, ATerminalUpdateFreesTheResourcesAndItsAcknowledgementTheTask) {
  Running r;
  const Uuid uuid = r.bench.update(r.agent, r.task, TaskState::kFinished);
  EXPECT_EQ(r.bench.offers(r.framework).at(0).resources, machine());
  EXPECT_EQ(r.bench.master().totals().tasks, 1u);
  r.bench.acknowledge(r.framework, r.task, {7, 7});
  EXPECT_EQ(r.bench.master().totals().tasks, 1u) << "the wrong uuid acknowledges nothing";
  r.bench.acknowledge(r.framework, r.task, uuid);
  EXPECT_EQ(r.bench.master().totals().tasks, 0u);
  EXPECT_EQ(r.bench.events().count<event::TaskRemoved>(), 1);
}

TEST(Tasks, TheLatestStateFreesResourcesBeforeTheFrameworkHearsOfIt) {
  Running r;
  const TaskStatus running{.task_id = r.task.id, .state = TaskState::kRunning, .uuid = {1, 1}};
  r.bench.say(r.agent.session,
              StatusUpdates{{{r.framework.info.id, running, TaskState::kFinished}}});
  r.bench.settle();
  EXPECT_EQ(r.bench.offers(r.framework).at(0).resources, machine());
  EXPECT_EQ(r.bench.updates(r.framework).at(0).state, TaskState::kRunning);
  // Acknowledging RUNNING does not remove it.
  r.bench.acknowledge(r.framework, r.task, {1, 1});
  EXPECT_EQ(r.bench.master().totals().tasks, 1u);
}

TEST(Tasks, TerminalStatesNeverChange) {
  Running r;
  r.bench.update(r.agent, r.task, TaskState::kFailed);
  r.bench.update(r.agent, r.task, TaskState::kRunning);
  EXPECT_EQ(r.bench.events().task_states.back(), TaskState::kFailed);
  EXPECT_EQ(r.bench.master().totals().offers, 1u) << "the resources were freed once";
}

TEST(Tasks, ARepeatedTerminalUpdateFreesNothingTwice) {
  Running r;
  r.bench.update(r.agent, r.task, TaskState::kFinished);
  r.bench.update(r.agent, r.task, TaskState::kFinished);
  EXPECT_EQ(r.bench.updates(r.framework).size(), 2u) << "each is forwarded";
  EXPECT_EQ(r.bench.events().count<event::AgentBroken>(), 0);
}

TEST(Tasks, UpdatesForADisconnectedFrameworkAreLeftToTheAgentToRepeat) {
  Running r;
  r.bench.lose(r.framework.session);
  const Uuid uuid = r.bench.update(r.agent, r.task, TaskState::kFinished);
  EXPECT_TRUE(r.bench.take<AcknowledgeUpdates>(r.agent.session).empty());
  r.bench.resubscribe(r.framework);
  EXPECT_TRUE(r.bench.updates(r.framework).empty());
  EXPECT_EQ(r.bench.reconcile(r.framework, {}).at(0).state, TaskState::kFinished);
  r.bench.say(r.agent.session,
              StatusUpdates{{{r.framework.info.id, r.task.last_status, TaskState::kFinished}}});
  r.bench.settle();
  EXPECT_EQ(r.bench.updates(r.framework).at(0).uuid, uuid);
}

TEST(Tasks, AnUpdateOfATaskThatIsDoneIsForwardedSoThatItIsAcknowledgedAgain) {
  Running r;
  const Uuid uuid = r.bench.update(r.agent, r.task, TaskState::kFinished);
  r.bench.acknowledge(r.framework, r.task, uuid);
  r.bench.updates(r.framework);
  r.bench.take<AcknowledgeUpdates>(r.agent.session);
  r.bench.say(r.agent.session,
              StatusUpdates{{{r.framework.info.id, r.task.last_status, TaskState::kFinished}}});
  r.bench.settle();
  EXPECT_EQ(r.bench.updates(r.framework).at(0).uuid, uuid);
  r.bench.acknowledge(r.framework, r.task, uuid);
  EXPECT_EQ(r.bench.take<AcknowledgeUpdates>(r.agent.session).size(), 1u);
  EXPECT_EQ(r.bench.master().totals().tasks, 0u);
}

TEST(Tasks, AnUpdateForAFrameworkThatIsNotBackYetDoesNotEndIt) {
  Running r;
  r.bench.restart();
  r.bench.reregister(r.agent);  // it has nothing of the framework but one answer to repeat
  r.bench.answer_pings(r.agent.session);
  r.bench.update(r.agent, r.task, TaskState::kGone);
  EXPECT_TRUE(r.bench.take<ShutdownFramework>(r.agent.session).empty());
  EXPECT_EQ(r.bench.events().dropped.back(), "the framework is not back yet");
  r.bench.pass(11min);
  r.bench.update(r.agent, r.task, TaskState::kGone);
  EXPECT_EQ(r.bench.take<ShutdownFramework>(r.agent.session).size(), 1u);
}

TEST(Tasks, AnAgentCannotReportWhatOnlyAMasterKnows) {
  Running r;
  for (const TaskState state : {TaskState::kStaging, TaskState::kUnknown, TaskState::kUnreachable,
                                TaskState::kGoneByOperator}) {
    const TaskStatus status{.task_id = r.task.id, .state = state, .uuid = {1, 1}};
    r.bench.say(r.agent.session, StatusUpdates{{{r.framework.info.id, status, state}}});
  }
  r.bench.settle();
  EXPECT_TRUE(r.bench.updates(r.framework).empty());
  EXPECT_EQ(r.bench.events().count<event::MessageDropped>(), 4);
}

TEST(Tasks, AcknowledgementsForDisconnectedAgentsOrWithoutUuidAreDropped) {
  Running r;
  const Uuid uuid = r.bench.update(r.agent, r.task, TaskState::kFinished);
  r.bench.acknowledge(r.framework, r.task, Uuid{});
  r.bench.lose(r.agent.session);
  r.bench.acknowledge(r.framework, r.task, uuid);
  EXPECT_EQ(r.bench.events().count<event::MessageDropped>(), 2);
  EXPECT_EQ(r.bench.master().totals().tasks, 1u);
}

// What the framework saw before the agent died, it may acknowledge after the agent is back, and
// before the agent has repeated it.
TEST(Tasks, AnAcknowledgementOfAnEarlierSessionIsLeftToBeRepeated) {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kRunning);
  const Task as_acknowledged = task;
  const Uuid uuid = bench.update(agent, task, TaskState::kFinished);
  bench.restart();
  bench.resubscribe(framework);
  Task told = as_acknowledged;  // the agent has forwarded nothing in its new life
  told.state = TaskState::kFinished;
  bench.reregister(agent, {framework.info}, {told});
  bench.take<AcknowledgeUpdates>(agent.session);
  bench.acknowledge(framework, task, uuid);
  EXPECT_TRUE(bench.take<AcknowledgeUpdates>(agent.session).empty());
  EXPECT_EQ(bench.master().totals().tasks, 1u);

  const TaskStatus repeated{.task_id = task.id,
                            .state = TaskState::kFinished,
                            .source = TaskSource::kAgent,
                            .uuid = uuid,
                            .agent_id = agent.info.id};
  bench.say(agent.session, StatusUpdates{{{framework.info.id, repeated, TaskState::kFinished}}});
  bench.settle();
  bench.acknowledge(framework, task, uuid);
  EXPECT_EQ(bench.take<AcknowledgeUpdates>(agent.session).size(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(Tasks, KillsGoToTheAgentOfTheTask) {
  Running r;
  r.bench.say(r.framework.session, Kill{.task_id = r.task.id, .kill_policy = KillPolicy{9s}});
  r.bench.settle();
  const auto kills = r.bench.take<KillTask>(r.agent.session);
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].kill_policy, KillPolicy{9s});
  r.bench.say(r.framework.session, Kill{.task_id = r.task.id, .agent_id = {"another"}});
  r.bench.settle();
  EXPECT_TRUE(r.bench.take<KillTask>(r.agent.session).empty());
  EXPECT_EQ(r.bench.events().dropped.back(), "the task is on another agent");
}

TEST(Tasks, AKillNeverOvertakesItsLaunch) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Accept accept{.offers = {bench.offers(framework).at(0).id}};
  accept.operations.push_back({.tasks = {task_info("t")}});
  bench.say(framework.session, Accepts{{accept}});
  bench.say(framework.session, Kill{.task_id = {"t"}});
  bench.settle();
  std::vector<std::string> order;
  for (const auto& sent : bench.effects.sent[agent.session]) {
    const auto& message = std::get<MasterToAgent>(sent);
    if (std::holds_alternative<LaunchTasks>(message)) order.push_back("launch");
    if (std::holds_alternative<KillTask>(message)) order.push_back("kill");
  }
  EXPECT_EQ(order, (std::vector<std::string>{"launch", "kill"}));
}

TEST(Tasks, KillingAnUnknownTaskIsReconciledInstead) {
  Running r;
  r.bench.say(r.framework.session, Kill{.task_id = {"ghost"}, .agent_id = r.agent.info.id});
  r.bench.settle();
  auto statuses = r.bench.updates(r.framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kGone);
  EXPECT_EQ(statuses[0].reason, TaskReason::kReconciliation);
  r.bench.say(r.framework.session, Kill{.task_id = {"ghost"}});
  r.bench.settle();
  EXPECT_EQ(r.bench.updates(r.framework).at(0).state, TaskState::kUnknown);
}

TEST(Tasks, KillingATaskOnAnUnreachableAgentIsReconciledInstead) {
  Running r;
  r.bench.lose(r.agent.session);
  r.bench.pass(80s);
  r.bench.updates(r.framework);
  r.bench.say(r.framework.session, Kill{.task_id = r.task.id});
  r.bench.settle();
  EXPECT_EQ(r.bench.updates(r.framework).at(0).state, TaskState::kUnreachable);
}

TEST(Tasks, AnOperatorMayKillThem) {
  Running r;
  const SessionId operator_session = r.bench.new_session();
  const auto ask = [&](const FrameworkId& framework, const TaskId& task) {
    r.bench.master().on_message(
        r.bench.now, operator_session, "op",
        OperatorKill{.request = 7, .framework_id = framework, .task_id = task});
    return r.bench.take<RequestDone>(operator_session).at(0);
  };
  const RequestDone done = ask(r.framework.info.id, r.task.id);
  EXPECT_EQ(done.request, 7u);
  EXPECT_EQ(done.error, "");
  EXPECT_EQ(r.bench.take<KillTask>(r.agent.session).size(), 1u);
  EXPECT_EQ(ask(r.framework.info.id, {"ghost"}).error, "task 'ghost' is not known");
  EXPECT_EQ(ask({"ghost"}, r.task.id).error, "framework 'ghost' is not known");
}

TEST(Tasks, AreReplayedWithEverythingElse) {
  Running r;
  r.bench.agent();
  r.bench.settle();
  EventCounts seen;
  ReplayCursor cursor;
  int slices = 0;
  while (!r.bench.master().replay_state(seen, cursor, 1)) ++slices;
  EXPECT_GE(slices, 3);
  EXPECT_EQ(seen.count<event::AgentAdded>(), 2);
  EXPECT_EQ(seen.count<event::FrameworkAdded>(), 1);
  EXPECT_EQ(seen.count<event::TaskAdded>(), 1);
  EXPECT_EQ(seen.count<event::OfferMade>(), 1);
}

}  // namespace
}  // namespace tepui
