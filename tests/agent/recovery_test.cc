// Goal: an agent that is started again is the one it was: what was durable is so, what was not was
// never said. Method: one life's records through their bytes into the next.

#include "agent/recovery.h"

#include <gtest/gtest.h>

#include "agent/records_wire.h"
#include "common/record_log.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kAware = uint32_t{1}
                            << static_cast<uint32_t>(FrameworkCapability::kPartitionAware);

AgentConfig life_config() {
  AgentConfig config = bench_config();
  config.configured = config.info.resources;
  config.ground = {.boot_id = "boot-1", .runtime_dir = "/run/tepui", .cgroup_root = "/cg/tepui"};
  return config;
}

// The entries after `count` records of a life: what a crash then would leave.
StoreContents contents_after(const std::vector<AgentRecord>& records, size_t count) {
  StoreContents contents;
  for (size_t i = 0; i < count; ++i) apply_batch(contents, encode_record(records[i]));
  return contents;
}

RecoveredAgent recalled(const std::vector<AgentRecord>& records, size_t count) {
  Result<RecoveredAgent> memory = decode_memory(contents_after(records, count));
  EXPECT_TRUE(memory.has_value()) << (memory ? "" : memory.error().message);
  return memory ? *std::move(memory) : RecoveredAgent{};
}
RecoveredAgent recalled(const Bench& life) {
  return recalled(life.effects.records, life.effects.records.size());
}

// A life that begins with what another one left.
void recover(Bench& next, const RecoveredAgent& memory, RecoveryKind kind = RecoveryKind::kResume) {
  next.turn([&](Now now) { next.agent.on_recovered(now, memory, kind); });
}

void enlist_again(Bench& next) {
  next.connect();
  next.greet();
  next.advance(1s);
}

TEST(Recovery, TheAgentKeepsItsIdAndTellsOfTheTaskThatRuns) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.settle("t");
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  EXPECT_EQ(next.agent.info().id.value, "agent-1");
  ASSERT_EQ(next.effects.adoptions.size(), 1u);
  EXPECT_EQ(next.effects.adoptions[0].id, first.container("t"));
  EXPECT_EQ(next.effects.adoptions[0].sandbox, first.effects.launches[0].sandbox);
  EXPECT_TRUE(next.effects.launches.empty());
  next.turn([&](Now now) { next.agent.on_launched(now, first.container("t"), 4711); });
  EXPECT_TRUE(next.effects.created.empty()) << "RUNNING was said and acknowledged before";
  enlist_again(next);
  const auto again = next.effects.take<ReregisterAgent>();
  ASSERT_FALSE(again.empty());
  ASSERT_EQ(again[0].tasks.size(), 1u);
  EXPECT_EQ(again[0].tasks[0].state, TaskState::kRunning);
  EXPECT_EQ(again[0].tasks[0].update_state, TaskState::kRunning);
  EXPECT_TRUE(again[0].tasks[0].update_uuid.is_nil());
  EXPECT_EQ(again[0].tasks[0].container_id, first.container("t"));
  ASSERT_EQ(again[0].frameworks.size(), 1u);
  EXPECT_EQ(again[0].frameworks[0], first.framework());
}

TEST(Recovery, ATrueExitStatusIsReportedOfATaskThatEndedMeanwhile) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.settle("t");
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  const ContainerId id = first.container("t");
  next.turn([&](Now now) { next.agent.on_launched(now, id, 4711); });
  next.turn([&](Now now) {
    next.agent.on_exit(now, id, ExitRecord{.exit_status = 7, .signal = {}, .stderr_tail = {}});
  });
  enlist_again(next);
  next.receive(next.registered());
  next.advance(1s);
  const TaskStatus last = next.settle("t");
  EXPECT_EQ(last.state, TaskState::kFailed);
  EXPECT_EQ(last.exit_status, 7);
  EXPECT_EQ(next.effects.destroys, std::vector{id});
}

TEST(Recovery, AStatusThatNobodyAcknowledgedComesAgainWithItsUuid) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.exits("t", 0);
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  EXPECT_TRUE(next.effects.adoptions.empty()) << "the task has ended";
  enlist_again(next);
  next.receive(next.registered());
  next.advance(1s);
  const auto sent = next.effects.take<StatusUpdates>();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].items[0].status.uuid, first.effects.created[0].uuid);
  EXPECT_EQ(sent[0].items[0].latest_state, TaskState::kFinished);
}

