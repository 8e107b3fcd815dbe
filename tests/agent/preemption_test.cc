#include <gtest/gtest.h>

#include <algorithm>

#include "agent/corrections.h"
#include "agent/records_wire.h"
#include "agent/recovery.h"
#include "common/frameworks.h"
#include "common/record_log.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TaskSpec revocable_spec() {
  TaskSpec spec = Bench::spec();
  spec.resources = Resources::scalars({{"mem", 32'000}});
  spec.resources += Resources::create({{.kind = make_kind({.name = "cpus", .revocable = true}),
                                        .amount = int64_t{1000}}})
                        .value();
  return spec;
}

class Preemption : public testing::Test {
 protected:
  Preemption() {
    bench.enlist();
    bench.turn(
        [&](Now now) { bench.agent.on_revocable(now, revocable_spec().resources.revocable()); });
  }
  void correct(const std::string& task, const Corrections& corrections) {
    const ContainerId id = bench.container(task);
    bench.turn([&](Now now) { bench.agent.on_corrected(now, id, corrections); });
  }
  void preempt(const std::string& task, bool at_once = false) {
    const ContainerId id = bench.container(task);
    bench.turn([&](Now now) { bench.agent.on_preempted(now, id, at_once, "web waits"); });
  }
  std::string written(std::string_view name) {
    if (bench.effects.resizes.empty()) return "nothing was written";
    const IsolationPlan& plan = bench.effects.resizes.back().second;
    const auto found = std::ranges::find_if(plan, [name](const ControlWrite& write) {
      return write.file == name || (write.file.empty() && write.controller == name);
    });
    return found == plan.end() ? "not written" : found->value;
  }

  Bench bench;
};

TEST_F(Preemption, CorrectionsReachTheControlFiles) {
  bench.run("batch", revocable_spec());
  correct("batch", {.cpu_max_milli = 250, .frozen = true});
  ASSERT_EQ(bench.effects.resizes.size(), 1u);
  EXPECT_EQ(bench.effects.resizes[0].first, bench.container("batch"));
  EXPECT_EQ(written("cpu.max"), "25000 100000");
  EXPECT_EQ(written("cgroup.freeze"), "1");
  correct("batch", {});
  EXPECT_EQ(written("cpu.max"), "max 100000");
  EXPECT_EQ(written("cgroup.freeze"), "0");
}

TEST_F(Preemption, WhatIsNotRevocableIsNeverTouched) {
  bench.run("web");
  correct("web", {.frozen = true});
  preempt("web", true);
  EXPECT_TRUE(bench.effects.resizes.empty());
  EXPECT_TRUE(bench.effects.kills.empty());
  EXPECT_TRUE(bench.effects.signals.empty());
  const std::string refusal =
      "container " + bench.container("web").value + " does not run on revocable resources";
  EXPECT_EQ(bench.effects.dropped_, (std::vector<std::string>{refusal, refusal}));
}

TEST_F(Preemption, OwnMemoryIsNotReclaimed) {
  bench.run("batch", revocable_spec());
  correct("batch", {.memory_high_bytes = 1 << 20});
  EXPECT_EQ(written("memory.high"), "max");
}

TEST_F(Preemption, WhatIsGoneIsNotCorrected) {
  bench.launch("batch", revocable_spec());
  correct("batch", {.frozen = true});
  EXPECT_TRUE(bench.effects.resizes.empty()) << "it does not run yet";
  bench.started("batch");
  bench.exits("batch", 0);
  correct("batch", {.frozen = true});
  preempt("batch");
  EXPECT_TRUE(bench.effects.resizes.empty());
  EXPECT_EQ(bench.newest("batch").state, TaskState::kFinished);
}

TEST_F(Preemption, EvictionHasTheNoticeOfAKillAndItsOwnReason) {
  bench.run(
      "batch", revocable_spec(),
      bit(FrameworkCapability::kPartitionAware) | bit(FrameworkCapability::kTaskKillingState));
  preempt("batch");
  EXPECT_EQ(bench.newest("batch").state, TaskState::kKilling);
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.advance(3s);
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.dies("batch", 9);
  const TaskStatus& last = bench.newest("batch");
  EXPECT_EQ(last.state, TaskState::kGone);
  EXPECT_EQ(last.reason, TaskReason::kContainerPreempted);
  EXPECT_EQ(last.message,
            "Its revocable resources were taken back: web waits; the command was terminated by "
            "signal Killed");
}

TEST_F(Preemption, AtOnceThereIsNoNoticeAndOthersHearThatItIsLost) {
  bench.run("batch", revocable_spec());
  preempt("batch", true);
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_EQ(bench.effects.kills.size(), 1u);
  bench.dies("batch", 9);
  EXPECT_EQ(bench.newest("batch").state, TaskState::kLost);
  EXPECT_EQ(bench.newest("batch").reason, TaskReason::kContainerPreempted);
}

// A frozen command would not hear SIGTERM.
TEST_F(Preemption, WhoIsFrozenRunsForItsNotice) {
  bench.run("batch", revocable_spec());
  correct("batch", {.cpu_max_milli = 100, .cpu_time_permille = 100, .frozen = true});
  preempt("batch");
  EXPECT_EQ(written("cgroup.freeze"), "0");
  EXPECT_EQ(written("cpu.max"), "10000 100000") << "but no faster";
  EXPECT_EQ(bench.effects.signals.size(), 1u);
  correct("batch", {.frozen = true});
  EXPECT_EQ(written("cgroup.freeze"), "0") << "until it has ended";
}

TEST_F(Preemption, AKillThaws) {
  bench.run("batch", revocable_spec());
  correct("batch", {.frozen = true});
  bench.kill("batch");
  EXPECT_EQ(written("cgroup.freeze"), "0");
  bench.dies("batch", 15);
  EXPECT_EQ(bench.newest("batch").state, TaskState::kKilled);
}

TEST_F(Preemption, BeforeItRunsItIsNotLaunched) {
  bench.launch("batch", revocable_spec());
  preempt("batch");
  EXPECT_EQ(bench.effects.cancelled.size(), 1u);
}

AgentConfig remembering() {
  AgentConfig config = bench_config();
  config.configured = config.info.resources;
  config.ground = {.boot_id = "boot-1", .runtime_dir = "/run/tepui", .cgroup_root = "/cg/tepui"};
  return config;
}

// The kernel still has what an earlier life wrote, and the next one knows nothing of it.
TEST(PreemptionMemory, WhatWasHeldAgainstRevocableWorkIsClearedWhenItIsTakenUp) {
  Bench first(remembering());
  first.enlist();
  const TaskSpec spec = revocable_spec();
  first.turn([&](Now now) { first.agent.on_revocable(now, spec.resources.revocable()); });
  first.run("batch", spec);
  first.run("web");
  first.settle("batch");
  first.settle("web");
  first.turn(
      [&](Now now) { first.agent.on_corrected(now, first.container("batch"), {.frozen = true}); });
  Bench next(remembering(), 2);
  StoreContents contents;
  for (const AgentRecord& record : first.effects.records) {
    apply_batch(contents, encode_record(record));
  }
  const Result<RecoveredAgent> memory = decode_memory(contents);
  ASSERT_TRUE(memory.has_value()) << memory.error().message;
  next.turn([&](Now now) { next.agent.on_recovered(now, *memory, RecoveryKind::kResume); });
  next.turn([&](Now now) { next.agent.on_launched(now, first.container("web"), 4712); });
  EXPECT_TRUE(next.effects.resizes.empty()) << "nothing was ever held against it";
  next.turn([&](Now now) { next.agent.on_launched(now, first.container("batch"), 4711); });
  ASSERT_EQ(next.effects.resizes.size(), 1u);
  EXPECT_EQ(next.effects.resizes[0].first, first.container("batch"));
  const IsolationPlan& plan = next.effects.resizes[0].second;
  EXPECT_EQ(std::ranges::find(plan, "cgroup.freeze", &ControlWrite::file)->value, "0");
}

}  // namespace
}  // namespace tepui
