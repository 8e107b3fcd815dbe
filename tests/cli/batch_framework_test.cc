#include "cli/batch_framework.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/loans.h"

// Goal: every task of a batch ends exactly once, whatever offers, losses and connections do, and
// what is not needed is given back. Method: the real scheduler core over effects that record; the
// master's messages by hand.

namespace tepui::cli {
namespace {

using namespace std::chrono_literals;

struct Recorder final : SchedulerEffects, BatchOwner {
  std::vector<SchedulerToMaster> sent;
  std::vector<std::string> started;
  std::vector<std::string> troubles;
  std::vector<std::string> done;
  int progress = 0;
  Duration clock{};

  void send(const SchedulerToMaster& message) override { sent.push_back(message); }
  void reconnect(std::string_view) override {}
  void wake_at(Instant) override {}
  void on_event(const Event&) override {}

  Now now() override { return {.mono = Instant(clock), .wall = WallTime(clock)}; }
  void on_started(size_t task, const TaskId& id, const AgentFacts& agent) override {
    started.push_back(std::to_string(task) + " " + id.value + " at " + agent.id.value);
  }
  void on_progress() override { ++progress; }
  void on_trouble(std::string_view what) override { troubles.emplace_back(what); }
  void on_done(std::string_view error) override { done.emplace_back(error); }

  template <class T>
  std::vector<T> take() {
    std::vector<T> found;
    for (const SchedulerToMaster& message : sent) {
      if (const T* one = std::get_if<T>(&message)) found.push_back(*one);
    }
    std::erase_if(sent, [](const auto& message) { return std::holds_alternative<T>(message); });
    return found;
  }
};

Batch batch_of(const std::vector<int64_t>& cpus) {
  Batch batch;
  for (const int64_t count : cpus) {
    auto spec = std::make_shared<TaskSpec>();
    spec->resources = Resources::scalars({{"cpus", count * 1000}});
    spec->command.value = "true";
    batch.tasks.push_back({.name = "t" + std::to_string(batch.tasks.size()), .spec = spec});
  }
  return batch;
}

struct BatchFrameworkTest : ::testing::Test {
  Recorder out;
  std::unique_ptr<BatchFramework> framework;
  std::unique_ptr<Scheduler> scheduler;
  uint64_t offers = 0;
  uint64_t updates = 0;

