// How frameworks subscribe, fail over, disconnect, and end.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

std::string refusal_of(Bench& bench, const FrameworkInfo& info, std::string principal = {}) {
  const SessionId session = bench.new_session();
  bench.say(session, SchedulerToMaster(Hello{.principal = std::move(principal)}));
  bench.say(session, Subscribe{info});
  bench.settle();
  const auto errors = bench.take<ErrorMessage>(session);
  EXPECT_EQ(bench.effects.closed.contains(session), !errors.empty());
  return errors.empty() ? "" : errors[0].message;
}

TEST(Frameworks, GetAnIdOfThisLeader) {
  Bench bench;
  const TestFramework first = bench.framework();
  const TestFramework second = bench.framework();
  EXPECT_TRUE(first.info.id.value.ends_with("-e1-f1")) << first.info.id.value;
  EXPECT_TRUE(second.info.id.value.ends_with("-e1-f2"));
}

TEST(Frameworks, AreRefusedWithTheReason) {
  Bench bench;
  FrameworkInfo info = framework_info();
  info.roles = {};
  EXPECT_EQ(refusal_of(bench, info), "framework has no role");
  info.roles = {"a//b"};
  EXPECT_NE(refusal_of(bench, info), "");
  info = framework_info();
  info.suppressed_roles = {"other"};
  EXPECT_EQ(refusal_of(bench, info), "suppressed role 'other' is not a role of the framework");
  info = framework_info();
  info.failover_timeout = -1s;
  EXPECT_EQ(refusal_of(bench, info), "failover timeout is negative");
  info = framework_info();
  info.principal = "alice";
  EXPECT_NE(refusal_of(bench, info, "bob"), "");
  EXPECT_EQ(bench.master().totals().frameworks_active, 0u);
}

TEST(Frameworks, ThatAskAgainInTheSameSessionGetTheSameAnswer) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.say(framework.session, Subscribe{framework_info()});
  bench.settle();
  EXPECT_EQ(bench.take<Subscribed>(framework.session).at(0).framework_id, framework.info.id);
  EXPECT_EQ(bench.master().totals().frameworks_active, 1u);
  EXPECT_EQ(bench.master().totals().offers, 1u) << "offers stay valid";
}

TEST(Frameworks, FailOverToANewSessionAndTheOldIsTold) {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();
  const TestFramework old = framework;
  Task task = bench.launch(framework, "t");
  bench.say(framework.session, Revive{});
  bench.settle();
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);

  bench.resubscribe(framework);
  EXPECT_EQ(bench.take<ErrorMessage>(old.session).at(0).message, "Framework failed over");
  EXPECT_TRUE(bench.effects.closed.contains(old.session));
  EXPECT_EQ(bench.take<Subscribed>(framework.session).at(0).framework_id, framework.info.id);
  EXPECT_EQ(bench.events().offers_ended.back(), event::OfferEnd::kDiscarded);
  // The new one starts without offers, gets its own, and cannot use the old ones.
  const auto fresh = bench.offers(framework);
  ASSERT_EQ(fresh.size(), 1u);
  EXPECT_NE(fresh[0].id, offers[0].id);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.accept(framework, {offers[0].id}, {task_info("late")});
  EXPECT_EQ(bench.updates(framework).at(0).reason, TaskReason::kInvalidOffers);
  // Nor can the old session act.
  bench.effects.closed.erase(old.session);
  bench.say(old.session, Kill{.task_id = task.id});
  bench.settle();
  EXPECT_TRUE(bench.take<KillTask>(agent.session).empty());
}

TEST(Frameworks, DoNotFailOverToASessionTheyGaveUp) {
  Bench bench;
  TestFramework framework = bench.framework();
  const SessionId stale = bench.new_session();
  bench.resubscribe(framework);
  bench.say(stale, SchedulerToMaster(Hello{}));
  bench.say(stale, Subscribe{framework.info});
  bench.settle();
  EXPECT_TRUE(bench.effects.closed.contains(stale));
  EXPECT_FALSE(bench.effects.closed.contains(framework.session));
}

TEST(Frameworks, KeepTheirPrincipalUserAndCheckpointing) {
  Bench bench;
  FrameworkInfo info = framework_info();
  info.principal = "alice";
  info.user = "build";
  TestFramework framework = bench.framework(info);
  FrameworkInfo changed = framework.info;
  changed.principal = "mallory";
  EXPECT_EQ(refusal_of(bench, changed), "the principal of a framework cannot change");

  const TestAgent agent = bench.agent();
  changed = framework.info;
  changed.user = "root";
  changed.name = "renamed";
  framework.info = changed;
  bench.resubscribe(framework);
  bench.launch(framework, "t");
  const auto launches = bench.take<LaunchTasks>(agent.session);
  ASSERT_EQ(launches.at(0).frameworks.size(), 1u);
  EXPECT_EQ(launches[0].frameworks[0].user, "build");
  EXPECT_EQ(launches[0].frameworks[0].name, "renamed");
}