TEST(Recovery, WhatIsAcknowledgedIsForgotten) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.exits("t", 0);
  first.settle("t");
  const RecoveredAgent memory = recalled(first);
  EXPECT_TRUE(memory.tasks.empty());
  // The framework is named once a session; it stays until that is over.
  EXPECT_EQ(memory.frameworks.size(), 1u);
  first.disconnect();
  EXPECT_EQ(contents_after(first.effects.records, first.effects.records.size()).size(), 1u)
      << "only the identity is left";
}

TEST(Recovery, ATaskIsDurableBeforeItIsLaunched) {
  Bench bench(life_config());
  bench.enlist();
  bench.disk_works = false;
  bench.launch("t");
  EXPECT_TRUE(bench.effects.launches.empty());
  bench.sync();
  EXPECT_EQ(bench.effects.launches.size(), 1u);
}

TEST(Recovery, AStatusIsDurableBeforeItIsSent) {
  Bench bench(life_config());
  bench.enlist();
  bench.run("t");
  bench.settle("t");
  bench.disk_works = false;
  bench.exits("t", 0);
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
  EXPECT_TRUE(bench.effects.destroys.empty()) << "the machine knows how it ended, and only it does";
  bench.sync();
  EXPECT_EQ(bench.effects.take<StatusUpdates>().size(), 1u);
  EXPECT_EQ(bench.effects.destroys.size(), 1u);
}

TEST(Recovery, TheNextStatusWaitsForTheAcknowledgementToBeDurable) {
  Bench bench(life_config());
  bench.enlist();
  bench.run("t");
  const auto sent = bench.effects.take<StatusUpdates>();
  ASSERT_EQ(sent.size(), 1u);
  bench.disk_works = false;
  bench.receive(AcknowledgeUpdates{.items = {{.framework_id = FrameworkId{"f"},
                                              .task_id = TaskId{"t"},
                                              .uuid = sent[0].items[0].status.uuid}}});
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
  bench.sync();
  EXPECT_EQ(bench.effects.take<StatusUpdates>().size(), 1u);
}

TEST(Recovery, WhoRegistersAgainHasForgottenNothing) {
  Bench bench(life_config());
  bench.enlist();
  bench.run("t");
  bench.disk_works = false;
  bench.exits("t", 0);
  bench.disconnect();
  bench.connect();
  bench.greet();
  bench.advance(1s);
  EXPECT_TRUE(bench.effects.take<ReregisterAgent>().empty());
  bench.sync();
  EXPECT_EQ(bench.effects.take<ReregisterAgent>().size(), 1u);
}

TEST(Recovery, ATaskWhoseContainerNeverWasIsLaunched) {
  Bench first(life_config());
  first.enlist();
  first.launch("t");
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  ASSERT_EQ(next.effects.adoptions.size(), 1u);
  next.turn([&](Now now) { next.agent.on_absent(now, first.container("t")); });
  ASSERT_EQ(next.effects.launches.size(), 1u);
  EXPECT_EQ(next.effects.launches[0].id, first.container("t"));
  next.started("t");
  EXPECT_EQ(next.states("t"), std::vector{TaskState::kRunning}) << "STARTING was said before";
}

TEST(Recovery, ATaskThatRanAndLeftNoTraceHasEndedUnseen) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.settle("t");
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  next.turn([&](Now now) { next.agent.on_absent(now, first.container("t")); });
  EXPECT_TRUE(next.effects.launches.empty());
  EXPECT_EQ(next.newest("t").state, TaskState::kFailed);
  EXPECT_FALSE(next.newest("t").exit_status.has_value());
}

TEST(Recovery, AKillGoesOnWithTheGraceThatIsLeft) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.settle("t");
  first.kill("t", 10s);
  ASSERT_EQ(first.effects.signals.size(), 1u);
  Bench next(life_config(), 2);
  next.clock = first.clock + 4s;
  recover(next, recalled(first));
  const ContainerId id = first.container("t");
  next.turn([&](Now now) { next.agent.on_launched(now, id, 4711); });
  EXPECT_EQ(next.effects.signals, (std::vector{std::pair(id, 15)})) << "perhaps for a second time";
  next.advance(5s);
  EXPECT_TRUE(next.effects.kills.empty());
  next.advance(1s);
  EXPECT_EQ(next.effects.kills, std::vector{id});
  next.turn([&](Now now) {
    next.agent.on_exit(now, id, ExitRecord{.exit_status = {}, .signal = 9, .stderr_tail = {}});
  });
  EXPECT_EQ(next.newest("t").state, TaskState::kKilled);
}

