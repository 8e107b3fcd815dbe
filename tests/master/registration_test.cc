// How agents come, come back under the same leader, and come back to a new one.
#include <gtest/gtest.h>

#include "common/registry.h"
#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

TEST(Registration, IsAnsweredOnlyWhenTheRegistryIsDurable) {
  Bench bench;
  const SessionId session = bench.new_session();
  AgentInfo info{.hostname = "h", .address = "10.0.0.1:5051", .resources = machine()};
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{info});
  bench.master().work(bench.now);
  ASSERT_EQ(bench.effects.writes.size(), 1u);
  EXPECT_TRUE(bench.take<Registered>(session).empty());
  bench.persist_all();
  const auto registered = bench.take<Registered>(session);
  ASSERT_EQ(registered.size(), 1u);
  EXPECT_EQ(registered[0].ping_timeout, 75s);
  EXPECT_TRUE(bench.store.contains("agents/" + registered[0].agent_id.value));
  EXPECT_TRUE(registered[0].agent_id.value.ends_with("-e1-a1"));
}

TEST(Registration, ManyAgentsOfATurnAreOneWrite) {
  Bench bench;
  for (int i = 0; i < 10; ++i) {
    const SessionId session = bench.new_session();
    bench.say(session, AgentToMaster(Hello{}));
    bench.say(session,
              RegisterAgent{{.hostname = "h" + std::to_string(i), .resources = machine()}});
  }
  bench.master().work(bench.now);
  ASSERT_EQ(bench.effects.writes.size(), 1u);
  // What comes while a write is under way waits for the next one.
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = "late", .resources = machine()}});
  bench.master().work(bench.now);
  EXPECT_EQ(bench.effects.writes.size(), 1u);
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_active, 11u);
}

TEST(Registration, AFailedWriteMakesTheMasterResign) {
  Bench bench;
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = "h", .resources = machine()}});
  bench.master().work(bench.now);
  bench.master().on_persist_failed(bench.now, bench.effects.writes.at(0).token, {"disk full"});
  ASSERT_EQ(bench.effects.resignations.size(), 1u);
  EXPECT_EQ(bench.effects.resignations[0], "the registry cannot be written: disk full");
  EXPECT_TRUE(bench.take<Registered>(session).empty());
}

TEST(Registration, AnAgentThatGoesBeforeItIsAdmittedLeavesNothing) {
  Bench bench;
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = "h", .resources = machine()}});
  bench.master().work(bench.now);
  bench.lose(session);
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_active, 0u);
  for (const auto& [key, value] : bench.store) EXPECT_FALSE(key.starts_with("agents/")) << key;
}

TEST(Registration, RepeatedRequestsGetTheSameId) {
  Bench bench;
  const TestAgent agent = bench.agent();
  AgentInfo info = agent.info;
  info.id = {};
  bench.say(agent.session, RegisterAgent{info});
  bench.settle();
  const auto again = bench.take<Registered>(agent.session);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].agent_id, agent.info.id);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Registration, MalformedInfosAreRejected) {
  Bench bench;
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = ""}});
  EXPECT_EQ(bench.events().rejected.back(), "agent hostname is empty");
  EXPECT_TRUE(bench.effects.closed.contains(session));
}

TEST(Registration, TheAgentIsAskedOfTheAuthorizer) {
  struct Refuse final : Authorizer {
    bool authorize(std::string_view, Action action, std::string_view) override {
      return action != Action::kRegisterAgent;
    }
  } refuse;
  Bench bench;
  bench.authorizer = &refuse;
  bench.restart();
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{.principal = "mallory"}));
  bench.say(session, RegisterAgent{{.hostname = "h", .resources = machine()}});
  const auto shutdown = bench.take<ShutdownAgent>(session);
  ASSERT_EQ(shutdown.size(), 1u);
  EXPECT_EQ(shutdown[0].message, "'mallory' may not register agents");
}

TEST(Registration, AnAgentThatReconnectsKeepsItsTasksAndNobodyHearsOfIt) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kRunning));
  bench.updates(framework);
  bench.lose(agent.session);
  EXPECT_EQ(bench.master().totals().agents_disconnected, 1u);
  bench.reregister(agent, {framework.info}, {task});
  const auto registered = bench.take<Registered>(agent.session);
  ASSERT_EQ(registered.size(), 1u);
  EXPECT_TRUE(registered[0].reregistered);
  EXPECT_TRUE(bench.take<ReconcileTasks>(agent.session).empty());
  EXPECT_TRUE(bench.updates(framework).empty());
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_EQ(bench.events().count<event::TaskAdded>(), 1);
}

