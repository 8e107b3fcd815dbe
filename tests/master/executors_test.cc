// Executors: charged once per agent for as long as they live, and free when the agent says so.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

const Resources kOwn = machine(500, 256000);  // of the executor itself

std::shared_ptr<ExecutorInfo> executor(std::string_view id = "e") {
  return std::make_shared<ExecutorInfo>(
      ExecutorInfo{.id = {std::string(id)}, .command = {.value = "./executor"}, .resources = kOwn});
}

TaskInfo executor_task(std::string_view id, std::shared_ptr<const ExecutorInfo> executor) {
  TaskInfo info = task_info(id);
  auto spec = std::make_shared<TaskSpec>(*info.spec);
  spec->command = {};
  spec->executor = std::move(executor);
  info.spec = std::move(spec);
  return info;
}

std::shared_ptr<ExecutorInfo> pod() {
  auto info = std::make_shared<ExecutorInfo>();
  info->id = {"pod"};
  info->type = ExecutorInfo::Type::kDefault;
  info->resources = Resources::scalars({{"cpus", 100}, {"mem", 32000}, {"disk", 1000}});
  return info;
}

Resources machine_with_disk() { return machine() + Resources::scalars({{"disk", 10000}}); }

void accept_group(Bench& bench, const TestFramework& framework, OfferId offer,
                  std::shared_ptr<const ExecutorInfo> executor, std::vector<TaskInfo> tasks) {
  Accept accept{.offers = {offer}};
  accept.operations.push_back({.type = OfferOperation::Type::kLaunchGroup,
                               .tasks = std::move(tasks),
                               .executor = std::move(executor)});
  bench.say(framework.session, Accepts{{std::move(accept)}});
  bench.settle();
}

struct Running {
  Bench bench;
  TestAgent agent = bench.agent();
  TestFramework framework = bench.framework();

  // Two tasks that share one executor.
  Running() {
    const auto offers = bench.offers(framework);
    bench.accept(framework, {offers.at(0).id},
                 {executor_task("a", executor()), executor_task("b", executor())}, 0s);
  }
  Resources offered() {
    bench.settle();
    const auto offers = bench.offers(framework);
    return offers.empty() ? Resources() : offers.back().resources;
  }
  void exit_executor() {
    bench.say(
        agent.session,
        ExecutorExited{.framework_id = framework.info.id, .executor_id = {"e"}, .exit_status = 3});
    bench.settle();
  }
};

TEST(Executors, AreChargedOnceForAllTheirTasks) {
  Running r;
  const auto launches = r.bench.take<LaunchTasks>(r.agent.session);
  ASSERT_EQ(launches.size(), 1u);
  ASSERT_EQ(launches[0].tasks.size(), 2u);
  // The second must not start it again should it die in between.
  EXPECT_FALSE(launches[0].tasks[0].executor_runs);
  EXPECT_TRUE(launches[0].tasks[1].executor_runs);
  EXPECT_EQ(r.offered(), machine().minus(machine(2000, 1024000) + kOwn));
}

TEST(Executors, AreFreeWhenTheyExitAndTheFrameworkHearsIt) {
  Running r;
  EXPECT_FALSE(r.offered().empty());
  r.exit_executor();
  const auto failures = r.bench.take<Failure>(r.framework.session);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].agent_id, r.agent.info.id);
  EXPECT_EQ(failures[0].executor_id.value, "e");
  EXPECT_EQ(failures[0].exit_status, 3);
  EXPECT_EQ(r.offered(), kOwn);
  // Once.
  r.exit_executor();
  EXPECT_TRUE(r.bench.take<Failure>(r.framework.session).empty());
}

TEST(Executors, WithOneIdMustBeTheSame) {
  Running r;
  const auto offers = r.bench.offers(r.framework);
  auto other = executor();
  other->command.value = "./another";
  r.bench.accept(r.framework, {offers.back().id}, {executor_task("c", other)});
  const auto statuses = r.bench.updates(r.framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, TaskState::kError);
  EXPECT_EQ(statuses[0].reason, TaskReason::kTaskInvalid);
  EXPECT_EQ(statuses[0].message, "executor 'e' lives on the agent with another description");
}

TEST(Executors, OfAnotherFrameworkAreRefused) {
  Bench bench;
  bench.agent();
  const TestFramework framework = bench.framework();
  auto foreign = executor();
  foreign->framework_id = {"f9"};
  bench.accept(framework, {bench.offers(framework).at(0).id}, {executor_task("a", foreign)}, 0s);
  EXPECT_EQ(bench.updates(framework).at(0).message,
            "executor 'e' is of framework 'f9', expected '" + framework.info.id.value + "'");
  auto own = executor();
  own->framework_id = framework.info.id;
  bench.accept(framework, {bench.offers(framework).at(0).id}, {executor_task("a", own)});
  EXPECT_TRUE(bench.updates(framework).empty());
}

TEST(Executors, CountInWhatATaskMayUse) {
  Bench bench;
  bench.agent(machine(1000, 512000));
  const TestFramework framework = bench.framework();
  bench.accept(framework, {bench.offers(framework).at(0).id}, {executor_task("a", executor())});
  const auto statuses = bench.updates(framework);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].message,
            "task uses cpus:1.5; mem:768, more than the cpus:1; mem:512 that are left of the "
            "offers");
}

