// What a framework is told of its tasks, case by case.
#include "master/reconciliation.h"

#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

FrameworkInfo plain_framework() {
  FrameworkInfo info = framework_info();
  info.capabilities = 0;
  return info;
}

void expect_answer(const std::vector<TaskStatus>& statuses, TaskState state) {
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, state);
  EXPECT_EQ(statuses[0].reason, TaskReason::kReconciliation);
  EXPECT_EQ(statuses[0].source, TaskSource::kMaster);
  EXPECT_TRUE(statuses[0].uuid.is_nil());
}

TEST(Reconciliation, AKnownTaskIsAnsweredWithTheStateForwardedLast) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  expect_answer(bench.reconcile(framework, {{task.id, {}}}), TaskState::kStaging);
  bench.update(agent, task, TaskState::kRunning);
  bench.updates(framework);
  expect_answer(bench.reconcile(framework, {{task.id, {}}}), TaskState::kRunning);
}

TEST(Reconciliation, TheStateForwardedCountsNotTheLatest) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  const TaskStatus running{.task_id = task.id, .state = TaskState::kRunning, .uuid = {1, 1}};
  bench.say(agent.session, StatusUpdates{{{framework.info.id, running, TaskState::kFinished}}});
  bench.settle();
  bench.updates(framework);
  expect_answer(bench.reconcile(framework, {{task.id, {}}}), TaskState::kRunning);
}

TEST(Reconciliation, AnUnknownTaskOnARegisteredAgentIsGone) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework aware = bench.framework();
  const TestFramework plain = bench.framework(plain_framework());
  expect_answer(bench.reconcile(aware, {{{"ghost"}, agent.info.id}}), TaskState::kGone);
  expect_answer(bench.reconcile(plain, {{{"ghost"}, agent.info.id}}), TaskState::kLost);
}

TEST(Reconciliation, AnUnknownTaskOnAnUnknownAgentIsUnknown) {
  Bench bench;
  const TestFramework aware = bench.framework();
  const TestFramework plain = bench.framework(plain_framework());
  expect_answer(bench.reconcile(aware, {{{"ghost"}, {"nowhere"}}}), TaskState::kUnknown);
  expect_answer(bench.reconcile(aware, {{{"ghost"}, {}}}), TaskState::kUnknown);
  expect_answer(bench.reconcile(plain, {{{"ghost"}, {"nowhere"}}}), TaskState::kLost);
}

TEST(Reconciliation, AnUnknownTaskOnAnUnreachableAgentIsUnreachable) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework aware = bench.framework();
  const TestFramework plain = bench.framework(plain_framework());
  bench.lose(agent.session);
  bench.pass(80s);
  const auto statuses = bench.reconcile(aware, {{{"ghost"}, agent.info.id}});
  expect_answer(statuses, TaskState::kUnreachable);
  EXPECT_NE(statuses[0].unreachable_time, WallTime{});
  expect_answer(bench.reconcile(plain, {{{"ghost"}, agent.info.id}}), TaskState::kLost);
}

TEST(Reconciliation, AKnownTaskOnAnUnreachableAgentIsUnreachable) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.lose(agent.session);
  bench.pass(80s);
  bench.updates(framework);
  const auto statuses = bench.reconcile(framework, {{task.id, agent.info.id}});
  expect_answer(statuses, TaskState::kUnreachable);
  EXPECT_NE(statuses[0].unreachable_time, WallTime{});
  EXPECT_TRUE(bench.reconcile(framework, {}).empty()) << "implicitly it is not reported";
}

TEST(Reconciliation, ATaskOnAnAgentThatIsGoneForGoodIsGone) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.say(agent.session, UnregisterAgent{});
  bench.settle();
  bench.take<Failure>(framework.session);
  expect_answer(bench.reconcile(framework, {{{"ghost"}, agent.info.id}}), TaskState::kGone);
}

TEST(Reconciliation, ATaskOnAnAgentThatAnOperatorMarkedGoneIsGoneByOperator) {
  Bench bench;
  const TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  EXPECT_EQ(
      bench.command(OperateAgent{.agent_id = agent.info.id, .action = OperateAgent::Action::kGone}),
      "");
  bench.take<Failure>(framework.session);
  expect_answer(bench.reconcile(framework, {{{"ghost"}, agent.info.id}}),
                TaskState::kGoneByOperator);
  bench.restart();
  bench.resubscribe(framework);
  expect_answer(bench.reconcile(framework, {{{"ghost"}, agent.info.id}}),
                TaskState::kGoneByOperator);
}

TEST(Reconciliation, ThereIsSilenceWhileARecoveredAgentIsOut) {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.restart();
  bench.resubscribe(framework);
  EXPECT_TRUE(bench.reconcile(framework, {{task.id, agent.info.id}}).empty());
  EXPECT_TRUE(bench.reconcile(framework, {{task.id, {}}}).empty());
  // Of an agent that nobody knows there is nothing to wait for.
  expect_answer(bench.reconcile(framework, {{task.id, {"nowhere"}}}), TaskState::kUnknown);
  bench.reregister(agent, {framework.info}, {task});
  expect_answer(bench.reconcile(framework, {{task.id, {}}}), TaskState::kStaging);
  expect_answer(bench.reconcile(framework, {{{"ghost"}, {}}}), TaskState::kUnknown);
}

TEST(Reconciliation, ThereIsSilenceWhileTheRegistryWritesThatAnAgentIsBack) {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.restart();
  bench.resubscribe(framework);
  agent.info.version = "2";  // must be recorded first
  agent.session = bench.new_session();
  bench.say(agent.session, AgentToMaster(Hello{}));
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.master().work(bench.now);
  bench.say(framework.session, Reconcile{{{task.id, agent.info.id}}});
  bench.master().work(bench.now);
  EXPECT_TRUE(bench.updates(framework).empty());
  bench.settle();
  expect_answer(bench.reconcile(framework, {{task.id, agent.info.id}}), TaskState::kStaging);
}

TEST(Reconciliation, AfterPartitionAndMasterFailoverTheAgentIsStillUnreachable) {
  Bench bench;
  const TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.lose(agent.session);
  bench.pass(80s);
  bench.restart();
  bench.resubscribe(framework);
  const auto statuses = bench.reconcile(framework, {{task.id, agent.info.id}});
  expect_answer(statuses, TaskState::kUnreachable);
  EXPECT_NE(statuses[0].unreachable_time, WallTime{});
}

TEST(Reconciliation, ImplicitlyAllTasksOfTheFrameworkAreAnswered) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task first = bench.launch(framework, "first");
  bench.say(framework.session, Revive{});
  bench.settle();
  Task second = bench.launch(framework, "second");
  bench.update(agent, second, TaskState::kRunning);
  bench.updates(framework);
  const TestFramework other = bench.framework();
  const auto statuses = bench.reconcile(framework, {});
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[0].state, TaskState::kStaging);
  EXPECT_EQ(statuses[1].state, TaskState::kRunning);
  EXPECT_EQ(statuses[1].agent_id, agent.info.id);
  EXPECT_TRUE(bench.reconcile(other, {}).empty());
}

TEST(Reconciliation, TerminalTasksAreAnsweredUntilTheyAreAcknowledged) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  const Uuid uuid = bench.update(agent, task, TaskState::kFinished);
  bench.updates(framework);
  expect_answer(bench.reconcile(framework, {}), TaskState::kFinished);
  bench.acknowledge(framework, task, uuid);
  EXPECT_TRUE(bench.reconcile(framework, {}).empty());
}

}  // namespace
}  // namespace tepui
