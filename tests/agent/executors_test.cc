// Custom executors: their life, the tasks they share, what they say, and a restart of their agent.

#include <gtest/gtest.h>

#include "tests/agent/executors_bench.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST(Executors, AreStartedForTheirFirstTaskAndToldOfItOnceTheyRegister) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  ASSERT_EQ(bench.effects.launches.size(), 1u);
  const LaunchSpec& spec = bench.effects.launches[0];
  EXPECT_EQ(spec.executor_id.value, "e");
  EXPECT_EQ(spec.command.value, "./executor");
  const auto variable = [&spec](std::string_view name) {
    for (const auto& one : spec.environment) {
      if (one.name == name) return one.value;
    }
    return std::string("none");
  };
  EXPECT_EQ(variable("MESOS_EXECUTOR_ID"), "e");
  EXPECT_EQ(variable("MESOS_CONTAINER_ID"), spec.id.value);
  EXPECT_EQ(variable("MESOS_CHECKPOINT"), "1");
  EXPECT_EQ(variable("MESOS_RECOVERY_TIMEOUT"), "15mins");
  EXPECT_EQ(variable("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"), "5secs");
  EXPECT_EQ(variable("TEPUI_TASK_ID"), "none");
  // Its container is as large as it and its task.
  const IsolationPlan plan = spec.plan;
  EXPECT_NE(std::ranges::find(plan, "memory.max", &ControlWrite::file), plan.end());
  EXPECT_EQ(std::ranges::find(plan, "cpu.weight", &ControlWrite::file)->value, "150");
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  EXPECT_TRUE(bench.heard<RunTasks>().empty());
  EXPECT_TRUE(bench.states("a").empty());
  bench.subscribe();
  const auto subscribed = bench.heard<ExecutorSubscribed>();
  ASSERT_EQ(subscribed.size(), 1u);
  EXPECT_EQ(subscribed[0].framework.id.value, "f");
  const auto runs = bench.heard<RunTasks>();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].tasks.at(0).id.value, "a");
  EXPECT_FALSE(runs[0].group);
}

TEST(Executors, AreSharedByTasksAndTheirContainerGrows) {
  Executors bench;
  bench.run_one();
  bench.heard<RunTasks>();
  bench.launch_on("b", executor_info(), true);
  EXPECT_EQ(bench.effects.launches.size(), 1u);
  ASSERT_EQ(bench.heard<RunTasks>().size(), 1u);
  const IsolationPlan& plan = bench.effects.resizes.back().second;
  EXPECT_EQ(std::ranges::find(plan, "cpu.weight", &ControlWrite::file)->value, "250");
}

TEST(Executors, EndWithTheirTasksWhenTheirContainerCannotBeResized) {
  Executors bench;
  bench.run_one();
  bench.launch_on("b", executor_info(), true);
  const ContainerId id = bench.executor_container();
  bench.turn([&](Now now) {
    bench.agent.on_resize_failed(now, id, {.message = "writing to memory.max: EIO", .code = 5});
  });
  ASSERT_EQ(bench.effects.kills.size(), 1u);
  EXPECT_EQ(bench.effects.kills[0], id);
  // What comes now is not for it, and a second failure changes nothing.
  bench.launch_on("c", executor_info(), true);
  EXPECT_EQ(bench.newest("c").reason, TaskReason::kExecutorTerminated);
  bench.turn([&](Now now) { bench.agent.on_resize_failed(now, id, {.message = "again"}); });
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.turn([&](Now now) {
    bench.agent.on_exit(now, id, ExitRecord{.exit_status = {}, .signal = 9, .stderr_tail = {}});
  });
  for (const char* task : {"a", "b"}) {
    EXPECT_EQ(bench.newest(task).state, TaskState::kFailed);
    EXPECT_EQ(bench.newest(task).reason, TaskReason::kContainerUpdateFailed);
    EXPECT_EQ(bench.newest(task).message,
              "The container of the executor could not be resized: writing to memory.max: EIO");
  }
  EXPECT_EQ(bench.effects.destroys.size(), 1u);
  bench.turn([&](Now now) { bench.agent.on_resize_failed(now, id, {.message = "too late"}); });
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Executors, ThatAreToEndKeepTheirGraceWhenTheirContainerCannotBeResized) {
  Executors bench;
  bench.run_one();
  bench.receive(StopExecutor{.framework_id = {"f"}, .executor_id = {"e"}});
  ASSERT_EQ(bench.heard<EndExecutor>().size(), 1u);
  const ContainerId id = bench.executor_container();
  bench.turn([&](Now now) { bench.agent.on_resize_failed(now, id, {.message = "no"}); });
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.advance(5s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Executors, AreNotWaitedForWhenNobodyNeedsThemAnyMore) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.receive(StopExecutor{.framework_id = {"f"}, .executor_id = {"e"}});
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilled);
  // It may still be fetching something large.
  ASSERT_EQ(bench.effects.cancelled.size(), 1u);
  EXPECT_EQ(bench.effects.cancelled[0], bench.executor_container());
}