  void begin(const std::vector<int64_t>& cpus, bool revocable = false) {
    Batch batch = batch_of(cpus);
    batch.revocable = revocable;
    framework = std::make_unique<BatchFramework>(std::move(batch), out);
    SchedulerOptions options;
    options.info.name = "batch";
    options.info.roles = {"*"};
    scheduler = std::make_unique<Scheduler>(options, 1, *framework, out);
    subscribe();
    out.sent.clear();
  }
  void subscribe() {
    scheduler->on_connected(out.now());
    say(HelloReply{.protocol = 1, .epoch = 1});
    say(Subscribed{.framework_id = {"f1"}, .epoch = 1, .heartbeat_interval = 1h});
  }
  void say(const MasterToScheduler& message) { scheduler->on_message(out.now(), message); }
  // One offer of one agent with these resources.
  OfferId offer(Resources resources) {
    OfferBatch batch;
    const auto number = static_cast<uint32_t>(++offers);
    batch.agents.push_back({.agent = number, .id = {"a" + std::to_string(number)}});
    batch.roles = {"*"};
    batch.shapes.push_back(std::move(resources));
    batch.offers.push_back({.id = {offers}, .agent = number});
    say(batch);
    return {offers};
  }
  OfferId offer(int64_t cpus) { return offer(Resources::scalars({{"cpus", cpus * 1000}})); }
  void update(std::string task, TaskState state, std::optional<int32_t> exit_status = {}) {
    say(Updates{.statuses = {{.task_id = {std::move(task)},
                              .state = state,
                              .uuid = {1, ++updates},
                              .agent_id = {"a1"},
                              .exit_status = exit_status,
                              .message = "said so"}}});
  }
  // The ids of what was launched since it was asked last.
  std::vector<std::string> launched() {
    std::vector<std::string> ids;
    for (const Accepts& accepts : out.take<Accepts>()) {
      for (const Accept& accept : accepts.accepts) {
        for (const OfferOperation& operation : accept.operations) {
          for (const TaskInfo& task : operation.tasks) ids.push_back(task.id.value);
        }
      }
    }
    return ids;
  }
  using Ids = std::vector<std::string>;
};

TEST_F(BatchFrameworkTest, TakesRevocableResourcesOnlyWhenItMay) {
  const Resources lent = as_revocable(Resources::scalars({{"cpus", 2000}}));
  begin({2});
  offer(lent);
  EXPECT_TRUE(launched().empty());
  begin({2}, true);
  offer(lent + Resources::scalars({{"cpus", 2000}}));
  const auto accepts = out.take<Accepts>();
  ASSERT_EQ(accepts.size(), 1u);
  const TaskInfo& task = accepts[0].accepts.at(0).operations.at(0).tasks.at(0);
  EXPECT_EQ(task.spec->resources, lent) << "rather than what is regular";
}

TEST_F(BatchFrameworkTest, PacksOffersAndDeclinesWhatItCannotUse) {
  begin({2, 4, 2, 1});
  offer(3);
  EXPECT_EQ(launched(), (Ids{"t0", "t3"})) << "large ones do not keep smaller ones waiting";
  const OfferId small = offer(1);
  EXPECT_EQ(launched(), Ids{});
  const auto declined = out.take<Decline>();
  ASSERT_EQ(declined.size(), 1u);
  EXPECT_EQ(declined[0].offers, std::vector<OfferId>{small});
  EXPECT_EQ(framework->waiting(), 2u);
  EXPECT_EQ(framework->running(), 2u);
  EXPECT_TRUE(out.take<Suppress>().empty());
  offer(6);
  EXPECT_EQ(launched(), (Ids{"t1", "t2"}));
  EXPECT_EQ(out.take<Suppress>().size(), 1u) << "nothing waits";
}

TEST_F(BatchFrameworkTest, LeavesReservedAndRevocableResourcesAlone) {
  begin({1});
  offer(*Resources::parse("cpus(ops):4"));
  EXPECT_EQ(launched(), Ids{});
  EXPECT_EQ(out.take<Decline>().size(), 1u);
  offer(*Resources::parse("cpus(ops):4;cpus:1"));
  EXPECT_EQ(launched(), Ids{"t0"});
}

TEST_F(BatchFrameworkTest, EndsWhenEveryTaskHasEnded) {
  begin({1, 1});
  offer(2);
  out.clock += 10ms;
  update("t0", TaskState::kRunning);
  EXPECT_EQ(out.started, std::vector<std::string>{"0 t0 at a1"});
  out.clock += 20ms;
  update("t0", TaskState::kFinished, 0);
  EXPECT_TRUE(out.done.empty());
  EXPECT_EQ(framework->ended(), 1u);
  update("t1", TaskState::kRunning);
  update("t1", TaskState::kFailed, 3);
  EXPECT_EQ(out.done, std::vector<std::string>{""});
  EXPECT_EQ(out.take<Teardown>().size(), 1u);
  const auto outcomes = framework->outcomes();
  EXPECT_EQ(outcomes[0].state, TaskState::kFinished);
  EXPECT_EQ(outcomes[0].launch_ms, 10);
  EXPECT_EQ(outcomes[0].run_ms, 20);
  EXPECT_EQ(outcomes[0].agent_id.value, "a1");
  EXPECT_EQ(outcomes[1].state, TaskState::kFailed);
  EXPECT_EQ(outcomes[1].exit_status, 3);
  EXPECT_EQ(outcomes[1].message, "said so");
  EXPECT_TRUE(out.troubles.empty());
}

TEST_F(BatchFrameworkTest, AnUpdateThatIsRepeatedCountsOnce) {
  begin({1, 1});
  offer(2);
  update("t0", TaskState::kRunning);
  update("t0", TaskState::kRunning);
  EXPECT_EQ(out.started.size(), 1u);
  update("t0", TaskState::kFinished);
  update("t0", TaskState::kFinished);
  EXPECT_EQ(framework->ended(), 1u);
  EXPECT_EQ(framework->running(), 1u);
  update("nobody's", TaskState::kFinished);
  EXPECT_EQ(framework->ended(), 1u);
}

TEST_F(BatchFrameworkTest, ATaskThatEndedAtOnceHasOutputToo) {
  begin({1, 1});
  offer(2);
  update("t0", TaskState::kFailed, 1);
  EXPECT_EQ(out.started.size(), 1u) << "it ran, though RUNNING was never said";
  update("t1", TaskState::kFailed);
  EXPECT_EQ(out.started.size(), 1u) << "it was never run";
}

TEST_F(BatchFrameworkTest, WhatTheClusterLostIsLaunchedAgain) {
  for (const TaskState state : {TaskState::kLost, TaskState::kDropped, TaskState::kGone,
                                TaskState::kUnreachable, TaskState::kUnknown}) {
    SCOPED_TRACE(to_text(state));
    out = Recorder();
    offers = 0;
    begin({1});
    offer(1);
    EXPECT_EQ(launched(), Ids{"t0"});
    out.take<Suppress>();
    update("t0", state);
    EXPECT_EQ(out.take<Revive>().size(), 1u) << "it needs offers again";
    EXPECT_EQ(out.troubles.size(), 1u);
    EXPECT_EQ(framework->waiting(), 1u);
    EXPECT_EQ(framework->running(), 0u);
    offer(1);
    EXPECT_EQ(launched(), Ids{"t0.2"}) << "an id is never used twice";
    EXPECT_EQ(out.take<Suppress>().size(), 1u);
    update("t0.2", TaskState::kFinished, 0);
    EXPECT_EQ(out.done.size(), 1u);
    EXPECT_EQ(framework->outcomes()[0].state, TaskState::kFinished);
    EXPECT_EQ(framework->outcomes()[0].name, "t0");
  }
}

TEST_F(BatchFrameworkTest, AnAttemptThatComesBackIsKilled) {
  begin({1});
  offer(1);
  update("t0", TaskState::kUnreachable);
  offer(1);
  update("t0", TaskState::kRunning);
  const auto kills = out.take<Kill>();
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].task_id.value, "t0");
  update("t0", TaskState::kKilled);
  EXPECT_TRUE(out.take<Kill>().empty());
  EXPECT_TRUE(out.done.empty()) << "the second attempt runs on";
}

