// What becomes of a task on an agent, from its launch to the acknowledgement of its last status.

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using States = std::vector<TaskState>;

constexpr uint32_t kPartitionAware = bit(FrameworkCapability::kPartitionAware);

TEST(Tasks, RunAndFinish) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  EXPECT_EQ(bench.states("t"), States{TaskState::kStarting});
  bench.started("t");
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
  bench.exits("t", 0);
  EXPECT_EQ(bench.states("t"),
            (States{TaskState::kStarting, TaskState::kRunning, TaskState::kFinished}));
  const TaskStatus& last = bench.newest("t");
  EXPECT_EQ(last.message, "Command exited with status 0");
  EXPECT_EQ(last.exit_status, 0);
  EXPECT_EQ(last.reason, TaskReason::kNone);
  EXPECT_EQ(last.source, TaskSource::kExecutor);
  EXPECT_EQ(last.agent_id.value, "agent-1");
  EXPECT_EQ(last.container_id, bench.container("t"));
  EXPECT_EQ(last.timestamp, bench.now().wall);
}

TEST(Tasks, AreForgottenWhenTheLastStatusIsAcknowledged) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.exits("t", 0);
  EXPECT_EQ(bench.agent.totals().updates_pending, 3u);
  EXPECT_EQ(bench.settle("t").state, TaskState::kFinished);
  EXPECT_EQ(bench.agent.totals().updates_pending, 0u);
  EXPECT_EQ(bench.agent.totals().containers, 1u);
  bench.destroyed("t");
  EXPECT_EQ(bench.agent.totals().containers, 0u);
  EXPECT_EQ(bench.effects.destroyed_events.size(), 1u);
}

TEST(Tasks, EndOnlyWhenTheirCommandHasEnded) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.kill("t", 0s);
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
  EXPECT_TRUE(bench.effects.destroys.empty());
  bench.dies("t", 9);
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
  EXPECT_EQ(bench.effects.destroys, std::vector{bench.container("t")});
}

TEST(Tasks, FailWithTheStatusOfTheirCommand) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.exits("t", ExitRecord{.exit_status = 3, .signal = {}, .stderr_tail = "one\ntwo\n"});
  const TaskStatus& last = bench.newest("t");
  EXPECT_EQ(last.state, TaskState::kFailed);
  EXPECT_EQ(last.exit_status, 3);
  EXPECT_FALSE(last.signal.has_value());
  EXPECT_EQ(last.message, "Command exited with status 3; its last lines on stderr:\none\ntwo");
}

TEST(Tasks, FailWithTheSignalOfTheirCommand) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.dies("t", 9);
  EXPECT_EQ(bench.newest("t").state, TaskState::kFailed);
  EXPECT_EQ(bench.newest("t").signal, 9);
  EXPECT_EQ(bench.newest("t").message, "Command was terminated by signal Killed");
}

TEST(Tasks, FailWhenTheyExceedTheirMemory) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.exits("t", ExitRecord{.exit_status = {},
                              .signal = 9,
                              .oom_killed = true,
                              .memory_peak_bytes = 268435456,
                              .stderr_tail = {}});
  EXPECT_EQ(bench.newest("t").state, TaskState::kFailed);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kContainerLimitationMemory);
  EXPECT_EQ(bench.newest("t").message,
            "Memory limit exceeded: requested 256 MB, maximum 256 MB, peak 256 MB");
}

TEST(Tasks, FailWhenNobodyKnowsHowTheyEnded) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.exits("t", ExitRecord{});
  EXPECT_EQ(bench.newest("t").state, TaskState::kFailed);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kCommandExecutorFailed);
}

TEST(Tasks, FailWhenTheirContainerCannotBeLaunched) {
  Bench bench;
  bench.enlist();
  bench.launch("t");
  const ContainerId id = bench.container("t");
  bench.turn([&](Now now) { bench.agent.on_launch_failed(now, id, Error{"no user 'worker'"}); });
  EXPECT_EQ(bench.states("t"), (States{TaskState::kStarting, TaskState::kFailed}));
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kContainerLaunchFailed);
  EXPECT_EQ(bench.newest("t").message, "no user 'worker'");
  EXPECT_EQ(bench.newest("t").source, TaskSource::kAgent);
  EXPECT_EQ(bench.agent.totals().containers, 0u);
  EXPECT_TRUE(bench.effects.destroys.empty());
}