TEST(Executors, ThatAreHeardBeforeTheirLaunchIsGetTasksWhenTheirContainerIsLargeEnough) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.launch_on("b", executor_info(), true);
  bench.subscribe();
  EXPECT_TRUE(bench.heard<RunTasks>().empty());
  EXPECT_TRUE(bench.effects.resizes.empty());
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  ASSERT_FALSE(bench.effects.resizes.empty());
  const IsolationPlan& plan = bench.effects.resizes.back().second;
  EXPECT_EQ(std::ranges::find(plan, "cpu.weight", &ControlWrite::file)->value, "250");
  EXPECT_EQ(bench.heard<RunTasks>().size(), 2u);
}

TEST(Executors, ToldToEndBeforeTheirLaunchIsHeardKeepTheirGrace) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.subscribe();
  bench.receive(StopExecutor{.framework_id = {"f"}, .executor_id = {"e"}});
  ASSERT_EQ(bench.heard<EndExecutor>().size(), 1u);
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.advance(5s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
}

TEST(Executors, HaveTheirUpdatesTakenWhenTheyAreDurable) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  bench.subscribe();
  bench.disk_works = false;
  const TaskStatus running = bench.status("a", TaskState::kRunning);
  bench.say(UpdateTask{running});
  EXPECT_TRUE(bench.heard<UpdateTaken>().empty());
  bench.sync();
  const auto taken = bench.heard<UpdateTaken>();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].uuid, running.uuid);
  EXPECT_EQ(bench.newest("a").state, TaskState::kRunning);
  EXPECT_EQ(bench.newest("a").executor_id.value, "e");
  EXPECT_EQ(bench.newest("a").source, TaskSource::kExecutor);
  bench.disk_works = true;
  // Said again: taken again, and not told twice.
  bench.say(UpdateTask{running});
  EXPECT_EQ(bench.heard<UpdateTaken>().size(), 1u);
  EXPECT_EQ(bench.states("a").size(), 1u);
}

TEST(Executors, MayNotSayWhatIsNotTheirs) {
  for (const TaskState state : {TaskState::kStaging, TaskState::kLost, TaskState::kUnknown}) {
    Executors bench;
    bench.run_one();
    bench.say(UpdateTask{bench.status("a", state)});
    ASSERT_EQ(bench.effects.closed.size(), 1u);
    EXPECT_EQ(bench.newest("a").state, TaskState::kRunning);
  }
  Executors stranger;
  stranger.run_one();
  stranger.session = SessionId{99};
  stranger.say(UpdateTask{stranger.status("a", TaskState::kFinished)});
  EXPECT_EQ(stranger.effects.closed.back().first, SessionId{99});
  stranger.say(Hello{});
  stranger.say(
      SubscribeExecutor{.framework_id = {"f"}, .executor_id = {"e"}, .container_id = {"guessed"}});
  EXPECT_EQ(stranger.heard<ErrorMessage>().size(), 1u);
}

TEST(Executors, ThatEndLeaveTheirTasksFailedAndTheMasterHearsIt) {
  Executors bench;
  bench.run_one();
  bench.effects.take<ExecutorExited>();
  bench.executor_exits(7);
  EXPECT_EQ(bench.newest("a").state, TaskState::kFailed);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kExecutorTerminated);
  EXPECT_EQ(bench.newest("a").message, "The executor exited with status 7");
  const auto exited = bench.effects.take<ExecutorExited>();
  ASSERT_EQ(exited.size(), 1u);
  EXPECT_EQ(exited[0].exit_status, 7);
  EXPECT_EQ(bench.effects.destroys, std::vector{bench.executor_container()});
  // Who counts on it hears that it is gone; nobody starts it for that.
  bench.launch_on("b", executor_info(), true);
  EXPECT_EQ(bench.newest("b").state, TaskState::kDropped);
  EXPECT_EQ(bench.newest("b").reason, TaskReason::kExecutorTerminated);
  EXPECT_EQ(bench.effects.launches.size(), 1u);
  EXPECT_EQ(bench.effects.take<ExecutorExited>().size(), 1u);
  bench.launch_on("c", executor_info());
  EXPECT_EQ(bench.effects.launches.size(), 2u);
}

