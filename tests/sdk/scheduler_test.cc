// Over 500 lines: one class and one fixture, a case for each promise of its header.
#include "sdk/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/limits.h"

// Goal: the scheduler core keeps a subscription alive whatever the master and the link do, hands
// whole offers to its author, and never lets bad input crash it. Method: a handler and effects that
// record, and inputs by hand.

namespace tepui {
namespace {

using namespace std::chrono_literals;

struct Recorder final : SchedulerHandler, SchedulerEffects {
  std::vector<SchedulerToMaster> sent;
  std::vector<std::string> reconnects;
  std::vector<std::string> dropped;
  Instant wake = kNever;

  std::vector<std::string> calls;
  std::vector<Offer> offers;
  std::vector<TaskStatus> updates;
  bool teardown_at_update = false;
  bool lose_at_update = false;

  void send(const SchedulerToMaster& message) override { sent.push_back(message); }
  void reconnect(std::string_view why) override { reconnects.emplace_back(why); }
  void wake_at(Instant when) override { wake = when; }
  void on_event(const Event& event) override {
    if (const auto* drop = std::get_if<event::MessageDropped>(&event)) {
      dropped.emplace_back(std::string(drop->name) + ": " + std::string(drop->why));
    }
  }

  void on_subscribed(Scheduler&, const Subscribed& s) override {
    calls.push_back("subscribed " + s.framework_id.value);
  }
  void on_offers(Scheduler&, std::span<const Offer> batch) override {
    calls.push_back("offers");
    offers.assign(batch.begin(), batch.end());
  }
  void on_rescinded(Scheduler&, OfferId id) override {
    calls.push_back("rescinded " + to_text(id));
  }
  void on_update(Scheduler& scheduler, const TaskStatus& status) override {
    updates.push_back(status);
    if (teardown_at_update) scheduler.teardown();
    if (lose_at_update) scheduler.on_lost({}, "reset");
  }
  void on_framework_updated(Scheduler&, std::string_view error) override {
    calls.push_back("updated: " + std::string(error));
  }
  void on_agent_lost(Scheduler&, const AgentId& id) override {
    calls.push_back("lost " + id.value);
  }
  void on_disconnected(Scheduler&, std::string_view why) override {
    calls.push_back("disconnected: " + std::string(why));
  }
  void on_error(Scheduler&, std::string_view message) override {
    calls.push_back("error: " + std::string(message));
  }

  template <class T>
  std::vector<T> sent_of() const {
    std::vector<T> found;
    for (const SchedulerToMaster& message : sent) {
      if (const T* one = std::get_if<T>(&message)) found.push_back(*one);
    }
    return found;
  }
};

struct SchedulerTest : ::testing::Test {
  Recorder out;
  SchedulerOptions options = [] {
    SchedulerOptions made;
    made.info.name = "test";
    made.info.roles = {"a", "b"};
    made.build = "test build";
    return made;
  }();
  Scheduler scheduler{options, 7, out, out};
  Duration clock{};