TEST_F(BatchFrameworkTest, ATaskIsNotLaunchedForEver) {
  begin({1});
  for (const char* id : {"t0", "t0.2", "t0.3"}) {
    offer(1);
    EXPECT_EQ(launched(), Ids{id});
    update(id, TaskState::kLost);
  }
  EXPECT_EQ(out.done.size(), 1u);
  EXPECT_EQ(framework->outcomes()[0].state, TaskState::kLost);
  EXPECT_EQ(framework->ended(), 1u);
}

TEST_F(BatchFrameworkTest, WhatFailedByItselfIsNotLaunchedAgain) {
  for (const TaskState state : {TaskState::kFailed, TaskState::kKilled, TaskState::kError}) {
    out = Recorder();
    offers = 0;
    begin({1});
    offer(1);
    update("t0", state);
    EXPECT_EQ(out.done.size(), 1u) << to_text(state);
    EXPECT_TRUE(out.take<Revive>().empty());
  }
}

TEST_F(BatchFrameworkTest, AfterAReconnectionItAsksForWhatWasUnderWay) {
  begin({1, 1, 1});
  offer(2);
  update("t0", TaskState::kFinished);
  scheduler->on_lost(out.now(), "reset");
  EXPECT_EQ(out.troubles.back(), "no connection to the master: reset");
  out.sent.clear();
  subscribe();
  const auto asked = out.take<Reconcile>();
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_EQ(asked[0].items.size(), 1u);
  EXPECT_EQ(asked[0].items[0].task_id.value, "t1");
  EXPECT_EQ(asked[0].items[0].agent_id.value, "a1");
}

TEST_F(BatchFrameworkTest, CancellingKillsWhatRunsAndGivesUpWhatWaits) {
  begin({1, 1});
  offer(1);
  launched();
  framework->cancel(*scheduler);
  framework->cancel(*scheduler);
  const auto kills = out.take<Kill>();
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].task_id.value, "t0");
  EXPECT_TRUE(out.done.empty()) << "it waits for the last word";
  offer(4);
  EXPECT_EQ(launched(), Ids{});
  EXPECT_FALSE(out.take<Decline>().empty());
  update("t0", TaskState::kLost);
  EXPECT_EQ(out.done, std::vector<std::string>{""}) << "not launched again";
  EXPECT_EQ(framework->outcomes()[1].state, TaskState::kKilled);
  EXPECT_EQ(framework->outcomes()[1].message, "Cancelled before it was launched");
}

TEST_F(BatchFrameworkTest, CancellingBeforeAnythingRunsEndsAtOnce) {
  begin({1, 1});
  framework->cancel(*scheduler);
  EXPECT_EQ(out.done, std::vector<std::string>{""});
  EXPECT_EQ(out.take<Teardown>().size(), 1u);
}

TEST_F(BatchFrameworkTest, AnErrorOfTheMasterEndsIt) {
  begin({1});
  say(ErrorMessage{.message = "refused"});
  EXPECT_EQ(out.done, std::vector<std::string>{"refused"});
}

}  // namespace
}  // namespace tepui::cli
