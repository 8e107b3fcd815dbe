// Agents that operators deactivate, drain, reactivate and mark as gone.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

using Action = OperateAgent::Action;

OperateAgent act(const TestAgent& agent, Action action) {
  return {.agent_id = agent.info.id, .action = action};
}

TEST(Drain, ADeactivatedAgentIsNotOfferedUntilItIsReactivated) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  ASSERT_EQ(bench.offers(framework).size(), 1u);
  EXPECT_EQ(bench.command(act(agent, Action::kDeactivate)), "");
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
  bench.pass(3s);
  EXPECT_TRUE(bench.offers(framework).empty());
  EXPECT_EQ(bench.command(act(agent, Action::kReactivate)), "");
  bench.pass(1s);
  EXPECT_EQ(bench.offers(framework).size(), 1u);
  EXPECT_EQ(bench.command(act(agent, Action::kReactivate)), "the agent is not deactivated");
}

TEST(Drain, EmptiesTheAgentAndThenItIsDrained) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  OperateAgent drain = act(agent, Action::kDrain);
  drain.max_grace = 7s;
  EXPECT_EQ(bench.command(drain), "");
  const auto told = bench.take<DrainAgent>(agent.session);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].max_grace, Duration(7s));
  EXPECT_EQ(bench.command(act(agent, Action::kReactivate)),
            "the agent is still draining: wait until it is drained");
  EXPECT_EQ(bench.command(act(agent, Action::kDeactivate)), "the agent is draining");

  // A task that ended counts until its end is acknowledged.
  const Uuid killed = bench.update(agent, task, TaskState::kKilled);
  EXPECT_NE(bench.command(act(agent, Action::kReactivate)), "");
  bench.acknowledge(framework, task, killed);
  EXPECT_EQ(bench.command(act(agent, Action::kDeactivate)), "the agent is drained");
  EXPECT_EQ(bench.command(act(agent, Action::kReactivate)), "");
  EXPECT_FALSE(bench.store.contains("drain/" + agent.info.id.value));
}

TEST(Drain, IsSaidAgainToAnAgentThatComesBackToANewLeader) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  task.state = TaskState::kRunning;
  EXPECT_EQ(bench.command(act(agent, Action::kDrain)), "");
  bench.restart();
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.take<DrainAgent>(agent.session).size(), 1u);
  const TestFramework other = bench.framework();
  bench.pass(2s);
  EXPECT_TRUE(bench.offers(other).empty());
}

TEST(Drain, AnAgentOutOfReachIsDrainedWhenItIsBack) {
  Bench bench;
  TestAgent agent = bench.agent();
  bench.lose(agent.session);
  EXPECT_EQ(bench.command(act(agent, Action::kDrain)), "");
  EXPECT_NE(bench.command(act(agent, Action::kReactivate)), "");
  bench.reregister(agent);
  EXPECT_EQ(bench.command(act(agent, Action::kReactivate)), "");
}

TEST(Drain, CanEndWithTheAgentGone) {
  Bench bench;
  TestAgent agent = bench.agent();
  OperateAgent drain = act(agent, Action::kDrain);
  drain.mark_gone = true;
  EXPECT_EQ(bench.command(drain), "");
  bench.settle();
  EXPECT_TRUE(bench.store.contains("gone/" + agent.info.id.value));
  EXPECT_FALSE(bench.store.contains("drain/" + agent.info.id.value));
  bench.reregister(agent);
  EXPECT_EQ(bench.take<ShutdownAgent>(agent.session).size(), 1u);
}

TEST(Drain, TasksOfAnAgentThatIsGoneAreGoneByOperator) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.launch(framework, "t");
  EXPECT_EQ(bench.command(act(agent, Action::kGone)), "");
  const auto updates = bench.updates(framework);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].state, TaskState::kGoneByOperator);
  EXPECT_EQ(bench.command(act(agent, Action::kGone)),
            "agent '" + agent.info.id.value + "' is gone");
  EXPECT_EQ(bench.command(OperateAgent{.agent_id = {"none"}}), "agent 'none' is not known");
}

TEST(Drain, ANegativeGraceIsRefused) {
  Bench bench;
  const TestAgent agent = bench.agent();
  OperateAgent drain = act(agent, Action::kDrain);
  drain.max_grace = -1s;
  EXPECT_EQ(bench.command(drain), "the grace period is negative");
}

TEST(Teardown, OfAFrameworkByAnOperator) {
  Bench bench;
  const TestFramework framework = bench.framework();
  EXPECT_EQ(bench.command(TeardownFramework{.framework_id = framework.info.id}), "");
  EXPECT_EQ(bench.master().totals().frameworks_active, 0u);
  EXPECT_NE(bench.command(TeardownFramework{.framework_id = framework.info.id}), "");
}

TEST(Explain, CountsAgentsByCause) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.agent();
  const TestFramework framework = bench.framework(framework_info("eng"));
  ASSERT_EQ(bench.command(act(agent, Action::kDeactivate)), "");
  const SessionId session = bench.new_session();
  bench.master().on_message(bench.now, session, "op",
                            Explain{.request = 3, .framework_id = framework.info.id});
  const auto answers = bench.take<Explanation>(session);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(answers[0].roles.size(), 1u);
  const Explanation::Role& role = answers[0].roles[0];
  EXPECT_EQ(role.role, "eng");
  EXPECT_TRUE(role.active);
  EXPECT_FALSE(role.suppressed);
  uint32_t agents = 0;
  for (const Explanation::Cause& cause : role.causes) {
    agents += cause.agents;
    EXPECT_NE(cause.advice, "") << cause.name;
  }
  EXPECT_EQ(agents, 2u);
  EXPECT_EQ(role.causes.size(), 2u);
  EXPECT_NE(bench.command(Explain{.framework_id = framework.info.id, .role = "other"}), "");
  EXPECT_NE(bench.command(Explain{.framework_id = {"none"}}), "");
}

TEST(Explain, SaysThatAfterAnElectionNothingIsOfferedWhileThereIsQuota) {
  Bench bench;
  TestAgent first = bench.agent();
  TestAgent second = bench.agent();
  TestFramework framework = bench.framework();
  ASSERT_EQ(
      bench.command(UpdateQuota{
          .quotas = {{.role = "eng", .quota = {.guarantees = machine(1000, 0).quantities()}}}}),
      "");
  const auto explained = [&] {
    const SessionId session = bench.new_session();
    bench.master().on_message(bench.now, session, "op",
                              Explain{.request = 3, .framework_id = framework.info.id});
    return bench.take<Explanation>(session).at(0).roles.at(0);
  };
  EXPECT_FALSE(explained().paused);
  bench.restart();
  bench.resubscribe(framework);
  bench.reregister(first);
  EXPECT_TRUE(bench.offers(framework).empty());
  EXPECT_TRUE(explained().paused);
  EXPECT_TRUE(explained().advice.starts_with("wait: the master has just been elected"))
      << explained().advice;
  bench.reregister(second);
  EXPECT_FALSE(explained().paused);
  EXPECT_FALSE(bench.offers(framework).empty());
}

}  // namespace
}  // namespace tepui