TEST(Frameworks, MayChangeTheirRolesWhenTheyComeBack) {
  Bench bench;
  bench.agent();
  TestFramework framework = bench.framework(framework_info("a"));
  EXPECT_EQ(bench.offers(framework).at(0).role, "a");
  framework.info.roles = {"b"};
  bench.resubscribe(framework);
  EXPECT_EQ(bench.offers(framework).at(0).role, "b");
}

TEST(Frameworks, ThatDisconnectKeepTheirTasksUntilTheTimeout) {
  Bench bench;
  TestAgent agent = bench.agent();
  bench.answer_pings(agent.session);
  TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.lose(framework.session);
  EXPECT_EQ(bench.master().totals().frameworks_disconnected, 1u);
  bench.pass(59s);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.resubscribe(framework);
  bench.pass(120s);
  EXPECT_EQ(bench.master().totals().tasks, 1u) << "the timer was not stopped";

  bench.lose(framework.session);
  bench.pass(61s);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).at(0).framework_id, framework.info.id);
  EXPECT_EQ(bench.events().task_states.back(), TaskState::kKilled);
  EXPECT_EQ(refusal_of(bench, framework.info), "Framework has been removed");
}

TEST(Frameworks, WithoutFailoverTimeoutEndWhenTheyDisconnect) {
  Bench bench;
  const TestAgent agent = bench.agent();
  FrameworkInfo info = framework_info();
  info.failover_timeout = 0s;
  const TestFramework framework = bench.framework(info);
  bench.launch(framework, "t");
  bench.lose(framework.session);
  EXPECT_EQ(bench.master().totals().frameworks_disconnected, 0u);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
}

TEST(Frameworks, ThatAreTornDownFreeAllTheyHad) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.say(framework.session, Teardown{});
  bench.settle();
  EXPECT_TRUE(bench.effects.closed.contains(framework.session));
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_EQ(bench.events().count<event::FrameworkRemoved>(), 1);
  const TestFramework other = bench.framework();
  EXPECT_EQ(bench.offers(other).at(0).resources, machine());
  EXPECT_EQ(refusal_of(bench, framework.info), "Framework has been removed");
  // Updates of its tasks end with another word to the agent.
  bench.update(agent, task, TaskState::kKilled);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
}

TEST(Frameworks, ThatEndedWhileAnAgentWasAwayAreShutDownWhenItReturns) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.lose(agent.session);
  bench.say(framework.session, Teardown{});
  bench.settle();
  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
}

TEST(Frameworks, OfAnEarlierLeaderHaveAsLongAsItsAgentsToComeBack) {
  Bench bench;
  TestAgent agent = bench.agent();
  FrameworkInfo info = framework_info();
  info.failover_timeout = 0s;
  const TestFramework framework = bench.framework(info);
  const Task task = bench.launch(framework, "t");
  bench.restart();
  bench.reregister(agent, {framework.info}, {task});
  bench.answer_pings(agent.session);
  bench.pass(9min);
  EXPECT_EQ(bench.master().totals().tasks, 1u);
  bench.pass(2min);
  EXPECT_EQ(bench.master().totals().tasks, 0u);
  EXPECT_EQ(bench.take<ShutdownFramework>(agent.session).size(), 1u);
}

TEST(Frameworks, OfAnEarlierLeaderThatNoAgentKnowsAreTakenAtTheirWord) {
  Bench bench;
  TestFramework framework = bench.framework();
  bench.restart();
  bench.resubscribe(framework);
  EXPECT_EQ(bench.take<Subscribed>(framework.session).at(0).framework_id, framework.info.id);
}

TEST(Frameworks, HearAHeartbeatInEveryInterval) {
  Bench bench;
  const TestFramework framework = bench.framework();
  bench.pass(46s);
  EXPECT_EQ(bench.take<Heartbeat>(framework.session).size(), 3u);
}

TEST(Frameworks, ThatSuppressGetNothingUntilTheyRevive) {
  Bench bench;
  const TestFramework framework = bench.framework();
  bench.say(framework.session, Suppress{});
  bench.agent();
  EXPECT_TRUE(bench.offers(framework).empty());
  bench.say(framework.session, Revive{{"not-mine"}});
  bench.settle();
  EXPECT_TRUE(bench.offers(framework).empty());
  EXPECT_EQ(bench.events().dropped.back(), "a role is not one of the framework's");
  bench.say(framework.session, Revive{});
  bench.settle();
  EXPECT_EQ(bench.offers(framework).size(), 1u);
}