TEST(Executors, ThatDoNotRegisterInTimeAreKilled) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  bench.advance(1min);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.executor_container()});
  bench.executor_exits(1);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kExecutorRegistrationTimeout);
}

TEST(Executors, OfWhichNothingIsWantedAnyMoreAreStopped) {
  Executors bench;
  bench.enlist();
  bench.launch_on("a", executor_info());
  bench.kill("a");
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kTaskKilledDuringLaunch);
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  EXPECT_EQ(bench.effects.kills, std::vector{bench.executor_container()});
}

TEST(Executors, KillTheirTasksThemselves) {
  Executors bench;
  bench.run_one();
  bench.kill("a", 9s);
  const auto stops = bench.heard<StopTask>();
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].kill_policy->grace_ns, 9s);
  EXPECT_TRUE(bench.effects.signals.empty());
  bench.say(UpdateTask{bench.status("a", TaskState::kKilled)});
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilled);
  // It lives on without tasks, until it is told to end.
  EXPECT_EQ(bench.agent.totals().containers, 1u);
  bench.receive(StopExecutor{.framework_id = {"f"}, .executor_id = {"e"}});
  EXPECT_EQ(bench.heard<EndExecutor>().size(), 1u);
  bench.advance(5s);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.executor_container()});
}

TEST(Executors, OfARemovedFrameworkAreTold) {
  Executors bench;
  bench.run_one();
  bench.receive(ShutdownFramework{.framework_id = {"f"}});
  EXPECT_EQ(bench.heard<EndExecutor>().size(), 1u);
  bench.effects.take<ExecutorExited>();
  bench.executor_exits(0);
  EXPECT_TRUE(bench.effects.take<ExecutorExited>().empty()) << "nobody asks";
  bench.turn([&](Now now) { bench.agent.on_destroyed(now, bench.executor_container()); });
  EXPECT_EQ(bench.agent.totals().frameworks, 0u);
}

TEST(Executors, ExchangeMessagesWithTheirFramework) {
  Executors bench;
  bench.run_one();
  bench.receive(RelayToExecutor{.framework_id = {"f"}, .executor_id = {"e"}, .data = "ping"});
  EXPECT_EQ(bench.heard<FrameworkMessage>().at(0).data, "ping");
  bench.say(MessageFramework{.data = "pong"});
  const auto relayed = bench.effects.take<RelayToFramework>();
  ASSERT_EQ(relayed.size(), 1u);
  EXPECT_EQ(relayed[0].executor_id.value, "e");
  EXPECT_EQ(relayed[0].data, "pong");
}

TEST(Executors, AreNamedWhenTheAgentRegistersAgain) {
  Executors bench;
  bench.run_one();
  bench.disconnect();
  bench.connect();
  bench.greet(2);
  bench.advance(1s);
  const auto again = bench.effects.take<ReregisterAgent>();
  ASSERT_FALSE(again.empty());
  ASSERT_EQ(again[0].executors.size(), 1u);
  EXPECT_EQ(again[0].executors[0].executor->id.value, "e");
  EXPECT_EQ(again[0].tasks.at(0).kind->executor_id.value, "e");
}

// What a next life of the agent begins with.
RecoveredAgent memory_of(const Executors& bench) {
  std::map<uint64_t, record::Framework> frameworks;
  std::map<uint64_t, RecoveredTask> tasks;
  std::map<uint64_t, record::Executor> executors;
  RecoveredAgent memory;
  for (const AgentRecord& record : bench.effects.records) {
    if (const auto* one = std::get_if<record::Identity>(&record)) memory.identity = *one;
    if (const auto* one = std::get_if<record::Framework>(&record)) frameworks[one->number] = *one;
    if (const auto* one = std::get_if<record::Task>(&record)) tasks[one->number].accepted = *one;
    if (const auto* one = std::get_if<record::Status>(&record)) {
      tasks[one->task].waiting.push_back(*one);
    }
    if (const auto* one = std::get_if<record::Executor>(&record)) executors[one->number] = *one;
  }
  for (auto& [number, one] : frameworks) memory.frameworks.push_back(one);
  for (auto& [number, one] : tasks) memory.tasks.push_back(one);
  for (auto& [number, one] : executors) memory.executors.push_back(one);
  return memory;
}