TEST(Recovery, ATaskThatRanIsNotKilledWithoutGraceForItsAgentsRestart) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  Bench next(life_config(), 2);
  recover(next, recalled(first));
  enlist_again(next);
  next.receive(next.registered());
  next.kill("t", 10s);  // before its container is taken up
  const ContainerId id = first.container("t");
  next.turn([&](Now now) { next.agent.on_launched(now, id, 4711); });
  EXPECT_EQ(next.effects.signals, (std::vector{std::pair(id, 15)}));
  EXPECT_TRUE(next.effects.kills.empty());
  next.advance(10s);
  EXPECT_EQ(next.effects.kills, std::vector{id});
}

TEST(Recovery, TheCompletionTimeRunsOn) {
  Bench first(life_config());
  first.enlist();
  TaskSpec spec = Bench::spec();
  spec.max_completion_time = 60s;
  first.run("t", spec);
  first.settle("t");
  Bench next(life_config(), 2);
  next.clock = first.clock + 50s;
  recover(next, recalled(first));
  next.turn([&](Now now) { next.agent.on_launched(now, first.container("t"), 4711); });
  next.advance(9s);
  EXPECT_TRUE(next.effects.signals.empty());
  next.advance(1s);
  EXPECT_EQ(next.effects.signals.size(), 1u);
}

TEST(Recovery, AfterARebootTasksAreGoneOrLost) {
  Bench first(life_config());
  first.enlist();
  first.run("aware", Bench::spec(), kAware);
  first.launch("old", Bench::spec(), 0, "g");
  first.started("old");
  Bench next(life_config(), 2);
  recover(next, recalled(first), RecoveryKind::kRebooted);
  EXPECT_TRUE(next.effects.adoptions.empty());
  EXPECT_EQ(next.newest("aware").state, TaskState::kGone);
  EXPECT_EQ(next.newest("old").state, TaskState::kLost);
  EXPECT_EQ(next.agent.info().id.value, "agent-1");
  EXPECT_EQ(next.agent.totals().tasks, 0u);
}

TEST(Recovery, WhoIsSomebodyElseForgetsAllThatItWas) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  std::vector<AgentRecord> records = first.effects.records;
  Bench next(life_config(), 2);
  recover(next, recalled(first), RecoveryKind::kAnew);
  EXPECT_TRUE(next.agent.info().id.empty());
  EXPECT_TRUE(next.effects.created.empty());
  std::ranges::copy(next.effects.records, std::back_inserter(records));
  EXPECT_TRUE(contents_after(records, records.size()).empty());
}

TEST(Recovery, AFrameworkThatWasBeingRemovedIsRemoved) {
  Bench first(life_config());
  first.enlist();
  first.run("t");
  first.receive(ShutdownFramework{.framework_id = FrameworkId{"f"}});
  Bench next(life_config(), 2);
  next.clock = first.clock;
  recover(next, recalled(first));
  const ContainerId id = first.container("t");
  next.turn([&](Now now) { next.agent.on_launched(now, id, 4711); });
  next.advance(3s);
  EXPECT_EQ(next.effects.kills, std::vector{id});
  next.turn([&](Now now) {
    next.agent.on_exit(now, id, ExitRecord{.exit_status = {}, .signal = 9, .stderr_tail = {}});
  });
  EXPECT_EQ(next.agent.totals().updates_pending, 0u);
  EXPECT_EQ(next.agent.totals().frameworks, 0u);
}

