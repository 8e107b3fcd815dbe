// Checks and health checks of command tasks: what is started when, what is told, what is killed.

#include <gtest/gtest.h>

#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using States = std::vector<TaskState>;

CheckInfo port_check(Duration delay = 1s, Duration interval = 10s, Duration timeout = 5s) {
  return {.type = CheckInfo::Type::kTcp,
          .port = 80,
          .delay = delay,
          .interval = interval,
          .timeout = timeout};
}
TaskSpec healthy_spec(uint32_t failures = 2) {
  TaskSpec spec = Bench::spec();
  spec.health_check =
      HealthCheckInfo{.check = port_check(), .grace_period = 0s, .consecutive_failures = failures};
  return spec;
}
// Moves on until a probe is out, and answers it.
void answer(Bench& bench, Duration after, std::optional<int32_t> value) {
  bench.settle("t");
  bench.advance(after);
  ASSERT_EQ(bench.effects.probes.size(), 1u);
  const uint64_t number = bench.effects.probes.begin()->first;
  bench.effects.probes.clear();
  bench.turn([&](Now now) { bench.agent.on_probed(now, number, value); });
}

TEST(Checks, TellHealthWhenItChangesAndRepeatRunning) {
  Bench bench;
  bench.enlist();
  bench.run("t", healthy_spec());
  EXPECT_FALSE(bench.newest("t").healthy.has_value());
  answer(bench, 1s, 1);
  EXPECT_EQ(bench.states("t"),
            (States{TaskState::kStarting, TaskState::kRunning, TaskState::kRunning}));
  EXPECT_EQ(bench.newest("t").healthy, true);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskHealthCheckStatusUpdated);
  EXPECT_EQ(bench.newest("t").source, TaskSource::kExecutor);
  answer(bench, 10s, 1);
  EXPECT_EQ(bench.states("t").size(), 3u) << "nothing new";
}

TEST(Checks, KillTheUnhealthyWithGraceAndSaySo) {
  Bench bench;
  bench.enlist();
  bench.run("t", healthy_spec());
  answer(bench, 1s, 0);
  EXPECT_EQ(bench.newest("t").healthy, false);
  EXPECT_TRUE(bench.effects.signals.empty());
  answer(bench, 10s, 0);
  ASSERT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_EQ(bench.effects.signals[0].second, 15);
  bench.advance(3s);
  EXPECT_EQ(bench.effects.kills, std::vector{bench.container("t")});
  bench.dies("t", 9);
  EXPECT_EQ(bench.newest("t").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("t").healthy, false);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskHealthCheckStatusUpdated);
  EXPECT_EQ(bench.newest("t").message,
            "Killed because its health check failed too often in a row; the command was terminated "
            "by signal Killed");
  bench.advance(1min);
  EXPECT_TRUE(bench.effects.probes.empty()) << "nobody looks at what has ended";
}

TEST(Checks, CountAProbeThatTakesTooLongAsAFailure) {
  Bench bench;
  bench.enlist();
  bench.run("t", healthy_spec(1));
  bench.settle("t");
  bench.advance(1s);
  ASSERT_EQ(bench.effects.probes.size(), 1u);
  bench.advance(5s);
  EXPECT_TRUE(bench.effects.probes.empty());
  EXPECT_EQ(bench.newest("t").healthy, false);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
}

TEST(Checks, OnlyReportWhatTheySee) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.check = CheckInfo{.type = CheckInfo::Type::kHttp, .port = 8080, .delay = 1s};
  bench.run("t", spec);
  // From the first RUNNING on, though nothing was seen yet.
  ASSERT_TRUE(bench.newest("t").check.has_value());
  EXPECT_FALSE(bench.newest("t").check->value.has_value());
  answer(bench, 1s, 500);
  EXPECT_EQ(bench.newest("t").check->value, 500);
  EXPECT_EQ(bench.newest("t").reason, TaskReason::kTaskCheckStatusUpdated);
  EXPECT_TRUE(bench.effects.signals.empty());
  bench.exits("t", 0);
  EXPECT_EQ(bench.newest("t").state, TaskState::kFinished);
  EXPECT_EQ(bench.newest("t").check->value, 500);
}

