// ACCEPT: all its offers or none, each task by itself, the rest goes back.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

TEST(Accept, LaunchesAndGivesTheRestBack) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.accept(framework, {offers.at(0).id}, {task_info("a"), task_info("b")}, 0s);
  const auto launches = bench.take<LaunchTasks>(agent.session);
  ASSERT_EQ(launches.size(), 1u);
  ASSERT_EQ(launches[0].tasks.size(), 2u);
  EXPECT_EQ(launches[0].tasks[0].task.id.value, "a");
  EXPECT_EQ(launches[0].tasks[0].framework_id, framework.info.id);
  EXPECT_EQ(launches[0].tasks[0].role, "*");
  ASSERT_EQ(launches[0].frameworks.size(), 1u);
  EXPECT_EQ(launches[0].frameworks[0].id, framework.info.id);
  EXPECT_EQ(bench.events().offers_ended.back(), event::OfferEnd::kAccepted);
  const auto rest = bench.offers(framework);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].resources, machine(2000, 3072000));
  // The agent is told of the framework once.
  bench.accept(framework, {rest[0].id}, {task_info("c")});
  EXPECT_TRUE(bench.take<LaunchTasks>(agent.session).at(0).frameworks.empty());
}

TEST(Accept, WithoutOperationsIsADecline) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework();
  bench.accept(framework, {bench.offers(framework).at(0).id}, {}, 1h);
  EXPECT_EQ(bench.events().offers_ended.back(), event::OfferEnd::kDeclined);
  EXPECT_TRUE(bench.offers(framework).empty());
}

TEST(Accept, FiltersOnlyWhatItDidNotUse) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.accept(framework, {offers.at(0).id}, {task_info("t", machine(1000, 512000))}, 1h);
  EXPECT_TRUE(bench.offers(framework).empty());
  // When the task ends the agent has more than was refused.
  Task task{.id = {"t"}, .framework_id = framework.info.id, .agent_id = agent.info.id};
  bench.update(agent, task, TaskState::kFinished);
  EXPECT_EQ(bench.offers(framework).at(0).resources, machine());
}

TEST(Accept, JoinsSeveralOffersOfOneAgent) {
  Bench bench;
  TestAgent agent = bench.agent(machine(2000, 1024000));
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "first", machine(1000, 512000));
  bench.say(framework.session, Revive{});
  bench.settle();
  const auto rest = bench.offers(framework);
  bench.update(agent, task, TaskState::kFinished);
  const auto freed = bench.offers(framework);
  ASSERT_EQ(rest.size() + freed.size(), 2u);
  bench.accept(framework, {rest[0].id, freed[0].id}, {task_info("big", machine(2000, 1024000))});
  EXPECT_EQ(bench.take<LaunchTasks>(agent.session).back().tasks.at(0).task.id.value, "big");
  EXPECT_EQ(bench.master().totals().tasks, 2u);
}

struct Broken {
  const char* what;
  std::vector<size_t> offers;  // places among what was offered; 99: one that does not exist
};

TEST(Accept, OneBadOfferDropsTheWholeCall) {
  for (const Broken& broken : {Broken{"unknown", {0, 99}}, Broken{"twice", {0, 0}},
                               Broken{"two agents", {0, 1}}, Broken{"none", {}}}) {
    Bench bench;
    bench.agent();
    bench.agent();
    const TestFramework framework = bench.framework();
    const auto offers = bench.offers(framework);
    ASSERT_EQ(offers.size(), 2u);
    std::vector<OfferId> named;
    for (const size_t place : broken.offers) {
      named.push_back(place < offers.size() ? offers[place].id : OfferId{12345});
    }
    bench.accept(framework, named, {task_info("a"), task_info("b")}, 1h);
    const auto statuses = bench.updates(framework);
    ASSERT_EQ(statuses.size(), 2u) << broken.what;
    for (const TaskStatus& status : statuses) {
      EXPECT_EQ(status.state, TaskState::kDropped);
      EXPECT_EQ(status.reason, TaskReason::kInvalidOffers);
      EXPECT_TRUE(status.uuid.is_nil());
    }
    EXPECT_EQ(bench.master().totals().tasks, 0u);
    // The offers that were valid come back, without a filter.
    EXPECT_EQ(bench.master().totals().offers, 2u) << broken.what;
  }
}

TEST(Accept, OfAnotherFrameworksOfferIsDroppedAndTheOfferStays) {
  Bench bench;
  bench.agent();
  const TestFramework owner = bench.framework();
  const TestFramework thief = bench.framework();
  const auto offers = bench.offers(owner);
  bench.accept(thief, {offers.at(0).id}, {task_info("t")});
  EXPECT_EQ(bench.updates(thief).at(0).reason, TaskReason::kInvalidOffers);
  bench.accept(owner, {offers[0].id}, {task_info("t")});
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Accept, OffersOfTwoRolesCannotBeJoined) {
  Bench bench;
  bench.agent();
  bench.agent();
  FrameworkInfo info = framework_info();
  info.roles = {"a", "b"};
  const TestFramework framework = bench.framework(info);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 2u);
  ASSERT_NE(offers[0].role, offers[1].role);
  bench.accept(framework, {offers[0].id, offers[1].id}, {task_info("t")});
  EXPECT_EQ(bench.updates(framework).at(0).reason, TaskReason::kInvalidOffers);
}

TEST(Accept, FrameworksThatKnowNoMoreSeeLostInPlaceOfDropped) {
  Bench bench;
  FrameworkInfo info = framework_info();
  info.capabilities = 0;
  const TestFramework framework = bench.framework(info);
  bench.accept(framework, {OfferId{7}}, {task_info("t")});
  EXPECT_EQ(bench.updates(framework).at(0).state, TaskState::kLost);
}