TEST(Registration, AnAgentThatGrewOffersWhatItHasMoreBesideItsTasks) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kRunning));
  bench.updates(framework);
  bench.lose(agent.session);
  agent.info.resources = machine(16000, 32768000);
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_TRUE(bench.updates(framework).empty());
  EXPECT_TRUE(bench.take<ReconcileTasks>(agent.session).empty());
  // The rest of it was refused for long when it was smaller.
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources, agent.info.resources - task.kind->resources);
  // The next leader knows the new total.
  const Result<Registry> registry = Registry::load(bench.store);
  ASSERT_TRUE(registry.has_value());
  EXPECT_EQ(registry->agents().at(agent.info.id), agent.info);
}

TEST(Registration, WhatWasOfferedOfAnAgentThatChangedIsRescinded) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto before = bench.offers(framework);
  ASSERT_EQ(before.size(), 1u);
  // Its new process is here before the old session is known to be lost.
  agent.info.resources = machine(16000, 32768000);
  bench.reregister(agent);
  const auto rescinded = bench.take<Rescind>(framework.session);
  ASSERT_EQ(rescinded.size(), 1u);
  EXPECT_EQ(rescinded[0].offers, std::vector{before[0].id});
  const auto after = bench.offers(framework);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].resources, agent.info.resources);
}

TEST(Registration, RefusalsEndWhenTheAttributesOfTheAgentChange) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.decline(framework, bench.offers(framework).at(0).id, 24h);
  bench.lose(agent.session);
  bench.reregister(agent);
  EXPECT_TRUE(bench.offers(framework).empty()) << "nothing changed";
  bench.lose(agent.session);
  agent.info.attributes = parse_attributes("rack:r2").value();
  bench.reregister(agent);
  EXPECT_EQ(bench.offers(framework).size(), 1u);
}

TEST(Registration, ANewerSessionOfAnAgentReplacesTheOld) {
  Bench bench;
  TestAgent agent = bench.agent();
  const SessionId old = agent.session;
  bench.reregister(agent);
  EXPECT_EQ(bench.effects.closed[old], "the agent has a newer session");
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  // What the old session still says is not heard.
  bench.effects.closed.erase(old);
  bench.say(old, UnregisterAgent{});
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Registration, WhatArrivesLateInAnOlderSessionIsNotHeard) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task running = bench.launch(framework, "t");
  const SessionId stale = bench.new_session();  // opened, and given up before a word arrived
  Task task = running;
  bench.reregister(agent, {framework.info}, {task});
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kFinished));
  for (const bool newer_is_lost : {false, true}) {
    if (newer_is_lost) bench.lose(agent.session);
    bench.effects.closed.erase(stale);
    bench.say(stale, AgentToMaster(Hello{}));
    bench.say(stale, ReregisterAgent{agent.info, {framework.info}, {running}});
    bench.settle();
    EXPECT_EQ(bench.effects.closed[stale], "the agent has a newer session");
    EXPECT_EQ(bench.master().totals().tasks, 0u) << "it is FINISHED and acknowledged";
    EXPECT_EQ(bench.master().totals().agents_active, newer_is_lost ? 0u : 1u);
  }
}

TEST(Registration, ARequestThatArrivesLateDoesNotReplaceTheAgentItBecame) {
  Bench bench;
  const SessionId stale = bench.new_session();
  const TestAgent agent = bench.agent(machine(), "same");
  AgentInfo anew = agent.info;
  anew.id = {};
  bench.say(stale, AgentToMaster(Hello{}));
  bench.say(stale, RegisterAgent{anew});
  bench.settle();
  EXPECT_TRUE(bench.effects.closed.contains(stale));
  EXPECT_FALSE(bench.effects.closed.contains(agent.session));
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_TRUE(bench.store.contains("agents/" + agent.info.id.value));
}

