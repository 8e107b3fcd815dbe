#include "agent/task_checks.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace tepui {
namespace {

using namespace std::chrono_literals;
using Kind = TaskChecks::Kind;
using What = TaskChecks::Step::What;

CheckInfo command(Duration delay, Duration interval, Duration timeout) {
  return {.command = {.value = "probe"}, .delay = delay, .interval = interval, .timeout = timeout};
}

struct Bench {
  std::shared_ptr<TaskSpec> spec = std::make_shared<TaskSpec>();
  std::optional<TaskChecks> checks;
  Instant now{100s};

  void begin(const TaskStatus* known = nullptr) {
    checks.emplace(spec);
    checks->begin(now, known);
  }
  // What is due at this moment, in order.
  std::vector<TaskChecks::Step> steps() {
    std::vector<TaskChecks::Step> all;
    while (const auto step = checks->next_step(now)) all.push_back(*step);
    return all;
  }
  // Goes to the next deadline, where exactly one probe of the kind must be due, and answers it.
  TaskChecks::Report probe(Kind kind, std::optional<int32_t> value) {
    now = checks->deadline();
    const auto due = steps();
    EXPECT_EQ(due.size(), 1u);
    if (due.empty()) return {};
    EXPECT_EQ(due[0].what, What::kStart);
    EXPECT_EQ(due[0].kind, kind);
    return checks->on_result(now, kind, value);
  }
};

Bench health_bench(Duration grace = 0s, uint32_t failures = 3) {
  Bench bench;
  bench.spec->health_check = HealthCheckInfo{
      .check = command(5s, 10s, 2s), .grace_period = grace, .consecutive_failures = failures};
  bench.begin();
  return bench;
}

TEST(TaskChecks, OfATaskWithoutAnyAreNeverDue) {
  Bench bench;
  bench.begin();
  EXPECT_EQ(bench.checks->deadline(), kNever);
  EXPECT_TRUE(bench.steps().empty());
  EXPECT_FALSE(bench.checks->check().has_value());
  TaskChecks none;
  none.begin(bench.now, nullptr);
  EXPECT_EQ(none.deadline(), kNever);
}

TEST(TaskChecks, BeginAfterTheDelayAndComeAgainAnIntervalAfterTheEnd) {
  Bench bench = health_bench();
  EXPECT_EQ(bench.checks->deadline(), bench.now + 5s);
  EXPECT_TRUE(bench.steps().empty());
  bench.now += 5s;
  ASSERT_EQ(bench.steps().size(), 1u);
  EXPECT_TRUE(bench.steps().empty()) << "one probe at a time";
  EXPECT_EQ(bench.checks->deadline(), bench.now + 2s);  // its timeout
  bench.now += 1s;
  EXPECT_TRUE(bench.checks->on_result(bench.now, Kind::kHealth, 0).changed);
  EXPECT_EQ(bench.checks->deadline(), bench.now + 10s);
}

TEST(TaskChecks, ReportHealthWhenItChanges) {
  Bench bench = health_bench();
  EXPECT_FALSE(bench.checks->healthy().has_value());
  const auto first = bench.probe(Kind::kHealth, 0);
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(first.reason, TaskReason::kTaskHealthCheckStatusUpdated);
  EXPECT_EQ(bench.checks->healthy(), true);
  EXPECT_FALSE(bench.probe(Kind::kHealth, 0).changed);
  EXPECT_TRUE(bench.probe(Kind::kHealth, 1).changed);
  EXPECT_EQ(bench.checks->healthy(), false);
  EXPECT_FALSE(bench.probe(Kind::kHealth, 1).changed);
  EXPECT_TRUE(bench.probe(Kind::kHealth, 0).changed);
}

TEST(TaskChecks, KillAfterSoManyFailuresInARow) {
  Bench bench = health_bench();
  EXPECT_FALSE(bench.probe(Kind::kHealth, 1).kill);
  EXPECT_FALSE(bench.probe(Kind::kHealth, 1).kill);
  EXPECT_FALSE(bench.probe(Kind::kHealth, 0).kill);  // begins to count anew
  EXPECT_FALSE(bench.probe(Kind::kHealth, 1).kill);
  EXPECT_FALSE(bench.probe(Kind::kHealth, std::nullopt).kill);
  EXPECT_TRUE(bench.probe(Kind::kHealth, 7).kill);
  EXPECT_EQ(bench.checks->failures(), 3u);
}

TEST(TaskChecks, ForgiveFailuresInTheGracePeriodUntilTheFirstSuccess) {
  Bench bench = health_bench(20s, 1);
  EXPECT_FALSE(bench.probe(Kind::kHealth, 1).changed);  // after 5 s
  const auto second = bench.probe(Kind::kHealth, 1);    // after 15 s
  EXPECT_FALSE(second.changed);
  EXPECT_FALSE(second.kill);
  EXPECT_TRUE(bench.probe(Kind::kHealth, 1).kill);  // after 25 s
  Bench other = health_bench(20s, 1);
  EXPECT_TRUE(other.probe(Kind::kHealth, 0).changed);
  EXPECT_TRUE(other.probe(Kind::kHealth, 1).kill) << "the success has ended the grace period";
}

TEST(TaskChecks, GiveUpAProbeAfterItsTimeout) {
  Bench bench = health_bench(0s, 1);
  bench.now += 5s;
  EXPECT_EQ(bench.steps().size(), 1u);
  bench.now += 2s;
  const auto due = bench.steps();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].what, What::kGiveUp);
  EXPECT_TRUE(due[0].report.kill);
  // What it says after all is not listened to.
  EXPECT_FALSE(bench.checks->on_result(bench.now, Kind::kHealth, 0).changed);
  EXPECT_EQ(bench.checks->healthy(), false);
  EXPECT_EQ(bench.checks->deadline(), bench.now + 10s);
}

