// How an agent comes back that says no more than a master may not know.
#include <gtest/gtest.h>

#include "common/fingerprint.h"
#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

// A cluster with a running task, and how its agent tells of it in short.
class CompactRegistration : public ::testing::Test {
 protected:
  CompactRegistration() {
    task = bench.launch(framework, "t");
    bench.update(agent, task, TaskState::kRunning);
  }

  ReregisterCompactly words() const {
    return {.id = agent.info.id,
            .info_hash = fingerprint(agent.info),
            .frameworks = {framework.info.id},
            .tasks = {task}};
  }
  ReregisterCompactly words_and_frameworks() const {
    ReregisterCompactly message = words();
    message.framework_infos = {framework.info};
    return message;
  }
  void say_anew(ReregisterCompactly message) {
    agent.session = bench.new_session();
    bench.say(agent.session, AgentToMaster(Hello{}));
    bench.say(agent.session, std::move(message));
    bench.settle();
  }
  size_t registered() { return bench.take<Registered>(agent.session).size(); }
  uint32_t frameworks() {
    const MasterTotals totals = bench.master().totals();
    return totals.frameworks_active + totals.frameworks_disconnected;
  }
  size_t asked_for_the_whole() { return bench.take<ReregisterFully>(agent.session).size(); }

  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  Task task;
};

TEST_F(CompactRegistration, IsOfferedToAgentsAndNotToSchedulers) {
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  EXPECT_EQ(bench.take<HelloReply>(session).at(0).capabilities,
            std::vector<std::string>{"COMPACT_REREGISTRATION"});
  const SessionId scheduler = bench.new_session();
  bench.say(scheduler, SchedulerToMaster(Hello{}));
  EXPECT_TRUE(bench.take<HelloReply>(scheduler).at(0).capabilities.empty());
}

TEST_F(CompactRegistration, IsEnoughForTheNextLeader) {
  bench.restart();
  bench.resubscribe(framework);
  say_anew(words());
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(asked_for_the_whole(), 0u);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.say(framework.session, Reconcile{});
  bench.settle();
  const auto updates = bench.updates(framework);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].task_id, task.id);
  EXPECT_EQ(updates[0].state, TaskState::kRunning);
  EXPECT_EQ(updates[0].agent_id, agent.info.id);
}

TEST_F(CompactRegistration, IsEnoughForTheSameLeader) {
  bench.lose(agent.session);
  say_anew(words());
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_TRUE(bench.take<ReconcileTasks>(agent.session).empty());
}

TEST_F(CompactRegistration, AFrameworkThatNobodyDescribedIsAskedFor) {
  bench.restart();
  say_anew(words());
  EXPECT_EQ(registered(), 0u);
  EXPECT_EQ(asked_for_the_whole(), 1u);
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.settle();
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST_F(CompactRegistration, AFrameworkThatNobodyElseDescribedIsTakenFromTheAgent) {
  bench.restart();
  say_anew(words_and_frameworks());
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(asked_for_the_whole(), 0u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_EQ(frameworks(), 1u);
  bench.resubscribe(framework);
  bench.say(framework.session, Reconcile{});
  bench.settle();
  const auto updates = bench.updates(framework);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].task_id, task.id);
  EXPECT_EQ(updates[0].state, TaskState::kRunning);
}

TEST_F(CompactRegistration, OnlyWhatIsStillUnknownOfTheFrameworksIsAskedFor) {
  const TestFramework other = bench.framework();
  bench.restart();
  ReregisterCompactly message = words_and_frameworks();
  message.frameworks.push_back(other.info.id);
  say_anew(message);
  EXPECT_EQ(asked_for_the_whole(), 1u) << "one of two is described";
  EXPECT_EQ(frameworks(), 0u);
  message.framework_infos.push_back(other.info);
  say_anew(message);
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(frameworks(), 2u);
}

TEST_F(CompactRegistration, WhatAFrameworkSaysOfItselfOutweighsWhatAgentsRemember) {
  bench.restart();
  bench.resubscribe(framework);
  ReregisterCompactly message = words_and_frameworks();
  message.framework_infos[0].capabilities = 0;
  message.framework_infos[0].name = "of old";
  say_anew(message);
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(frameworks(), 1u);
  bench.lose(agent.session);
  bench.pass(100s);
  const auto updates = bench.updates(framework);
  ASSERT_FALSE(updates.empty());
  EXPECT_EQ(updates.back().state, framework.info.has(FrameworkCapability::kPartitionAware)
                                      ? TaskState::kUnreachable
                                      : TaskState::kLost);
}

TEST_F(CompactRegistration, ADescribedFrameworkThatIsCompletedIsShutDownOnce) {
  bench.lose(agent.session);
  bench.say(framework.session, Teardown{});
  bench.settle();
  say_anew(words_and_frameworks());
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
  EXPECT_EQ(frameworks(), 0u);
}