TEST(Checks, RunCommandsInsideTheContainerOfTheirTask) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = healthy_spec();
  spec.command.environment = {{.name = "COLOR", .value = "red"}, {.name = "SIZE", .value = "1"}};
  spec.health_check->check = {
      .command = {.value = "probe $COLOR", .environment = {{.name = "SIZE", .value = "2"}}},
      .delay = 1s,
      .timeout = 5s};
  bench.run("t", spec);
  const ContainerId task = bench.container("t");
  const std::string sandbox = bench.effects.launches.back().sandbox;
  bench.settle("t");
  bench.advance(1s);
  ASSERT_EQ(bench.effects.launches.size(), 2u);
  const LaunchSpec probe = bench.effects.launches.back();
  EXPECT_EQ(probe.parent, task);
  EXPECT_NE(probe.id, task);
  EXPECT_EQ(probe.sandbox, sandbox);
  EXPECT_TRUE(probe.plan.empty());
  EXPECT_EQ(probe.command.value, "probe $COLOR");
  EXPECT_EQ(probe.command.user, "worker");
  const auto variable = [&probe](std::string_view name) {
    for (const auto& one : probe.environment) {
      if (one.name == name) return one.value;
    }
    return std::string();
  };
  EXPECT_EQ(variable("COLOR"), "red");
  EXPECT_EQ(variable("SIZE"), "2");
  bench.turn([&](Now now) { bench.agent.on_launched(now, probe.id, 5); });
  bench.turn([&](Now now) {
    bench.agent.on_exit(now, probe.id,
                        ExitRecord{.exit_status = 0, .signal = {}, .stderr_tail = {}});
  });
  EXPECT_EQ(bench.newest("t").healthy, true);
  EXPECT_EQ(bench.effects.destroys, std::vector{probe.id});
  bench.turn([&](Now now) { bench.agent.on_destroyed(now, probe.id); });
  EXPECT_EQ(bench.agent.totals().containers, 1u);
}

TEST(Checks, EndACommandThatTakesTooLongOrWhoseTaskEnds) {
  Bench bench;
  bench.enlist();
  TaskSpec spec = healthy_spec(9);
  spec.health_check->check = {.command = {.value = "slow"}, .delay = 1s, .timeout = 5s};
  bench.run("t", spec);
  const ContainerId task = bench.container("t");
  bench.settle("t");
  bench.advance(1s);
  const ContainerId slow = bench.effects.launches.back().id;
  bench.turn([&](Now now) { bench.agent.on_launched(now, slow, 5); });
  bench.settle("t");
  bench.advance(5s);
  EXPECT_EQ(bench.effects.kills, std::vector{slow});
  EXPECT_EQ(bench.newest("t").healthy, false);
  // Its end says nothing more.
  bench.turn([&](Now now) {
    bench.agent.on_exit(now, slow, ExitRecord{.exit_status = 0, .signal = {}, .stderr_tail = {}});
  });
  EXPECT_EQ(bench.newest("t").healthy, false);
  bench.settle("t");
  bench.advance(10s);
  const ContainerId second = bench.effects.launches.back().id;
  ASSERT_NE(second, slow);
  bench.turn([&](Now now) {
    bench.agent.on_exit(now, task, ExitRecord{.exit_status = 0, .signal = {}, .stderr_tail = {}});
  });
  EXPECT_NE(bench.effects.kills.back(), second) << "it does not run yet";
  bench.turn([&](Now now) { bench.agent.on_launched(now, second, 6); });
  EXPECT_EQ(bench.effects.kills.back(), second);
  EXPECT_EQ(bench.newest("t").state, TaskState::kFinished);
}

TEST(Checks, StopWhenTheTaskIsKilled) {
  Bench bench;
  bench.enlist();
  bench.run("t", healthy_spec());
  bench.settle("t");
  bench.advance(1s);
  ASSERT_EQ(bench.effects.probes.size(), 1u);
  bench.kill("t", 1h);
  EXPECT_TRUE(bench.effects.probes.empty());
  bench.settle("t");
  bench.advance(1min);
  EXPECT_TRUE(bench.effects.probes.empty());
}

}  // namespace
}  // namespace tepui