// A crash between any two records leaves something that can be taken up.
TEST(Recovery, EveryPrefixOfALifeCanBeTakenUp) {
  Bench first(life_config());
  first.enlist();
  first.run("a");
  first.launch("refused", Bench::spec(9'000'000));
  first.run("b");
  first.kill("b");
  first.settle("a");
  first.exits("a", 1);
  first.settle("a");
  first.receive(ShutdownFramework{.framework_id = FrameworkId{"f"}});
  first.dies("b", 15);
  first.launch("c", Bench::spec(), kAware, "g");
  const std::vector<AgentRecord>& records = first.effects.records;
  ASSERT_GT(records.size(), 15u);
  for (size_t count = 0; count <= records.size(); ++count) {
    const RecoveredAgent memory = recalled(records, count);
    Bench next(life_config(), 2);
    recover(next, memory, memory.identity ? RecoveryKind::kResume : RecoveryKind::kAnew);
    while (!next.effects.adoptions.empty()) {
      const ContainerId id = next.effects.adoptions.back().id;
      next.effects.adoptions.pop_back();
      next.turn([&](Now now) { next.agent.on_exit(now, id, ExitRecord{}); });
      next.turn([&](Now now) { next.agent.on_destroyed(now, id); });
    }
    EXPECT_EQ(next.agent.totals().containers, 0u) << count;
    EXPECT_EQ(next.agent.totals().tasks, 0u) << count;
  }
}

TEST(Recovery, LeavingWaitsForTheDiskAndForNothingElse) {
  Bench bench(life_config());
  bench.enlist();
  bench.run("t");
  bench.disk_works = false;
  bench.exits("t", 0);
  bench.turn([&](Now now) { bench.agent.on_leave(now); });
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.sync();
  EXPECT_EQ(bench.effects.exits.size(), 1u);
  EXPECT_TRUE(bench.effects.kills.empty());
}

TEST(Recovery, WhoIsShutDownIsNobodyAfterwards) {
  Bench bench(life_config());
  bench.enlist();
  bench.run("t");
  bench.turn([&](Now now) { bench.agent.on_shutdown(now); });
  bench.dies("t", 15);
  bench.destroyed("t");
  bench.settle("t");
  EXPECT_EQ(bench.effects.exits.size(), 1u);
  EXPECT_EQ(bench.effects.take<UnregisterAgent>().size(), 1u);
  EXPECT_TRUE(contents_after(bench.effects.records, bench.effects.records.size()).empty());
}

TEST(Recovery, AnAgentThatCannotRememberEnds) {
  Bench bench(life_config());
  bench.enlist();
  bench.disk_works = false;
  bench.launch("t");
  bench.turn([&](Now now) {
    bench.agent.on_append_failed(now, Error{.message = "no space left", .code = 28});
  });
  ASSERT_EQ(bench.effects.exits.size(), 1u);
  EXPECT_EQ(bench.effects.exits[0], "the agent cannot remember what it does: no space left");
  EXPECT_TRUE(bench.effects.launches.empty());
}

// ---------------------------------------------------------------------------------- the verdict

RecoveredAgent remembered(const AgentConfig& config) {
  return {.identity = record::Identity{.info = config.info, .ground = config.ground},
          .frameworks = {},
          .tasks = {}};
}

TEST(JudgeRecovery, TheSameConfigurationResumes) {
  const AgentConfig config = life_config();
  EXPECT_EQ(judge_recovery(remembered(config), config.info, config.ground, {}),
            RecoveryKind::kResume);
  AgentGround rebooted = config.ground;
  rebooted.boot_id = "boot-2";
  EXPECT_EQ(judge_recovery(remembered(config), config.info, rebooted, {}), RecoveryKind::kRebooted);
  EXPECT_EQ(judge_recovery({}, config.info, config.ground, {}), RecoveryKind::kAnew);
}

TEST(JudgeRecovery, AChangeIsRefusedByNameAndMakesAnotherAgentAfterAReboot) {
  const AgentConfig config = life_config();
  AgentInfo less = config.info;
  less.resources = Resources::scalars({{"cpus", 2000}, {"mem", 4096000}});
  for (const auto policy : {ReconfigurationPolicy::kEqual, ReconfigurationPolicy::kAdditive}) {
    const auto kind = judge_recovery(remembered(config), less, config.ground, {.policy = policy});
    ASSERT_FALSE(kind.has_value());
    EXPECT_NE(kind.error().message.find("cpus"), std::string::npos) << kind.error().message;
    EXPECT_NE(kind.error().message.find("allows"), std::string::npos) << kind.error().message;
    AgentGround rebooted = config.ground;
    rebooted.boot_id = "boot-2";
    EXPECT_EQ(judge_recovery(remembered(config), less, rebooted, {.policy = policy}),
              RecoveryKind::kAnew);
    EXPECT_EQ(judge_recovery(remembered(config), less, config.ground,
                             {.policy = policy, .cleanup = true}),
              RecoveryKind::kResume);
  }
}