TEST_F(CompactRegistration, DescriptionsThatDoNotFitEndTheSession) {
  const TestFramework other = bench.framework();
  const auto refusal = [&](const ReregisterCompactly& message) {
    say_anew(message);
    EXPECT_EQ(registered(), 0u);
    return bench.effects.closed[agent.session];
  };
  ReregisterCompactly message = words_and_frameworks();
  message.framework_infos[0].id = {};
  EXPECT_EQ(refusal(message), "a framework of the agent has no id");
  message = words_and_frameworks();
  message.framework_infos[0].roles = {"a/../b"};
  EXPECT_NE(refusal(message).find("a/../b"), std::string::npos);
  const std::string out_of_place =
      "' is described but not named, or not described in the order of the names";
  message = words_and_frameworks();
  message.framework_infos[0] = other.info;
  EXPECT_EQ(refusal(message), "framework '" + other.info.id.value + out_of_place);
  message = words_and_frameworks();
  message.framework_infos.push_back(framework.info);
  EXPECT_EQ(refusal(message), "framework '" + framework.info.id.value + out_of_place);
  message = words();
  message.frameworks = {framework.info.id, other.info.id};
  message.framework_infos = {other.info, framework.info};
  EXPECT_EQ(refusal(message), "framework '" + framework.info.id.value + out_of_place);
}

TEST_F(CompactRegistration, AnAgentThatChangedIsAskedForTheWholeAndRecordedAnew) {
  bench.restart();
  bench.resubscribe(framework);
  agent.info.resources += Resources::scalars({{"gpus", 1000}});
  const std::string before = bench.store.at("agents/" + agent.info.id.value);
  say_anew(words());
  EXPECT_EQ(registered(), 0u);
  EXPECT_EQ(asked_for_the_whole(), 1u);
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.settle();
  EXPECT_EQ(registered(), 1u);
  EXPECT_NE(bench.store.at("agents/" + agent.info.id.value), before);
  say_anew(words());  // and now its hash is enough
  EXPECT_EQ(registered(), 1u);
}

TEST_F(CompactRegistration, AnUnreachableAgentIsAskedForTheWhole) {
  bench.pass(100s);
  ASSERT_EQ(bench.master().totals().agents_unreachable, 1u);
  say_anew(words());
  EXPECT_EQ(asked_for_the_whole(), 1u);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
}

TEST_F(CompactRegistration, AnAgentThatIsGoneIsShutDownOnlyWhenItSaidWhoItIs) {
  bench.say(agent.session, UnregisterAgent{});
  bench.settle();
  say_anew(words());
  EXPECT_EQ(asked_for_the_whole(), 1u);
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.settle();
  EXPECT_EQ(bench.take<ShutdownAgent>(agent.session).size(), 1u);
}

TEST_F(CompactRegistration, ARepeatedRequestNeedsNoWords) {
  bench.restart();
  bench.resubscribe(framework);
  say_anew(words());
  ASSERT_EQ(registered(), 1u);
  bench.say(agent.session, ReregisterCompactly{.id = agent.info.id, .repeated = true});
  bench.settle();
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(asked_for_the_whole(), 0u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST_F(CompactRegistration, ARepeatedRequestWhoseFirstIsLostIsAskedForTheWhole) {
  bench.restart();
  bench.resubscribe(framework);
  say_anew({.id = agent.info.id, .repeated = true});
  EXPECT_EQ(registered(), 0u);
  EXPECT_EQ(asked_for_the_whole(), 1u);
  EXPECT_EQ(bench.master().totals().agents_recovered, 1u);
}

TEST_F(CompactRegistration, OrdersThatTheAgentMayHaveMissedComeAgain) {
  bench.lose(agent.session);
  ReregisterCompactly nothing = words();
  nothing.tasks.clear();
  say_anew(nothing);
  ASSERT_EQ(bench.take<ReconcileTasks>(agent.session).size(), 1u);
  bench.say(agent.session, ReregisterCompactly{.id = agent.info.id, .repeated = true});
  bench.settle();
  EXPECT_EQ(asked_for_the_whole(), 1u);
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {}});
  bench.settle();
  EXPECT_EQ(bench.take<ReconcileTasks>(agent.session).size(), 1u);
}

TEST_F(CompactRegistration, TasksOfACompletedFrameworkAreShutDown) {
  bench.lose(agent.session);
  bench.say(framework.session, Teardown{});
  bench.settle();
  say_anew(words());
  EXPECT_EQ(registered(), 1u);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST_F(CompactRegistration, ATaskNoAgentCanKnowEndsTheSession) {
  bench.lose(agent.session);
  task.state = TaskState::kUnreachable;
  say_anew(words());
  EXPECT_EQ(registered(), 0u);
  EXPECT_EQ(bench.effects.closed[agent.session],
            "task 't' is TASK_UNREACHABLE, which no agent can know");
}

}  // namespace
}  // namespace tepui