TEST(Accept, ATaskThatLivesIsNotDroppedByASecondCallWithItsId) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.accept(framework, {offers.at(0).id}, {task_info("t")}, 1h);
  bench.accept(framework, {offers[0].id}, {task_info("t")}, 1h);
  EXPECT_TRUE(bench.updates(framework).empty());
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Accept, OneBadTaskDoesNotDisturbTheOthers) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  TaskInfo no_command = task_info("no-command");
  auto spec = std::make_shared<TaskSpec>(*no_command.spec);
  spec->command.value.clear();
  no_command.spec = spec;
  bench.accept(
      framework, {bench.offers(framework).at(0).id},
      {task_info("first"), no_command, task_info("a/b"), {.id = {"no-spec"}}, task_info("last")});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 3u);
  for (const TaskStatus& status : statuses) {
    EXPECT_EQ(status.state, TaskState::kError);
    EXPECT_EQ(status.reason, TaskReason::kTaskInvalid);
  }
  EXPECT_EQ(statuses[0].message, "command is empty");
  EXPECT_EQ(statuses[2].message, "task has no spec");
  const auto launches = bench.take<LaunchTasks>(agent.session);
  ASSERT_EQ(launches.at(0).tasks.size(), 2u);
  EXPECT_EQ(launches[0].tasks[1].task.id.value, "last");
}

TEST(Accept, ATaskMayNotUseMoreThanIsLeft) {
  Bench bench;
  bench.agent(machine(4000, 4096000));
  const TestFramework framework = bench.framework();
  bench.accept(framework, {bench.offers(framework).at(0).id},
               {task_info("most", machine(3000, 512000)), task_info("more", machine(2000, 512000)),
                task_info("rest", machine(1000, 512000))});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].task_id.value, "more");
  EXPECT_EQ(statuses[0].state, TaskState::kError);
  EXPECT_EQ(statuses[0].message,
            "task uses cpus:2; mem:512, more than the cpus:1; mem:3584 that are left of the "
            "offers");
  EXPECT_EQ(bench.master().totals().tasks, 2u);
}

TEST(Accept, TaskIdsAreUniqueAmongActiveAndUnreachableTasks) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.launch(framework, "t");
  bench.say(framework.session, Revive{});
  bench.settle();
  bench.launch(framework, "t");
  auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kError);
  EXPECT_EQ(statuses[0].message, "task id 't' is in use");

  bench.lose(agent.session);
  bench.pass(80s);
  bench.updates(framework);
  bench.agent();
  bench.launch(framework, "t");
  statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kError);
}

TEST(Accept, ATaskIdMayBeUsedAgainWhenItsTaskIsDone) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kFinished));
  bench.say(framework.session, Revive{});
  bench.settle();
  bench.updates(framework);
  bench.launch(framework, "t");
  EXPECT_TRUE(bench.updates(framework).empty());
  EXPECT_EQ(bench.master().totals().tasks, 1u);
}

TEST(Accept, TwoFrameworksMayUseTheSameTaskId) {
  Bench bench;
  bench.agent();
  bench.agent();
  const TestFramework first = bench.framework();
  const TestFramework second = bench.framework();
  const auto offers = bench.offers(first);
  bench.accept(first, {offers.at(0).id}, {task_info("t")}, 1h);
  bench.decline(first, offers.at(1).id, 1h);
  bench.launch(second, "t");
  EXPECT_EQ(bench.master().totals().tasks, 2u);
}

TEST(Accept, TasksAreAskedOfTheAuthorizer) {
  struct OnlyBuilders final : Authorizer {
    bool authorize(std::string_view, Action action, std::string_view object) override {
      return action != Action::kRunTask || object == "builder";
    }
  } only_builders;
  Bench bench;
  bench.authorizer = &only_builders;
  bench.restart();
  bench.agent();
  FrameworkInfo info = framework_info();
  info.user = "builder";
  const TestFramework framework = bench.framework(info);
  TaskInfo as_root = task_info("root");
  auto spec = std::make_shared<TaskSpec>(*as_root.spec);
  spec->command.user = "root";
  as_root.spec = spec;
  bench.accept(framework, {bench.offers(framework).at(0).id}, {task_info("mine"), as_root});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].task_id.value, "root");
  EXPECT_EQ(statuses[0].state, TaskState::kError);
  EXPECT_EQ(statuses[0].reason, TaskReason::kTaskUnauthorized);
}

TEST(Accept, OfAnAgentThatWentIsDropped) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  bench.lose(agent.session);
  bench.accept(framework, {offers.at(0).id}, {task_info("t")});
  EXPECT_EQ(bench.updates(framework).at(0).reason, TaskReason::kInvalidOffers);
}

TEST(Accept, ManyLargeTasksLeaveInMessagesThatFitAFrame) {
  Bench bench;
  const TestAgent agent = bench.agent(machine(100'000, 100'000'000));
  const TestFramework framework = bench.framework();
  std::vector<TaskInfo> tasks;
  for (int i = 0; i < 20; ++i) {
    TaskInfo task = task_info("t" + std::to_string(i));
    auto spec = std::make_shared<TaskSpec>(*task.spec);
    spec->data = std::string(1 << 20, 'x');
    task.spec = spec;
    tasks.push_back(task);
  }
  bench.accept(framework, {bench.offers(framework).at(0).id}, tasks);
  size_t launched = 0;
  for (const LaunchTasks& part : bench.take<LaunchTasks>(agent.session)) {
    EXPECT_LE(part.tasks.size(), 2u);
    launched += part.tasks.size();
  }
  EXPECT_EQ(launched, 20u);
}

}  // namespace
}  // namespace tepui
