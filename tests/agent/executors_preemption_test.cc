#include <gtest/gtest.h>

#include <algorithm>

#include "tests/agent/executors_bench.h"

namespace tepui {
namespace {

TaskSpec revocable_spec() {
  TaskSpec spec = Bench::spec();
  spec.resources = Resources::create({{.kind = make_kind({.name = "cpus", .revocable = true}),
                                       .amount = int64_t{1000}}})
                       .value();
  return spec;
}

// An executor that runs on revocable resources alone, with its one task.
void run_revocable(Executors& bench) {
  bench.enlist();
  bench.turn([&](Now now) {
    bench.agent.on_revocable(now, revocable_spec().resources + revocable_spec().resources);
  });
  auto info = executor_info();
  info->resources = revocable_spec().resources;
  bench.launch_on("a", info, false, revocable_spec());
  bench.turn([&](Now now) { bench.agent.on_launched(now, bench.executor_container(), 4711); });
  bench.subscribe();
  bench.say(UpdateTask{bench.status("a", TaskState::kRunning)});
}

// Its processors are its own now: it must not stay frozen, nor on half of them.
TEST(Executors, ThatGetResourcesOfTheirOwnAreFreedOfWhatWasHeldAgainstThem) {
  Executors bench;
  run_revocable(bench);
  const auto value = [&bench](std::string_view file) {
    const IsolationPlan& plan = bench.effects.resizes.back().second;
    const auto found = std::ranges::find(plan, file, &ControlWrite::file);
    return found == plan.end() ? "not written" : found->value;
  };
  bench.turn([&](Now now) {
    bench.agent.on_corrected(now, bench.executor_container(),
                             {.cpu_max_milli = 500, .frozen = true});
  });
  EXPECT_EQ(value("cgroup.freeze"), "1");
  auto info = executor_info();
  info->resources = revocable_spec().resources;
  bench.launch_on("b", info, true);
  EXPECT_EQ(value("cgroup.freeze"), "0");
  EXPECT_EQ(value("cpu.max"), "max 100000");
}

TEST(Executors, ThatArePreemptedTakeTheirTasksWithThem) {
  Executors bench;
  run_revocable(bench);
  bench.turn([&](Now now) {
    bench.agent.on_preempted(now, bench.executor_container(), false, "web waits");
  });
  EXPECT_EQ(bench.heard<EndExecutor>().size(), 1u);
  EXPECT_TRUE(bench.effects.kills.empty());
  bench.executor_exits(0);
  EXPECT_EQ(bench.newest("a").state, TaskState::kGone);
  EXPECT_EQ(bench.newest("a").reason, TaskReason::kContainerPreempted);
  EXPECT_NE(bench.newest("a").message.find("web waits"), std::string::npos);
}

}  // namespace
}  // namespace tepui