TEST(Tasks, EndBecauseOfTheirCompletionTime) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.max_completion_time = 30s;
  bench.run("t", spec, bit(FrameworkCapability::kTaskKillingState));
  bench.advance(30s - 1ns);
  EXPECT_TRUE(bench.effects.signals.empty());
  bench.advance(1ns);
  ASSERT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_EQ(bench.effects.signals[0].second, 15);
  bench.advance(3s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.dies("t", 9);
  // Such a kill is no request: TASK_KILLING is not sent.
  EXPECT_EQ(bench.states("t"),
            (States{TaskState::kStarting, TaskState::kRunning, TaskState::kFailed}));
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kMaxCompletionTimeReached);
}

TEST(Tasks, AreRefusedBeforeRegistration) {
  Bench bench;
  bench.connect();
  bench.greet();
  bench.launch("t");
  EXPECT_TRUE(bench.effects.launches.empty());
  EXPECT_TRUE(bench.effects.created.empty());
  EXPECT_EQ(bench.effects.dropped_, std::vector<std::string>{"the agent is not registered"});
}

TEST(Tasks, OfAnIdThatIsHereAreDroppedAndLeaveTheFirstAlone) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.launch("t");
  EXPECT_EQ(bench.effects.launches.size(), 1u);
  EXPECT_EQ(bench.effects.dropped_,
            std::vector<std::string>{"task 't' of framework 'f' is here already"});
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
  // The same while the last status waits for its acknowledgement.
  bench.exits("t", 0);
  bench.launch("t");
  EXPECT_EQ(bench.effects.launches.size(), 1u);
  EXPECT_EQ(bench.newest("t").state, TaskState::kFinished);
}

TEST(Tasks, MayUseAnIdAgainAfterItsEndWasAcknowledged) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.exits("t", 0);
  bench.settle("t");
  const ContainerId first = bench.container("t");
  bench.run("t");
  EXPECT_NE(bench.container("t"), first);
  // The old container goes while the new one runs.
  bench.turn([&](Now now) { bench.agent.on_destroyed(now, first); });
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
  EXPECT_EQ(bench.agent.totals().containers, 1u);
}

TEST(Tasks, ThatOvercommitTheAgentAreDropped) {
  Bench bench;
  bench.enlist();
  bench.run("a", Bench::spec(3000));
  bench.launch("aware", Bench::spec(1001), kPartitionAware);
  EXPECT_EQ(bench.states("aware"), States{TaskState::kDropped});
  EXPECT_EQ(bench.newest("aware").reason, TaskReason::kResourcesUnknown);
  bench.launch("unaware", Bench::spec(1001), 0);
  EXPECT_EQ(bench.states("unaware"), States{TaskState::kLost});
  bench.launch("fits", Bench::spec(1000));
  EXPECT_EQ(bench.newest("fits").state, TaskState::kStarting);
  EXPECT_EQ(bench.effects.launches.size(), 2u);
}

TEST(Tasks, GiveTheirResourcesBackWhenTheyEnd) {
  Bench bench;
  bench.enlist();
  bench.run("a", Bench::spec(4000));
  bench.exits("a", 0);
  bench.launch("b", Bench::spec(4000));
  EXPECT_EQ(bench.newest("b").state, TaskState::kStarting);
}

TEST(Tasks, ThatAreInvalidGetAnError) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.resources = Resources();
  bench.launch("t", spec);
  EXPECT_EQ(bench.states("t"), States{TaskState::kError});
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskInvalid);
  EXPECT_TRUE(bench.effects.launches.empty());
}

TEST(Tasks, WithAnIdThatIsNoPathComponentAreNeverTouched) {
  Bench bench;
  bench.enlist();
  bench.launch("../../etc");
  bench.launch("..");
  EXPECT_TRUE(bench.effects.launches.empty());
  EXPECT_TRUE(bench.effects.created.empty());
  EXPECT_EQ(bench.effects.dropped_.size(), 2u);
}

TEST(Tasks, OfAFrameworkNobodyNamedAreLost) {
  Bench bench;
  bench.enlist();
  LaunchTasks message;
  message.tasks.push_back(
      LaunchTasks::Item{.framework_id = FrameworkId{"stranger"},
                        .role = "eng",
                        .task = TaskInfo{.id = TaskId{"t"},
                                         .name = "t",
                                         .spec = std::make_shared<const TaskSpec>(Bench::spec())}});
  bench.receive(message);
  EXPECT_EQ(bench.states("t"), States{TaskState::kLost});
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kInvalidFrameworkId);
  EXPECT_EQ(bench.settle("t").state, TaskState::kLost);
  EXPECT_EQ(bench.agent.totals().updates_pending, 0u);
}