TEST(JudgeRecovery, MoreIsAllowedWhereThePolicyIsAdditive) {
  const AgentConfig config = life_config();
  AgentInfo more = config.info;
  more.resources = Resources::scalars({{"cpus", 8000}, {"mem", 4096000}});
  EXPECT_FALSE(judge_recovery(remembered(config), more, config.ground, {}).has_value());
  EXPECT_EQ(judge_recovery(remembered(config), more, config.ground,
                           {.policy = ReconfigurationPolicy::kAdditive}),
            RecoveryKind::kResume);
}

TEST(JudgeRecovery, ContainersThatRunMustBeFoundWhereTheyAre) {
  const AgentConfig config = life_config();
  AgentGround moved = config.ground;
  moved.runtime_dir = "/elsewhere";
  const auto kind = judge_recovery(remembered(config), config.info, moved, {});
  ASSERT_FALSE(kind.has_value());
  EXPECT_NE(kind.error().message.find("/elsewhere"), std::string::npos);
  moved.boot_id = "boot-2";
  EXPECT_EQ(judge_recovery(remembered(config), config.info, moved, {}), RecoveryKind::kRebooted);
}

// ------------------------------------------------------------------------------------ the bytes

TEST(RecordsWire, EveryRecordComesBack) {
  Bench life(life_config());
  life.enlist();
  TaskSpec spec = Bench::spec();
  spec.max_completion_time = 60s;
  spec.command.environment = {{"A", "b"}};
  life.run("t", spec, kAware);
  life.kill("t", 10s);
  life.settle("t");
  const RecoveredAgent memory = recalled(life);
  ASSERT_TRUE(memory.identity.has_value());
  EXPECT_EQ(memory.identity->ground, life_config().ground);
  EXPECT_EQ(memory.identity->info, life.agent.info());
  ASSERT_EQ(memory.tasks.size(), 1u);
  const RecoveredTask& task = memory.tasks[0];
  EXPECT_EQ(task.accepted.task.id.value, "t");
  EXPECT_EQ(task.accepted.spec->resources, spec.resources);
  EXPECT_EQ(task.accepted.spec->command.environment, spec.command.environment);
  EXPECT_EQ(task.accepted.spec->max_completion_time, spec.max_completion_time);
  EXPECT_EQ(task.accepted.executor_id.value, "t");
  EXPECT_EQ(task.course.kill_cause, KillCause::kRequested);
  EXPECT_EQ(task.course.kill_at, life.clock + 10s);
  EXPECT_EQ(task.course.complete_by, life.clock + 60s);
  ASSERT_TRUE(task.course.acknowledged.has_value());
  EXPECT_EQ(task.course.acknowledged->state, TaskState::kRunning);
  EXPECT_TRUE(task.waiting.empty());
}

TEST(RecordsWire, WhatIsNotUnderstoodIsRefusedByItsKey) {
  const StoreContents unknown = {{"wishes/1", "x"}};
  Result<RecoveredAgent> read = decode_memory(unknown);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message, "'wishes/1': no such key is known to this program");
  const StoreContents broken = {{"agent", "not an entry"}};
  EXPECT_FALSE(decode_memory(broken).has_value());
}

TEST(RecordsWire, RecordsThatDoNotFitTogetherAreRefused) {
  Bench life(life_config());
  life.enlist();
  life.run("t");
  StoreContents contents = contents_after(life.effects.records, life.effects.records.size());
  StoreContents lacks_framework = contents;
  lacks_framework.erase(lacks_framework.find("frameworks/00000000000000000001"));
  EXPECT_FALSE(decode_memory(lacks_framework).has_value());
  StoreContents lacks_task = contents;
  lacks_task.erase(lacks_task.find("tasks/00000000000000000002"));
  EXPECT_FALSE(decode_memory(lacks_task).has_value());
  EXPECT_TRUE(decode_memory(contents).has_value());
}

}  // namespace
}  // namespace tepui