TEST(Executors, AreTakenUpByARestartedAgentAndTheirTasksGoOn) {
  Executors before;
  before.run_one();
  Executors after;
  after.effects.launches = before.effects.launches;  // to know its container
  after.turn(
      [&](Now now) { after.agent.on_recovered(now, memory_of(before), RecoveryKind::kResume); });
  ASSERT_EQ(after.effects.adoptions.size(), 1u);
  EXPECT_EQ(after.effects.adoptions[0].id, after.executor_container());
  after.turn([&](Now now) { after.agent.on_launched(now, after.executor_container(), 4711); });
  after.uuids = before.uuids;
  after.subscribe({after.status("a", TaskState::kFinished)}, {TaskId{"a"}});
  EXPECT_EQ(after.newest("a").state, TaskState::kFinished);
  EXPECT_EQ(after.heard<UpdateTaken>().size(), 1u);
  after.advance(1h);
  EXPECT_TRUE(after.effects.kills.empty());
}

TEST(Executors, ThatDoNotComeBackToARestartedAgentAreKilled) {
  Executors before;
  before.run_one();
  Executors after;
  after.effects.launches = before.effects.launches;
  after.turn(
      [&](Now now) { after.agent.on_recovered(now, memory_of(before), RecoveryKind::kResume); });
  after.turn([&](Now now) { after.agent.on_launched(now, after.executor_container(), 4711); });
  after.advance(2s);
  EXPECT_EQ(after.effects.kills, std::vector{after.executor_container()});
  after.executor_exits(1);
  EXPECT_EQ(after.newest("a").state, TaskState::kGone);
  EXPECT_EQ(after.newest("a").reason, TaskReason::kExecutorReregistrationTimeout);
}

TEST(Executors, ThatNeverGotATaskLetItBeDropped) {
  Executors before;
  before.enlist();
  before.launch_on("a", executor_info());
  Executors after;
  after.effects.launches = before.effects.launches;
  after.turn(
      [&](Now now) { after.agent.on_recovered(now, memory_of(before), RecoveryKind::kResume); });
  after.turn([&](Now now) { after.agent.on_launched(now, after.executor_container(), 4711); });
  after.subscribe();
  EXPECT_EQ(after.newest("a").state, TaskState::kDropped);
  EXPECT_EQ(after.newest("a").reason, TaskReason::kAgentRestarted);
}

TEST(Executors, WaitForTheRoomThatARemovedFrameworkStillTakes) {
  Executors bench;
  bench.run_one();
  bench.launch("old", Bench::spec(2000), 0, "g");
  bench.started("old");
  bench.receive(ShutdownFramework{.framework_id = {"g"}});
  bench.heard<RunTasks>();
  TaskSpec big = Bench::spec(2000);
  big.command = {};
  big.executor = executor_info();
  bench.receive(
      LaunchTasks{.frameworks = {},
                  .tasks = {{.framework_id = {"f"},
                             .role = "eng",
                             .task = {.id = {"b"},
                                      .name = "b",
                                      .spec = std::make_shared<const TaskSpec>(std::move(big))},
                             .executor_runs = true}}});
  EXPECT_TRUE(bench.heard<RunTasks>().empty());
  bench.dies("old", 15);
  const auto handed = bench.heard<RunTasks>();
  ASSERT_EQ(handed.size(), 1u);
  EXPECT_EQ(handed[0].tasks.at(0).id.value, "b");
}

TEST(Executors, ThatAFrameworkWhichIsBeingRemovedWantsDoNotLive) {
  Executors bench;
  bench.enlist();
  bench.launch("old", Bench::spec(), 0, "f");
  bench.started("old");
  bench.receive(ShutdownFramework{.framework_id = {"f"}});
  bench.launch_on("a", executor_info());
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kFrameworkRemoved);
  const auto exited = bench.effects.take<ExecutorExited>();
  ASSERT_EQ(exited.size(), 1u) << "the master has counted it";
  EXPECT_EQ(exited[0].executor_id.value, "e");
}

}  // namespace
}  // namespace tepui