TEST(Frameworks, MaySuppressOneRoleFromTheStart) {
  Bench bench;
  FrameworkInfo info = framework_info();
  info.roles = {"b", "a"};  // sorted for them
  info.suppressed_roles = {"a"};
  const TestFramework framework = bench.framework(info);
  bench.agent();
  EXPECT_EQ(bench.offers(framework).at(0).role, "b");
}

std::string update(Bench& bench, const TestFramework& framework, const FrameworkInfo& info) {
  bench.say(framework.session, UpdateFramework{info});
  bench.settle();
  const auto answers = bench.take<FrameworkUpdated>(framework.session);
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? "no answer" : answers[0].error;
}

TEST(Frameworks, MayChangeTheirRolesWhileTheyAreSubscribed) {
  Bench bench;
  bench.agent(machine(), "one");
  FrameworkInfo info = framework_info();
  info.roles = {"a", "b"};
  info.suppressed_roles = {"b"};
  const TestFramework framework = bench.framework(info);
  const auto of_a = bench.offers(framework);
  ASSERT_EQ(of_a.size(), 1u);
  info.roles = {"b", "c"};
  info.suppressed_roles = {"c"};
  EXPECT_EQ(update(bench, framework, info), "");
  const auto rescinds = bench.take<Rescind>(framework.session);
  ASSERT_EQ(rescinds.size(), 1u) << "of the role that it left";
  EXPECT_EQ(rescinds[0].offers, std::vector<OfferId>{of_a[0].id});
  const auto of_b = bench.offers(framework);
  ASSERT_EQ(of_b.size(), 1u);
  EXPECT_EQ(of_b[0].role, "b") << "c is suppressed from the start";
}

TEST(Frameworks, KeepTheOffersAndFiltersOfRolesThatStay) {
  Bench bench;
  bench.agent(machine(), "one");
  bench.agent(machine(), "two");
  FrameworkInfo info = framework_info("a");
  const TestFramework framework = bench.framework(info);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 2u);
  bench.decline(framework, offers[0].id, 1h);

  info.roles = {"a", "b"};
  info.suppressed_roles = {"b"};
  EXPECT_EQ(update(bench, framework, info), "");
  EXPECT_TRUE(bench.take<Rescind>(framework.session).empty());
  EXPECT_TRUE(bench.offers(framework).empty()) << "the filter counts";
  bench.accept(framework, {offers[1].id}, {task_info("t")});
  EXPECT_TRUE(bench.updates(framework).empty()) << "the offer is still good";
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Frameworks, ThatDropACapabilityLoseTheirOffers) {
  Bench bench;
  bench.agent(Resources::parse("cpus:4;mem:4096;gpus:1").value());
  FrameworkInfo info = framework_info();
  info.capabilities |= bit(FrameworkCapability::kGpuResources);
  const TestFramework framework = bench.framework(info);
  ASSERT_EQ(bench.offers(framework).size(), 1u);
  info.capabilities &= ~bit(FrameworkCapability::kGpuResources);
  EXPECT_EQ(update(bench, framework, info), "");
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
  EXPECT_TRUE(bench.offers(framework).empty());
}

TEST(Frameworks, WhoseUpdateIsRefusedStayAsTheyWere) {
  Bench bench;
  bench.agent();
  FrameworkInfo info = framework_info("a");
  info.principal = "alice";
  info.user = "build";
  const TestFramework framework = bench.framework(info);
  const auto with = [&](auto change) {
    FrameworkInfo changed = info;
    change(changed);
    return update(bench, framework, changed);
  };
  EXPECT_EQ(with([](FrameworkInfo& i) { i.roles = {}; }), "framework has no role");
  EXPECT_EQ(with([](FrameworkInfo& i) { i.user = "root"; }),
            "the user of a framework cannot change");
  EXPECT_EQ(with([](FrameworkInfo& i) { i.principal = "mallory"; }),
            "the principal of a framework cannot change");
  EXPECT_EQ(with([](FrameworkInfo& i) { i.checkpoint = false; }),
            "whether a framework checkpoints cannot change");
  EXPECT_EQ(with([](FrameworkInfo& i) { i.id = {"other"}; }),
            "the session belongs to another framework");
  EXPECT_TRUE(bench.take<Rescind>(framework.session).empty());
  EXPECT_FALSE(bench.effects.closed.contains(framework.session));
  EXPECT_EQ(bench.offers(framework).at(0).role, "a");
}

}  // namespace
}  // namespace tepui