  Now now() const { return {.mono = Instant(clock), .wall = WallTime(clock)}; }
  void say(const MasterToScheduler& message) { scheduler.on_message(now(), message); }
  void wait_for(Duration time) {
    clock += time;
    scheduler.on_time(now());
  }
  // Time passes up to the wake-up the core asked for.
  Duration wait_for_wake() {
    const Duration waited = out.wake - Instant(clock);
    wait_for(waited);
    return waited;
  }
  void greet(uint64_t epoch) {
    scheduler.on_connected(now());
    say(HelloReply{.protocol = 1, .epoch = epoch});
  }
  void subscribe(uint64_t epoch = 3, std::string id = "f1") {
    greet(epoch);
    say(Subscribed{.framework_id = {id}, .epoch = epoch, .heartbeat_interval = 15s});
    ASSERT_TRUE(scheduler.subscribed());
  }
  static OfferBatch one_offer(uint64_t id) {
    OfferBatch batch;
    batch.agents.push_back({.agent = 9, .id = {"a9"}, .hostname = "host9"});
    batch.roles = {"a"};
    batch.shapes.emplace_back();
    batch.offers.push_back({.id = {id}, .agent = 9});
    return batch;
  }
  static TaskStatus status(std::string task, Uuid uuid) {
    return {.task_id = {std::move(task)},
            .state = TaskState::kRunning,
            .uuid = uuid,
            .agent_id = {"a9"}};
  }
};

TEST_F(SchedulerTest, GreetsThenSubscribesThenTellsTheAuthor) {
  scheduler.on_connected(now());
  ASSERT_EQ(out.sent.size(), 1u);
  EXPECT_EQ(std::get<Hello>(out.sent[0]).epoch, 0u);
  EXPECT_EQ(std::get<Hello>(out.sent[0]).build, "test build");
  say(HelloReply{.protocol = 1, .epoch = 4});
  ASSERT_EQ(out.sent.size(), 2u);
  EXPECT_TRUE(std::get<Subscribe>(out.sent[1]).info.id.empty());
  EXPECT_FALSE(scheduler.subscribed());
  say(Subscribed{.framework_id = {"f1"}, .epoch = 4});
  EXPECT_TRUE(scheduler.subscribed());
  EXPECT_EQ(scheduler.info().id.value, "f1");
  EXPECT_EQ(scheduler.epoch(), 4u);
  EXPECT_EQ(out.calls, std::vector<std::string>{"subscribed f1"});
}

TEST_F(SchedulerTest, SubscribesAgainWithTheSameIdAfterALoss) {
  subscribe();
  scheduler.on_lost(now(), "reset");
  EXPECT_FALSE(scheduler.subscribed());
  EXPECT_EQ(out.calls.back(), "disconnected: reset");
  EXPECT_TRUE(out.reconnects.empty()) << "who reports a loss connects again by itself";
  greet(3);
  EXPECT_EQ(out.sent_of<Subscribe>().back().info.id.value, "f1");
}

TEST_F(SchedulerTest, RepeatsTheSubscriptionEverMoreSlowlyThenGivesTheSessionUp) {
  greet(1);
  Duration bound = options.subscribe_backoff_min;
  while (out.reconnects.empty()) {
    const size_t before = out.sent_of<Subscribe>().size();
    const Duration waited = wait_for_wake();
    EXPECT_GE(waited, bound / 2);
    EXPECT_LE(waited, bound);
    bound *= 2;
    if (out.reconnects.empty()) {
      EXPECT_EQ(out.sent_of<Subscribe>().size(), before + 1);
    }
  }
  EXPECT_EQ(out.sent_of<Subscribe>().size(), 5u) << "0.5, 1, 2, 4 and 8 s";
  EXPECT_TRUE(out.calls.empty()) << "the author was never subscribed";
}

TEST_F(SchedulerTest, TheWaitsOfTwoSchedulersDiffer) {
  Recorder other_out;
  Scheduler other(options, 8, other_out, other_out);
  greet(1);
  other.on_connected(now());
  other.on_message(now(), HelloReply{.protocol = 1, .epoch = 1});
  EXPECT_NE(out.wake, other_out.wake);
}

TEST_F(SchedulerTest, AnUnansweredHelloIsGivenUp) {
  scheduler.on_connected(now());
  EXPECT_EQ(wait_for_wake(), options.subscribe_backoff_max);
  EXPECT_EQ(out.reconnects.size(), 1u);
}

TEST_F(SchedulerTest, ARefusalMeansToLookElsewhere) {
  scheduler.on_connected(now());
  say(HelloReply{.protocol = 0, .error = "not the leader"});
  ASSERT_EQ(out.reconnects.size(), 1u);
  EXPECT_EQ(out.reconnects[0], "the master refused: not the leader");
  EXPECT_TRUE(out.sent_of<Subscribe>().empty());
}

TEST_F(SchedulerTest, AProtocolItDoesNotSpeakIsRefused) {
  scheduler.on_connected(now());
  say(HelloReply{.protocol = 2, .epoch = 1});
  EXPECT_EQ(out.reconnects.size(), 1u);
  EXPECT_TRUE(out.sent_of<Subscribe>().empty());
}

TEST_F(SchedulerTest, ADeposedLeaderCommandsNobody) {
  subscribe(5);
  scheduler.on_lost(now(), "reset");
  greet(4);
  EXPECT_EQ(out.sent_of<Hello>().back().epoch, 5u);
  EXPECT_EQ(out.reconnects.size(), 1u);
  EXPECT_EQ(out.sent_of<Subscribe>().size(), 1u) << "only that of epoch 5";
  greet(5);
  say(Subscribed{.framework_id = {"f1"}, .epoch = 4});
  EXPECT_FALSE(scheduler.subscribed());
  EXPECT_EQ(out.reconnects.size(), 2u);
}

TEST_F(SchedulerTest, AnotherFrameworksIdIsRefused) {
  subscribe();
  scheduler.on_lost(now(), "reset");
  greet(3);
  say(Subscribed{.framework_id = {"f2"}, .epoch = 3});
  EXPECT_FALSE(scheduler.subscribed());
  EXPECT_EQ(scheduler.info().id.value, "f1");
}

TEST_F(SchedulerTest, OffersComeWithTheirAgentAndResources) {
  subscribe();
  OfferBatch batch = one_offer(1);
  batch.roles = {"b", "a"};
  batch.shapes.emplace_back();
  batch.offers[0].role = 1;
  batch.offers[0].shape = 1;
  say(batch);
  ASSERT_EQ(out.offers.size(), 1u);
  EXPECT_EQ(out.offers[0].role, "a");
  EXPECT_EQ(out.offers[0].agent->hostname, "host9");
  const std::shared_ptr<const AgentFacts> facts = out.offers[0].agent;

  batch.agents.clear();
  batch.offers[0].id = {2};
  say(batch);
  ASSERT_EQ(out.offers.size(), 1u);
  EXPECT_EQ(out.offers[0].id, OfferId{2});
  EXPECT_EQ(out.offers[0].agent, facts) << "the facts of the first batch, the same object";
}

TEST_F(SchedulerTest, AgentFactsEndWithTheirSession) {
  subscribe();
  say(one_offer(1));
  scheduler.on_lost(now(), "reset");
  subscribe();
  OfferBatch batch = one_offer(2);
  batch.agents.clear();
  say(batch);
  EXPECT_EQ(out.reconnects.size(), 1u);
  EXPECT_FALSE(scheduler.subscribed());
}

TEST_F(SchedulerTest, BadIndicesEndTheSessionNotTheProcess) {
  for (const int which : {0, 1, 2, 3}) {
    subscribe();
    OfferBatch batch = one_offer(1);
    if (which == 0) batch.offers[0].agent = 8;
    if (which == 1) batch.offers[0].role = 1;
    if (which == 2) batch.offers[0].shape = UINT32_MAX;
    if (which == 3) batch.agents.push_back({.agent = 9, .id = {"another"}});
    out.calls.clear();
    say(batch);
    EXPECT_EQ(out.reconnects.size(), static_cast<size_t>(which) + 1);
    ASSERT_EQ(out.calls.size(), 1u) << which;
    EXPECT_TRUE(out.calls[0].starts_with("disconnected: bad offers: ")) << out.calls[0];
  }
}

TEST_F(SchedulerTest, AcknowledgesOneBatchAtOnceAndNothingWithoutAUuid) {
  subscribe();
  say(Updates{.statuses = {status("t1", {1, 1}), status("t2", {}), status("t3", {3, 3})}});
  EXPECT_EQ(out.updates.size(), 3u);
  const auto sent = out.sent_of<Acknowledge>();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].items.size(), 2u);
  EXPECT_EQ(sent[0].items[0].task_id.value, "t1");
  EXPECT_EQ(sent[0].items[1].uuid, (Uuid{3, 3}));
  EXPECT_EQ(sent[0].items[1].agent_id.value, "a9");
  say(Updates{.statuses = {status("t4", {})}});
  EXPECT_EQ(out.sent_of<Acknowledge>().size(), 1u);
}

