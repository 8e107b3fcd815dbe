// Goal: what the shell is told of containers becomes samples and metrics. Method: a real cgroup
// subtree with cgroups as containers, on a real loop. Skips where no cgroup can be made.

#include "agent/shell/measuring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "agent/linux/cgroup_discovery.h"
#include "tests/agent/linux/cgroup_sweep.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

class MeasuringTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupFacts> facts = read_cgroup_facts();
    ASSERT_TRUE(facts.has_value());
    const Result<CgroupPlace> place = choose_cgroup_place(*facts);
    if (!place) GTEST_SKIP() << place.error().message;
    if (access(place->base.c_str(), W_OK) != 0) GTEST_SKIP() << "cannot write " << place->base;
    Result<std::unique_ptr<CgroupRoot>> root =
        CgroupRoot::create(*place, "tepui-measuring-" + std::to_string(getpid()), {});
    ASSERT_TRUE(root.has_value()) << root.error().message;
    root_ = *std::move(root);
    reactor_ = *Reactor::create();
  }
  void TearDown() override {
    if (root_ == nullptr) return;
    const std::string path = root_->path();
    EXPECT_TRUE(root_->kill_all_and_remove().has_value());
    root_.reset();
    sweep_cgroup(path);
  }
  static double metric(const Measuring& measuring, const std::string& key) {
    std::vector<MetricRow> rows;
    measuring.add_metrics(rows);
    const auto found = std::ranges::find(rows, key, &MetricRow::key);
    return found == rows.end() ? -1 : found->value;
  }

  Log log_{{.level = Severity::kError, .colour = Colour::kNever}};
  std::unique_ptr<CgroupRoot> root_;
  std::unique_ptr<Reactor> reactor_;
};

TEST_F(MeasuringTest, ContainersAreMeasuredFromLaunchToRemoval) {
  using Mode = MeasuringOptions::Mode;
  for (const Mode mode : {Mode::kAuto, Mode::kFiles}) {
    Measuring measuring(*reactor_, log_, root_.get(), {.mode = mode, .interval = 10ms});
    LaunchSpec outer;
    outer.id.value = "outer";
    LaunchSpec inner;
    inner.id.value = "inner";
    inner.parent = outer.id;
    ASSERT_TRUE(root_->create_container("outer", {}).has_value());
    ASSERT_TRUE(root_->create_container("outer/inner", {}).has_value());
    for (const LaunchSpec* spec : {&outer, &inner}) {
      measuring.expect(*spec);
      measuring.on_launched(spec->id);
    }
    EXPECT_EQ(measuring.find(outer.id), nullptr) << "not yet";
    EXPECT_TRUE(test::run_until(*reactor_, [&] {
      const SampleHistory* history = measuring.find(inner.id);
      return history != nullptr && history->size() >= 3;
    }));
    EXPECT_TRUE(measuring.find(outer.id)->latest().cpu_usage_ns.known());
    EXPECT_GT(measuring.find(outer.id)->at(1).at, measuring.find(outer.id)->at(0).at);
    EXPECT_EQ(metric(measuring, "sampling/on"), 1);
    EXPECT_EQ(metric(measuring, "sampling/containers"), 2);
    EXPECT_GE(metric(measuring, "sampling/samplings"), 3);
    EXPECT_EQ(metric(measuring, "sampling/failures"), 0);
    if (mode == Mode::kFiles) {
      EXPECT_EQ(metric(measuring, "sampling/source/files"), 1);
    }
    measuring.forget(inner.id);
    EXPECT_EQ(measuring.find(inner.id), nullptr);
    EXPECT_EQ(metric(measuring, "sampling/containers"), 1);
    measuring.forget({.value = "nobody"});
    ASSERT_TRUE(root_->remove_container("outer", 5s).value_or(false));
  }
}

TEST_F(MeasuringTest, WithoutCgroupsOrSwitchedOffItMeasuresNothing) {
  using Mode = MeasuringOptions::Mode;
  const Measuring off(*reactor_, log_, root_.get(), {.mode = Mode::kOff});
  Measuring without(*reactor_, log_, nullptr, {});
  LaunchSpec spec;
  spec.id.value = "one";
  without.expect(spec);
  without.on_launched(spec.id);
  without.forget(spec.id);
  EXPECT_EQ(without.find(spec.id), nullptr);
  EXPECT_EQ(metric(off, "sampling/on"), 0);
  EXPECT_EQ(metric(without, "sampling/on"), 0);
}

}  // namespace
}  // namespace tepui