TEST(TaskChecks, WithoutATimeoutWaitForEver) {
  Bench bench;
  bench.spec->check = command(0s, 1s, 0s);
  bench.begin();
  EXPECT_EQ(bench.steps().size(), 1u);
  EXPECT_EQ(bench.checks->deadline(), kNever);
}

TEST(TaskChecks, ReportWhatACheckSawAndNeverKill) {
  Bench bench;
  bench.spec->check = command(0s, 1s, 5s);
  bench.begin();
  EXPECT_EQ(bench.checks->check(), CheckStatus{});  // from the start: nothing seen yet
  const auto first = bench.probe(Kind::kCheck, 3);
  EXPECT_TRUE(first.changed);
  EXPECT_FALSE(first.kill);
  EXPECT_EQ(first.reason, TaskReason::kTaskCheckStatusUpdated);
  EXPECT_EQ(bench.checks->check()->value, 3);
  EXPECT_FALSE(bench.probe(Kind::kCheck, 3).changed);
  EXPECT_TRUE(bench.probe(Kind::kCheck, std::nullopt).changed);
  EXPECT_FALSE(bench.checks->check()->value.has_value());
}

TEST(TaskChecks, JudgeEachTypeByItsOwnValues) {
  const auto healthy = [](CheckInfo::Type type, int32_t value) {
    Bench bench;
    CheckInfo info{.type = type, .port = 80, .delay = 0s};
    bench.spec->health_check = HealthCheckInfo{.check = info, .grace_period = 0s};
    bench.begin();
    bench.now += 1ns;
    EXPECT_EQ(bench.steps().size(), 1u);
    bench.checks->on_result(bench.now, Kind::kHealth, value);
    return bench.checks->healthy().value_or(false);
  };
  EXPECT_TRUE(healthy(CheckInfo::Type::kHttp, 200));
  EXPECT_TRUE(healthy(CheckInfo::Type::kHttp, 399));
  EXPECT_FALSE(healthy(CheckInfo::Type::kHttp, 400));
  EXPECT_FALSE(healthy(CheckInfo::Type::kHttp, 199));
  EXPECT_TRUE(healthy(CheckInfo::Type::kTcp, 1));
  EXPECT_FALSE(healthy(CheckInfo::Type::kTcp, 0));
  EXPECT_TRUE(healthy(CheckInfo::Type::kCommand, 0));
}

TEST(TaskChecks, GoOnFromWhatWasKnownBeforeARestart) {
  Bench bench;
  bench.spec->health_check =
      HealthCheckInfo{.check = command(0s, 1s, 5s), .grace_period = 1h, .consecutive_failures = 1};
  TaskStatus known;
  known.healthy = true;
  bench.begin(&known);
  // Nothing new, and no second grace period for a task that was healthy already.
  EXPECT_FALSE(bench.probe(Kind::kHealth, 0).changed);
  EXPECT_TRUE(bench.probe(Kind::kHealth, 1).kill);
}

TEST(TaskChecks, AreOverWhenTheTaskIs) {
  Bench bench = health_bench();
  bench.now += 5s;
  EXPECT_EQ(bench.steps().size(), 1u);
  bench.checks->end();
  EXPECT_EQ(bench.checks->deadline(), kNever);
  EXPECT_FALSE(bench.checks->on_result(bench.now, Kind::kHealth, 1).changed);
}

}  // namespace
}  // namespace tepui