// An agent that did not get the acknowledgement repeats: for the author that is nothing new.
TEST_F(SchedulerTest, RepeatsAreAcknowledgedAgainWithoutTheAuthor) {
  subscribe();
  const auto acknowledged = [this] {
    std::vector<Uuid> uuids;
    for (const Acknowledge& message : out.sent_of<Acknowledge>()) {
      for (const Acknowledge::Item& item : message.items) uuids.push_back(item.uuid);
    }
    return uuids;
  };
  say(Updates{.statuses = {status("t", {1, 1}), status("t", {1, 1})}});
  say(Updates{.statuses = {status("t", {1, 1})}});
  EXPECT_EQ(out.updates.size(), 1u);
  EXPECT_EQ(acknowledged(), (std::vector<Uuid>{{1, 1}, {1, 1}, {1, 1}}));
  scheduler.on_lost(now(), "reset");
  subscribe(4);
  say(Updates{.statuses = {status("t", {1, 1}), status("another", {1, 1})}});
  EXPECT_EQ(out.updates.size(), 2u)
      << "also in another session; the update of another task is news";
  say(Updates{.statuses = {status("t", {}), status("t", {}), status("t", {2, 2})}});
  EXPECT_EQ(out.updates.size(), 5u) << "what the master says by itself has no repeats";
  say(Updates{.statuses = {status("t", {2, 2})}});
  EXPECT_EQ(out.updates.size(), 5u);
  EXPECT_EQ(acknowledged().size(), 7u);
}