TEST(Registration, ATaskThatTheAgentDoesNotNameIsAskedFor) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "lost-on-the-way");
  bench.lose(agent.session);
  bench.reregister(agent, {framework.info}, {});
  const auto asked = bench.take<ReconcileTasks>(agent.session);
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_EQ(asked[0].items.size(), 1u);
  EXPECT_EQ(asked[0].items[0].task_id, task.id);
  EXPECT_TRUE(asked[0].items[0].partition_aware);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Registration, ATaskInFlightOnTheSameSessionIsAskedForAfterItsLaunch) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  Accept accept{.offers = {offers.at(0).id}};
  accept.operations.push_back({.tasks = {task_info("t")}});
  bench.say(framework.session, Accepts{{accept}});
  bench.say(agent.session, ReregisterAgent{agent.info, {}, {}});  // in the same turn
  bench.settle();
  std::vector<std::string> order;
  for (const auto& sent : bench.effects.sent[agent.session]) {
    const auto& message = std::get<MasterToAgent>(sent);
    if (std::holds_alternative<LaunchTasks>(message)) order.push_back("launch");
    if (std::holds_alternative<ReconcileTasks>(message)) order.push_back("reconcile");
  }
  EXPECT_EQ(order, (std::vector<std::string>{"launch", "reconcile"}));
}

TEST(Registration, AnAcknowledgementMayCrossARepeatedRequest) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  const Uuid uuid = bench.update(agent, task, TaskState::kFinished);
  bench.lose(agent.session);
  bench.reregister(agent, {framework.info}, {task});
  bench.acknowledge(framework, task, uuid);
  ASSERT_EQ(bench.master().totals().tasks, 0u);
  // The agent asked twice, and has the acknowledgement only now.
  bench.say(agent.session, ReregisterAgent{agent.info, {framework.info}, {task}});
  bench.settle();
  EXPECT_EQ(bench.master().totals().tasks, 0u) << "nobody would acknowledge it any more";
}

TEST(Registration, KillsThatTheAgentMissedAreRepeated) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kRunning);
  bench.lose(agent.session);
  bench.say(framework.session, Kill{.task_id = task.id, .kill_policy = KillPolicy{5s}});
  bench.reregister(agent, {framework.info}, {task});
  const auto kills = bench.take<KillTask>(agent.session);
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].task_id, task.id);
  EXPECT_EQ(kills[0].kill_policy, KillPolicy{5s});
}

TEST(Registration, WhatEndedWhileTheAgentWasAwayIsFreeAtOnce) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t", machine());
  bench.lose(agent.session);
  task.state = TaskState::kFinished;  // its update comes later
  bench.reregister(agent, {framework.info}, {task});
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources, machine());
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Registration, AnAcknowledgedTerminalTaskIsNotKeptForTheAgent) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(agent, task, TaskState::kFinished);
  bench.lose(agent.session);
  // The agent had its acknowledgement through an earlier life of the framework.
  bench.reregister(agent, {framework.info}, {});
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_TRUE(bench.take<ReconcileTasks>(agent.session).empty());
}

TEST(Registration, ANewAgentInTheSamePlaceEndsTheOldOneAndItsTasks) {
  Bench bench;
  TestAgent old = bench.agent(machine(), "same");
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.update(old, task, TaskState::kRunning);
  bench.updates(framework);
  bench.lose(old.session);
  const TestAgent fresh = bench.agent(machine(), "same");
  EXPECT_NE(fresh.info.id, old.info.id);
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kGone);
  EXPECT_EQ(statuses[0].reason, TaskReason::kAgentRemoved);
  EXPECT_TRUE(statuses[0].uuid.is_nil());
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_EQ(bench.take<Failure>(framework.session).size(), 1u);
  EXPECT_FALSE(bench.store.contains("agents/" + old.info.id.value));
  // If it lives after all, it must end: its tasks have been declared dead.
  bench.reregister(old, {framework.info}, {task});
  EXPECT_EQ(bench.take<ShutdownAgent>(old.session).size(), 1u);
}

TEST(Registration, AnAgentWithAnotherAddressOnTheSameHostIsAnother) {
  Bench bench;
  bench.agent(machine(), "same");
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{
                         {.hostname = "same", .address = "10.0.0.1:5052", .resources = machine()}});
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_active, 2u);
}

// ------------------------------------------------------------------------------ a new leader

