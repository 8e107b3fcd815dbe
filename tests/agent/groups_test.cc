// Groups of tasks under the default executor: all or nothing, and together to the end.

#include <gtest/gtest.h>

#include "agent/records_wire.h"
#include "common/record_log.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kAware = bit(FrameworkCapability::kPartitionAware);

std::shared_ptr<ExecutorInfo> pod() {
  auto info = std::make_shared<ExecutorInfo>();
  info->id = {"pod"};
  info->type = ExecutorInfo::Type::kDefault;
  info->resources = Resources::scalars({{"cpus", 100}, {"mem", 32000}, {"disk", 1000}});
  return info;
}

AgentConfig config_with_disk() {
  AgentConfig config = bench_config();
  config.info.resources += Resources::scalars({{"disk", 10000}});
  return config;
}

struct Groups : Bench {
  Groups() : Bench(config_with_disk()) {}

  void launch_group(const std::vector<std::string>& ids, TaskSpec given = spec(),
                    bool executor_runs = false) {
    LaunchGroup message{.frameworks = {framework("f", kAware)},
                        .framework_id = {"f"},
                        .role = "eng",
                        .executor = pod(),
                        .executor_runs = executor_runs};
    const auto shared = std::make_shared<const TaskSpec>(std::move(given));
    for (const std::string& id : ids) {
      message.tasks.push_back({.id = {id}, .name = id, .spec = shared});
    }
    receive(message);
  }
  void run_group() {
    enlist();
    launch_group({"a", "b"});
    started("a");
    started("b");
  }
};

TEST(Groups, AreContainersInsideThatOfTheirExecutor) {
  Groups bench;
  bench.run_group();
  ASSERT_EQ(bench.effects.launches.size(), 2u);
  const LaunchSpec& a = bench.effects.launches[0];
  const LaunchSpec& b = bench.effects.launches[1];
  EXPECT_FALSE(a.parent.empty());
  EXPECT_EQ(a.parent, b.parent);
  EXPECT_TRUE(a.makes_parent);
  EXPECT_NE(a.id, b.id);
  EXPECT_FALSE(a.plan.empty()) << "each has limits of its own";
  EXPECT_EQ(a.executor_id.value, "pod");
  EXPECT_EQ(bench.newest("a").state, TaskState::kRunning);
  EXPECT_EQ(bench.newest("a").executor_id.value, "pod");
}

TEST(Groups, ThatFinishEndTheirExecutor) {
  Groups bench;
  bench.run_group();
  bench.exits("a", 0);
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_TRUE(bench.effects.take<ExecutorExited>().empty());
  bench.exits("b", 0);
  EXPECT_EQ(bench.newest("b").state, TaskState::kFinished);
  const auto exited = bench.effects.take<ExecutorExited>();
  ASSERT_EQ(exited.size(), 1u);
  EXPECT_EQ(exited[0].executor_id.value, "pod");
}

TEST(Groups, OfWhichOneFailsAreKilled) {
  Groups bench;
  bench.run_group();
  bench.exits("a", 3);
  EXPECT_EQ(bench.newest("a").state, TaskState::kFailed);
  ASSERT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_EQ(bench.effects.signals[0], std::pair(bench.container("b"), 15));
  bench.dies("b", 15);
  EXPECT_EQ(bench.newest("b").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("b").message,
            "Killed because another task of its group did not finish; the command was terminated "
            "by signal Terminated");
}

TEST(Groups, KeepThoseThatHaveFinishedAlready) {
  Groups bench;
  bench.run_group();
  bench.exits("a", 0);
  bench.exits("b", 1);
  EXPECT_EQ(bench.newest("a").state, TaskState::kFinished);
  EXPECT_EQ(bench.newest("b").state, TaskState::kFailed);
}

TEST(Groups, KilledInOneMemberBeforeTheirLaunchAreKilledAsAWhole) {
  Groups bench;
  bench.enlist();
  bench.disk_works = false;
  bench.launch_group({"a", "b"});
  bench.kill("b");
  bench.disk_works = true;
  bench.sync();
  EXPECT_TRUE(bench.effects.launches.empty());
  EXPECT_EQ(bench.newest("a").state, TaskState::kKilled);
  EXPECT_EQ(bench.newest("b").state, TaskState::kKilled);
  EXPECT_EQ(bench.effects.take<ExecutorExited>().size(), 1u);
}

TEST(Groups, ThatDoNotFitAreRefusedAsAWhole) {
  Groups bench;
  bench.enlist();
  bench.launch_group({"a", "b", "c", "d"});
  EXPECT_TRUE(bench.effects.launches.empty());
  for (const char* id : {"a", "b", "c", "d"}) {
    EXPECT_EQ(bench.newest(id).state, TaskState::kDropped);
    EXPECT_EQ(bench.newest(id).reason, TaskReason::kResourcesUnknown);
  }
  EXPECT_EQ(bench.effects.take<ExecutorExited>().size(), 1u) << "nothing is charged for it";
}

TEST(Groups, WithAMemberThatIsWrongAreRefusedAsAWhole) {
  Groups bench;
  bench.enlist();
  TaskSpec broken = Bench::spec();
  broken.command = {};
  bench.launch_group({"a", "b"}, broken);
  EXPECT_EQ(bench.newest("a").state, TaskState::kError);
  EXPECT_EQ(bench.newest("b").reason, TaskReason::kTaskGroupInvalid);
}