TEST_F(SchedulerTest, AnUpdateAfterWhichTheAuthorLeftIsNotHeardOfTwice) {
  subscribe();
  out.lose_at_update = true;
  say(Updates{.statuses = {status("t", {1, 1})}});
  EXPECT_TRUE(out.sent_of<Acknowledge>().empty());
  out.lose_at_update = false;
  subscribe(4);
  say(Updates{.statuses = {status("t", {1, 1})}});
  EXPECT_EQ(out.updates.size(), 1u);
  EXPECT_EQ(out.sent_of<Acknowledge>().size(), 1u);
}

// Beyond that the author hears twice, which at-least-once allows.
TEST_F(SchedulerTest, TheLastSixteenThousandUpdatesAreRemembered) {
  subscribe();
  constexpr uint64_t kRemembered = 16384;
  for (uint64_t i = 0; i < kRemembered + 1; ++i) {
    say(Updates{.statuses = {status("t" + std::to_string(i), {1, i + 1})}});
  }
  out.updates.clear();
  say(Updates{.statuses = {status("t1", {1, 2})}});
  EXPECT_TRUE(out.updates.empty());
  say(Updates{.statuses = {status("t0", {1, 1})}});
  EXPECT_EQ(out.updates.size(), 1u);
}

TEST_F(SchedulerTest, ExplicitAcknowledgementsWaitForTheAuthor) {
  options.explicit_acknowledgements = true;
  Recorder own;
  Scheduler explicit_one(options, 1, own, own);
  explicit_one.on_connected(now());
  explicit_one.on_message(now(), HelloReply{.protocol = 1, .epoch = 1});
  explicit_one.on_message(now(), Subscribed{.framework_id = {"f"}, .epoch = 1});
  explicit_one.on_message(now(), Updates{.statuses = {status("t", {1, 1})}});
  EXPECT_TRUE(own.sent_of<Acknowledge>().empty());
  explicit_one.acknowledge(status("t", {}));
  EXPECT_TRUE(own.sent_of<Acknowledge>().empty());
  explicit_one.acknowledge(own.updates[0]);
  EXPECT_EQ(own.sent_of<Acknowledge>().size(), 1u);
  explicit_one.on_message(now(), Updates{.statuses = {status("t", {1, 1})}});
  EXPECT_EQ(own.updates.size(), 2u) << "a repeat is for the author to acknowledge again";
}