TEST(Tasks, BeyondTheLaunchBoundWaitInTheirOrder) {
  AgentConfig config = bench_config();
  config.info.resources = Resources::scalars({{"cpus", 100000}, {"mem", 409600000}});
  Bench bench(config);
  bench.enlist();
  const uint32_t bound = limits::kLaunchesInFlightMax;
  for (uint32_t i = 0; i < bound + 2; ++i) bench.launch("t" + std::to_string(i), Bench::spec(10));
  EXPECT_EQ(bench.effects.launches.size(), bound);
  EXPECT_TRUE(bench.states("t" + std::to_string(bound)).empty());
  bench.started("t3");
  ASSERT_EQ(bench.effects.launches.size(), bound + 1);
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "t" + std::to_string(bound));
  const ContainerId failed = bench.container("t5");
  bench.turn([&](Now now) { bench.agent.on_launch_failed(now, failed, Error{"no"}); });
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "t" + std::to_string(bound + 1));
}

TEST(Tasks, ThatWaitForDownloadsDelayNoOthers) {
  AgentConfig config = bench_config();
  config.info.resources = Resources::scalars({{"cpus", 100000}, {"mem", 409600000}});
  Bench bench(config);
  bench.enlist();
  TaskSpec fetching = Bench::spec(10);
  fetching.command.uris = {Uri{.value = "http://slow.example/file"}};
  const uint32_t bound = limits::kFetchesInFlightMax;
  for (uint32_t i = 0; i < bound + 2; ++i) bench.launch("slow" + std::to_string(i), fetching);
  ASSERT_EQ(bench.effects.launches.size(), bound);
  EXPECT_TRUE(bench.states("slow" + std::to_string(bound)).empty());
  // As many others begin as if there were none of these.
  const uint32_t others = limits::kLaunchesInFlightMax;
  for (uint32_t i = 0; i < others + 1; ++i) {
    bench.launch("plain" + std::to_string(i), Bench::spec(10));
  }
  ASSERT_EQ(bench.effects.launches.size(), bound + others);
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "plain" + std::to_string(others - 1));
  // Who is ready makes room for its own kind.
  bench.started("plain0");
  ASSERT_EQ(bench.effects.launches.size(), bound + others + 1);
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "plain" + std::to_string(others));
  bench.started("plain1");
  EXPECT_EQ(bench.effects.launches.size(), bound + others + 1);
  bench.started("slow1");
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "slow" + std::to_string(bound));
  const ContainerId failed = bench.container("slow2");
  bench.turn([&](Now now) { bench.agent.on_launch_failed(now, failed, Error{"no"}); });
  ASSERT_EQ(bench.effects.launches.size(), bound + others + 3);
  EXPECT_EQ(bench.effects.launches.back().task_id.value, "slow" + std::to_string(bound + 1));
}

TEST(Tasks, AreReadableByNameAfterTheirEnd) {
  Bench bench;
  bench.enlist();
  const FrameworkId framework{"f"};
  const TaskId task{"t"};
  EXPECT_EQ(bench.agent.sandbox_of(framework, task), "");
  EXPECT_TRUE(bench.agent.task_ended(framework, task));
  bench.run("t");
  const std::string sandbox = bench.agent.sandbox_of(framework, task);
  EXPECT_EQ(sandbox, bench.effects.launches[0].sandbox);
  EXPECT_FALSE(bench.agent.task_ended(framework, task));
  bench.exits("t", 0);
  bench.settle("t");
  EXPECT_EQ(bench.agent.sandbox_of(framework, task), sandbox);
  EXPECT_TRUE(bench.agent.task_ended(framework, task));
}

TEST(Tasks, AreRememberedOnlySoLong) {
  Bench bench;
  bench.enlist();
  for (size_t i = 0; i <= limits::kEndedSandboxesMax; ++i) {
    const std::string task = "t" + std::to_string(i);
    bench.effects.launches.clear();
    bench.run(task);
    bench.exits(task, 0);
    bench.destroyed(task);
    bench.settle(task);
    bench.effects.created.clear();
  }
  EXPECT_EQ(bench.agent.sandbox_of(FrameworkId{"f"}, TaskId{"t0"}), "");
  EXPECT_NE(bench.agent.sandbox_of(FrameworkId{"f"}, TaskId{"t1"}), "");
}

}  // namespace
}  // namespace tepui