TEST(Groups, ForAnExecutorThatHasJustEndedAreDropped) {
  Groups bench;
  bench.enlist();
  bench.launch_group({"a"}, Bench::spec(), true);
  EXPECT_EQ(bench.newest("a").state, TaskState::kDropped);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kExecutorTerminated);
}

TEST(Groups, ShareAnExecutorWithLaterOnesAndDoNotDieOfThem) {
  Groups bench;
  bench.run_group();
  bench.launch_group({"c"}, Bench::spec(), true);
  bench.started("c");
  EXPECT_EQ(bench.effects.launches[2].parent, bench.effects.launches[0].parent);
  bench.exits("c", 1);
  EXPECT_TRUE(bench.effects.signals.empty()) << "another group failed";
  EXPECT_EQ(bench.newest("a").state, TaskState::kRunning);
}

TEST(Groups, OfAnUnhealthyMemberAreKilled) {
  Groups bench;
  bench.enlist();
  TaskSpec spec = Bench::spec();
  spec.health_check = HealthCheckInfo{
      .check = {.type = CheckInfo::Type::kTcp, .port = 80, .delay = 1s, .interval = 1h},
      .grace_period = 0s,
      .consecutive_failures = 1};
  bench.launch_group({"a", "b"}, spec);
  bench.started("a");
  bench.started("b");
  bench.advance(1s);
  ASSERT_EQ(bench.effects.probes.size(), 2u);
  const uint64_t first = bench.effects.probes.begin()->first;
  bench.turn([&](Now now) { bench.agent.on_probed(now, first, 0); });
  ASSERT_EQ(bench.effects.signals.size(), 1u);
  const ContainerId unhealthy = bench.effects.signals[0].first;
  const std::string id = unhealthy == bench.container("a") ? "a" : "b";
  bench.dies(id, 15);
  EXPECT_EQ(bench.effects.signals.size(), 2u) << "the other one follows";
}

// What is there if only the first `count` records came to the disk.
RecoveredAgent memory_of(const Groups& bench, size_t count) {
  StoreContents contents;
  for (size_t i = 0; i < count; ++i) apply_batch(contents, encode_record(bench.effects.records[i]));
  auto memory = decode_memory(contents);
  EXPECT_TRUE(memory.has_value()) << (memory ? "" : memory.error().message);
  return memory.value_or(RecoveredAgent{});
}

TEST(Groups, AreRememberedAsAWholeOrNotAtAll) {
  Groups bench;
  bench.run_group();
  for (size_t count = 0; count <= bench.effects.records.size(); ++count) {
    const size_t tasks = memory_of(bench, count).tasks.size();
    EXPECT_TRUE(tasks == 0 || tasks == 2) << tasks << " after " << count << " records";
  }
  EXPECT_EQ(memory_of(bench, bench.effects.records.size()).tasks.size(), 2u);
}

TEST(Groups, EndTogetherAlsoIfTheAgentDiesInBetween) {
  Groups before;
  before.run_group();
  before.exits("a", 3);
  const auto tells_the_end = [](const AgentRecord& record) {
    const auto* status = std::get_if<record::Status>(&record);
    return status != nullptr && status->status.state == TaskState::kFailed;
  };
  const auto& records = before.effects.records;
  const auto last = std::ranges::find_if(records, tells_the_end);
  ASSERT_NE(last, records.end());
  const RecoveredAgent memory = memory_of(before, static_cast<size_t>(last - records.begin()) + 1);
  Groups after;
  after.turn([&](Now now) { after.agent.on_recovered(now, memory, RecoveryKind::kResume); });
  ASSERT_EQ(after.effects.adoptions.size(), 1u);
  const ContainerId b = after.effects.adoptions[0].id;
  EXPECT_EQ(b, before.container("b"));
  after.turn([&](Now now) { after.agent.on_launched(now, b, 4711); });
  // It runs, and has its grace as always.
  EXPECT_EQ(after.effects.signals, (std::vector{std::pair(b, 15)}));
  EXPECT_TRUE(after.effects.kills.empty());
  after.advance(AgentTunables{}.kill_grace);
  EXPECT_EQ(after.effects.kills, std::vector{b});
}

TEST(Groups, GiveTheirExecutorBackWhenItsEndIsDurable) {
  Groups bench;
  bench.enlist();
  bench.launch_group({"a"});
  bench.started("a");
  bench.disk_works = false;
  bench.exits("a", 0);
  EXPECT_TRUE(bench.effects.take<ExecutorExited>().empty());
  bench.disk_works = true;
  bench.sync();
  EXPECT_EQ(bench.effects.take<ExecutorExited>().size(), 1u);
}

TEST(Groups, OfAFrameworkThatIsBeingRemovedHoldNoExecutor) {
  Groups bench;
  bench.run_group();
  bench.receive(ShutdownFramework{.framework_id = {"f"}});
  bench.launch_group({"c", "d"});
  EXPECT_EQ(bench.effects.launches.size(), 2u);
  EXPECT_EQ(bench.newest("c").reason, TaskReason::kFrameworkRemoved);
  EXPECT_EQ(bench.effects.take<ExecutorExited>().size(), 1u) << "the master has counted one";
}

}  // namespace
}  // namespace tepui