TEST(MasterRestart, AgentsOfTheRegistryAreRecoveredAndComeBackWithTheirTasks) {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kRunning));

  bench.restart();
  EXPECT_EQ(bench.master().totals().agents_recovered, 1u);
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_TRUE(bench.take<Registered>(agent.session).at(0).reregistered);
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_EQ(bench.master().totals().agents_recovered, 0u);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  EXPECT_EQ(bench.events().count<event::FrameworkRecovered>(), 1);
  EXPECT_EQ(bench.master().totals().frameworks_disconnected, 1u);

  bench.resubscribe(framework);
  EXPECT_EQ(bench.take<Subscribed>(framework.session).at(0).framework_id, framework.info.id);
  EXPECT_EQ(bench.master().totals().frameworks_active, 1u);
  // The task holds its resources under the new leader, too.
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources, machine() - task.kind->resources);
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kFinished));
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(MasterRestart, AllThatTheRegistryKnowsInAPlaceEndsWithANewAgentThere) {
  Bench bench;
  const TestAgent first = bench.agent(machine(), "same");
  bench.lose(first.session);
  bench.pass(80s);  // unreachable; the registry forgets where it was
  const TestAgent second = bench.agent(machine(), "same");
  bench.restart();
  TestAgent again = second;
  bench.reregister(again);
  bench.lose(again.session);
  bench.agent(machine(), "same");
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_EQ(bench.master().totals().agents_disconnected, 0u);
  EXPECT_TRUE(bench.store.contains("gone/" + second.info.id.value));
}

TEST(MasterRestart, IdsOfTwoLeadersNeverMeet) {
  Bench bench;
  const TestAgent first = bench.agent();
  const TestFramework one = bench.framework();
  bench.restart();
  const TestAgent second = bench.agent();
  const TestFramework two = bench.framework();
  EXPECT_NE(first.info.id, second.info.id);
  EXPECT_NE(one.info.id, two.info.id);
  // The name of the cluster stays.
  EXPECT_EQ(first.info.id.value.substr(0, 8), second.info.id.value.substr(0, 8));
}

TEST(MasterRestart, AgentsThatDoNotComeBackInTimeAreUnreachable) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.restart();
  bench.pass(9min);
  EXPECT_EQ(bench.master().totals().agents_recovered, 1u);
  bench.pass(2min);
  EXPECT_EQ(bench.master().totals().agents_recovered, 0u);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  EXPECT_TRUE(bench.store.contains("unreachable/" + agent.info.id.value));
  // It may still come back; the registry says so first.
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_FALSE(bench.store.contains("unreachable/" + agent.info.id.value));
}

TEST(MasterRestart, UnreachableAgentsAreRememberedByTheNextLeader) {
  Bench bench;
  const TestAgent agent = bench.agent();
  bench.lose(agent.session);
  bench.pass(80s);
  ASSERT_EQ(bench.master().totals().agents_unreachable, 1u);
  bench.restart();
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
}

TEST(MasterRestart, ATaskWithoutItsFrameworkIsMalformed) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.restart();
  agent.session = bench.new_session();
  bench.say(agent.session, AgentToMaster(Hello{}));
  bench.say(agent.session, ReregisterAgent{agent.info, {}, {task}});
  EXPECT_TRUE(bench.effects.closed.contains(agent.session));
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(MasterRestart, ATornRegistryIsRefused) {
  Bench bench;
  bench.store["agents/x"] = "no such record";
  bench.restart();
  ASSERT_EQ(bench.effects.resignations.size(), 1u);
  EXPECT_TRUE(bench.effects.resignations[0].starts_with("cannot read the registry"))
      << bench.effects.resignations[0];
}

TEST(Registration, MayBeOnlyForAgentsThatSayWhereTheyAre) {
  Bench bench;
  TestAgent agent = bench.agent();
  bench.require_agent_domain = true;
  bench.restart();
  bench.reregister(agent);
  const auto errors = bench.take<ErrorMessage>(agent.session);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_NE(errors[0].message.find("--domain=REGION/ZONE"), std::string::npos) << errors[0].message;
  EXPECT_TRUE(bench.take<ShutdownAgent>(agent.session).empty()) << "its tasks go on";

  const SessionId session = bench.new_session();
  AgentInfo info{.hostname = "h", .resources = machine()};
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{info});
  bench.settle();
  EXPECT_EQ(bench.take<ErrorMessage>(session).size(), 1u);
  EXPECT_EQ(bench.master().totals().agents_active, 0u);

  agent.info.domain = {.region = "eu", .zone = "a"};
  bench.reregister(agent);
  EXPECT_EQ(bench.take<Registered>(agent.session).size(), 1u);
}

}  // namespace
}  // namespace tepui