TEST_F(SchedulerTest, NothingIsAcknowledgedAfterATeardownInTheMiddle) {
  subscribe();
  out.teardown_at_update = true;
  say(Updates{.statuses = {status("t1", {1, 1}), status("t2", {2, 2})}});
  EXPECT_EQ(out.updates.size(), 1u);
  EXPECT_EQ(out.sent_of<Teardown>().size(), 1u);
  EXPECT_TRUE(out.sent_of<Acknowledge>().empty());
  scheduler.on_lost(now(), "closed");
  scheduler.on_connected(now());
  EXPECT_EQ(out.sent_of<Hello>().size(), 1u) << "over for good";
}

TEST_F(SchedulerTest, KillsAndReconciliationsOutliveADisconnectionAllElseIsDropped) {
  subscribe();
  scheduler.on_lost(now(), "reset");
  out.sent.clear();
  const OfferId offer{1};
  scheduler.kill({"t1"}, KillPolicy{.grace_ns = 1s});
  scheduler.kill({"t1"}, KillPolicy{.grace_ns = 2s});
  scheduler.reconcile({{.task_id = {"t2"}, .agent_id = {"a9"}}});
  scheduler.reconcile();
  scheduler.launch({&offer, 1}, {});
  scheduler.decline({&offer, 1});
  scheduler.acknowledge(status("t1", {1, 1}));
  EXPECT_TRUE(out.sent.empty());
  EXPECT_EQ(out.dropped.size(), 3u);

  subscribe();
  const auto kills = out.sent_of<Kill>();
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].kill_policy->grace_ns, 2s) << "the last word counts";
  const auto reconciles = out.sent_of<Reconcile>();
  ASSERT_EQ(reconciles.size(), 2u);
  EXPECT_EQ(reconciles[0].items[0].agent_id.value, "a9");
  EXPECT_TRUE(reconciles[1].items.empty());
  EXPECT_TRUE(out.sent_of<Accepts>().empty());
  EXPECT_TRUE(out.sent_of<Acknowledge>().empty());

  scheduler.on_lost(now(), "reset");
  out.sent.clear();
  subscribe();
  EXPECT_TRUE(out.sent_of<Kill>().empty()) << "sent once";
}

TEST_F(SchedulerTest, WhatIsKeptIsBounded) {
  for (size_t i = 0; i < limits::kSchedulerKeptCallsMax; ++i) {
    scheduler.kill({"t" + std::to_string(i)});
  }
  EXPECT_TRUE(out.dropped.empty());
  scheduler.kill({"one more"});
  EXPECT_EQ(out.dropped.size(), 1u);
}

TEST_F(SchedulerTest, SuppressedRolesArePartOfTheNextSubscription) {
  subscribe();
  scheduler.suppress({"b"});
  EXPECT_EQ(out.sent_of<Suppress>().size(), 1u);
  scheduler.on_lost(now(), "reset");
  scheduler.suppress();
  scheduler.revive({"b"});
  subscribe();
  EXPECT_EQ(out.sent_of<Subscribe>().back().info.suppressed_roles, std::vector<std::string>{"a"});
}

TEST_F(SchedulerTest, ThreeSilentHeartbeatsEndTheSession) {
  subscribe();
  wait_for(44s);
  EXPECT_TRUE(scheduler.subscribed());
  say(Heartbeat{});
  EXPECT_EQ(out.sent_of<Heartbeat>().size(), 1u) << "the way back is proved, too";
  wait_for(44s);
  EXPECT_TRUE(scheduler.subscribed());
  say(Updates{.statuses = {status("t1", {1, 1})}});
  EXPECT_EQ(wait_for_wake(), 45s) << "any message is a sign of life";
  EXPECT_FALSE(scheduler.subscribed());
  EXPECT_EQ(out.reconnects.size(), 1u);
}

TEST_F(SchedulerTest, AnErrorOfTheMasterIsFinal) {
  subscribe();
  say(ErrorMessage{.message = "Framework failed over"});
  EXPECT_EQ(out.calls.back(), "error: Framework failed over");
  EXPECT_TRUE(out.reconnects.empty());
  say(one_offer(1));
  EXPECT_TRUE(out.offers.empty());
  scheduler.on_lost(now(), "closed");
  scheduler.on_connected(now());
  EXPECT_EQ(out.sent_of<Hello>().size(), 1u);
  EXPECT_EQ(out.calls.size(), 2u);
}