TEST(Executors, ComeBackWithTheirAgentAfterAnElection) {
  Running r;
  r.bench.restart();
  TestAgent agent = r.agent;
  agent.session = r.bench.new_session();
  r.bench.say(agent.session, AgentToMaster(Hello{}));
  r.bench.say(agent.session, ReregisterAgent{.info = agent.info,
                                             .frameworks = {r.framework.info},
                                             .executors = {{.framework_id = r.framework.info.id,
                                                            .role = "*",
                                                            .executor = executor()}}});
  r.bench.settle();
  r.bench.resubscribe(r.framework);
  EXPECT_EQ(r.offered(), machine().minus(kOwn));
}

TEST(Executors, ThatTheAgentNoLongerNamesAreFree) {
  Running r;
  r.bench.offers(r.framework);
  r.bench.lose(r.agent.session);
  r.bench.reregister(r.agent, {r.framework.info});
  EXPECT_EQ(r.bench.events().count<event::ExecutorRemoved>(), 1);
  // A request that is repeated knows less than the master: what lives stays.
  Running repeated;
  repeated.bench.say(repeated.agent.session,
                     ReregisterAgent{repeated.agent.info, {repeated.framework.info}, {}});
  repeated.bench.settle();
  EXPECT_EQ(repeated.bench.events().count<event::ExecutorRemoved>(), 0);
}

TEST(Executors, GoWithTheirFrameworkAndTheirAgent) {
  Running r;
  r.bench.say(r.framework.session, Teardown{});
  r.bench.settle();
  EXPECT_EQ(r.bench.events().count<event::ExecutorRemoved>(), 1);
  const TestFramework next = r.bench.framework();
  EXPECT_EQ(r.bench.offers(next).at(0).resources, machine());

  Running lost;
  lost.bench.lose(lost.agent.session);
  lost.bench.pass(10min);
  EXPECT_EQ(lost.bench.events().count<event::AgentUnreachable>(), 1);
  EXPECT_EQ(lost.bench.events().count<event::ExecutorRemoved>(), 1);
}

TEST(Executors, AndTheirFrameworkExchangeMessages) {
  Running r;
  r.bench.say(r.framework.session,
              MessageExecutor{.agent_id = r.agent.info.id, .executor_id = {"e"}, .data = "ping"});
  r.bench.settle();
  const auto to_executor = r.bench.take<RelayToExecutor>(r.agent.session);
  ASSERT_EQ(to_executor.size(), 1u);
  EXPECT_EQ(to_executor[0].framework_id, r.framework.info.id);
  EXPECT_EQ(to_executor[0].data, "ping");
  r.bench.say(
      r.agent.session,
      RelayToFramework{.framework_id = r.framework.info.id, .executor_id = {"e"}, .data = "pong"});
  const auto to_framework = r.bench.take<ExecutorMessage>(r.framework.session);
  ASSERT_EQ(to_framework.size(), 1u);
  EXPECT_EQ(to_framework[0].agent_id, r.agent.info.id);
  EXPECT_EQ(to_framework[0].data, "pong");
  r.bench.say(r.framework.session,
              ShutdownExecutor{.agent_id = r.agent.info.id, .executor_id = {"e"}});
  EXPECT_EQ(r.bench.take<StopExecutor>(r.agent.session).size(), 1u);
  // To an agent that nobody knows: dropped, and counted.
  r.bench.say(r.framework.session, MessageExecutor{.agent_id = {"nowhere"}, .executor_id = {"e"}});
  EXPECT_EQ(r.bench.events().dropped.back(), "the agent is not connected");
}

TEST(Groups, AreLaunchedAsAWhole) {
  Bench bench;
  const TestAgent agent = bench.agent(machine_with_disk());
  const TestFramework framework = bench.framework();
  accept_group(bench, framework, bench.offers(framework).at(0).id, pod(),
               {task_info("a"), task_info("b")});
  const auto launches = bench.take<LaunchGroup>(agent.session);
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].tasks.size(), 2u);
  EXPECT_EQ(launches[0].executor->id.value, "pod");
  EXPECT_EQ(launches[0].frameworks.size(), 1u);
  EXPECT_FALSE(launches[0].executor_runs);
  EXPECT_EQ(bench.master().totals().tasks, 2u);
  EXPECT_EQ(bench.offers(framework).size(), 0u);
}

TEST(Groups, WithOneBadMemberAreRefusedAsAWhole) {
  Bench bench;
  const TestAgent agent = bench.agent(machine_with_disk());
  const TestFramework framework = bench.framework();
  const auto refused = [&](std::vector<TaskInfo> tasks) {
    bench.settle();
    accept_group(bench, framework, bench.offers(framework).at(0).id, pod(), std::move(tasks));
    bench.say(framework.session, Revive{});
    bench.settle();
    std::string message;
    for (const TaskStatus& status : bench.updates(framework)) {
      EXPECT_EQ(status.state, TaskState::kError);
      EXPECT_EQ(status.reason, TaskReason::kTaskGroupInvalid);
      message = status.message;
    }
    EXPECT_EQ(bench.master().totals().tasks, 0u);
    EXPECT_TRUE(bench.take<LaunchGroup>(agent.session).empty());
    return message;
  };
  EXPECT_EQ(refused({task_info("a"), task_info("b/c")}),
            "task 'b/c' of the group: task id 'b/c' contains '/'");
  EXPECT_EQ(refused({task_info("a"), task_info("b", machine(3500, 512000))}),
            "the group with its executor uses cpus:4.6; disk:1; mem:1056, more than the cpus:4; "
            "disk:10; mem:4096 that are left of the offers");
}

}  // namespace
}  // namespace tepui