TEST_F(SchedulerTest, LateMessagesOfALostSessionAreDropped) {
  subscribe();
  scheduler.on_lost(now(), "reset");
  say(one_offer(1));
  say(Updates{.statuses = {status("t1", {1, 1})}});
  EXPECT_TRUE(out.offers.empty());
  EXPECT_TRUE(out.updates.empty());
  scheduler.on_connected(now());
  say(one_offer(1));
  EXPECT_TRUE(out.offers.empty()) << "nor before the new subscription";
}

TEST_F(SchedulerTest, RescindsAndLostAgentsReachTheAuthor) {
  subscribe();
  say(Rescind{.offers = {OfferId{1}, OfferId{2}}});
  say(Failure{.agent_id = {"a9"}});
  const std::vector<std::string> expected = {"subscribed f1", "rescinded e0-o1", "rescinded e0-o2",
                                             "lost a9"};
  EXPECT_EQ(out.calls, expected);
}

TEST_F(SchedulerTest, LaunchesNameAllTheirOffers) {
  subscribe();
  const std::vector<OfferId> offers = {OfferId{1}, OfferId{2}};
  scheduler.launch(offers, {TaskInfo{.id = {"t1"}, .name = "n", .spec = nullptr}}, 3s);
  const auto sent = out.sent_of<Accepts>();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].accepts.size(), 1u);
  EXPECT_EQ(sent[0].accepts[0].offers, offers);
  EXPECT_EQ(sent[0].accepts[0].operations[0].tasks[0].id.value, "t1");
  EXPECT_EQ(sent[0].accepts[0].filters.refuse, 3s);
  scheduler.launch({}, {});
  EXPECT_EQ(out.sent_of<Accepts>().size(), 1u);
}

TEST_F(SchedulerTest, AnUpdateCountsOnceTheMasterSaidSo) {
  EXPECT_FALSE(scheduler.update(scheduler.info()).has_value()) << "there is no subscription";
  subscribe();
  FrameworkInfo info = scheduler.info();
  info.roles = {"c", "b"};
  ASSERT_TRUE(scheduler.update(info).has_value());
  info.roles = {"d"};
  ASSERT_TRUE(scheduler.update(info).has_value());
  const auto sent = out.sent_of<UpdateFramework>();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].info.roles, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(sent[0].info.id.value, "f1");
  EXPECT_EQ(scheduler.info().roles, (std::vector<std::string>{"a", "b"}));

  scheduler.suppress({"c"});
  say(FrameworkUpdated{});
  EXPECT_EQ(scheduler.info().roles, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(scheduler.info().suppressed_roles, std::vector<std::string>{"c"})
      << "what was said after the update counts for what it made";
  say(FrameworkUpdated{.error = "may not use the role"});
  EXPECT_EQ(scheduler.info().roles, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(out.calls, (std::vector<std::string>{"subscribed f1",
                                                 "updated: ", "updated: may not use the role"}));
  say(FrameworkUpdated{});
  EXPECT_EQ(out.dropped.back(), "framework_updated: no update was sent");
}

TEST_F(SchedulerTest, AnUpdateThatIsNotValidIsNotSent) {
  subscribe();
  FrameworkInfo info = scheduler.info();
  info.roles = {};
  const Result<void> refused = scheduler.update(info);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "framework has no role");
  EXPECT_TRUE(out.sent_of<UpdateFramework>().empty());
}

TEST_F(SchedulerTest, AnUpdateThatWasNotAnsweredDiesWithItsSession) {
  subscribe();
  FrameworkInfo info = scheduler.info();
  info.roles = {"c"};
  ASSERT_TRUE(scheduler.update(info).has_value());
  scheduler.on_lost(now(), "reset");
  subscribe(4);
  EXPECT_EQ(out.sent_of<Subscribe>().back().info.roles, (std::vector<std::string>{"a", "b"}));
  say(FrameworkUpdated{});
  EXPECT_EQ(scheduler.info().roles, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace tepui
