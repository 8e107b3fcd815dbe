#include "master/shell/feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/rng.h"
#include "common/wire.h"
#include "master/shell/tables.h"
#include "tests/master/fake_effects.h"
#include "tests/master/shell/rows.h"

namespace tepui {
namespace {

using test::kAt;
using test::rows_of;

TEST(Feed, ItemsOwnWhatEventsOnlyBorrow) {
  Feed feed(100);
  {
    Task task = test::task_up("a task with a name that is not short").task;
    TaskStatus status{.task_id = task.id, .message = "a message that is not short either"};
    task.last_status = status;
    feed.on_event(event::TaskAdded{.task = &task, .recovered = false});
    task.state = TaskState::kFailed;
    feed.on_event(event::TaskUpdated{.task = &task, .status = &status});
    feed.on_event(event::TaskRemoved{.task = &task});
    const std::string why = "it was unreachable for too long a time";
    feed.on_event(event::AgentRemoved{.id = &task.agent_id, .why = why});
  }
  const FeedBatch batch = feed.take(kAt);
  ASSERT_EQ(batch.items.size(), 4u);
  EXPECT_EQ(batch.at, kAt);
  EXPECT_EQ(std::get<feed::TaskUp>(batch.items[0]).task.state, TaskState::kStaging);
  const auto& change = std::get<feed::TaskChange>(batch.items[1]);
  EXPECT_EQ(change.state, TaskState::kFailed);
  EXPECT_EQ(change.last_status.message, "a message that is not short either");
  EXPECT_EQ(std::get<feed::TaskDown>(batch.items[2]).id.value,
            "a task with a name that is not short");
  EXPECT_EQ(std::get<feed::AgentDown>(batch.items[3]).why,
            "it was unreachable for too long a time");
  EXPECT_TRUE(feed.take(kAt).items.empty());
}

TEST(Feed, LeavesOutWhatNoTableShows) {
  Feed feed(100);
  feed.on_event(event::AllocationRan{.round = 1, .agents = 1, .offers = 1});
  feed.on_event(event::MessageReceived{.name = "accept"});
  feed.on_event(event::RegistryWritten{.token = 1, .bytes = 1, .keys = 1});
  EXPECT_TRUE(feed.take(kAt).items.empty());
}

TEST(Feed, BeyondItsBoundItDropsUntilItIsReset) {
  Feed feed(3);
  const event::RoleChanged role{.role = "r", .weight_milli = 1};
  for (int i = 0; i < 2; ++i) feed.on_event(role);
  EXPECT_EQ(feed.take(kAt).items.size(), 2u);
  EXPECT_EQ(feed.room(), 1u) << "what the reader has not applied still counts";
  feed.on_event(role);
  EXPECT_EQ(feed.room(), 0u);
  EXPECT_FALSE(feed.overflowed());
  feed.on_event(role);
  EXPECT_TRUE(feed.overflowed());
  EXPECT_TRUE(feed.take(kAt).items.empty()) << "part of a turn is worth nothing";
  feed.consumed(2);
  feed.on_event(role);
  EXPECT_TRUE(feed.take(kAt).items.empty()) << "there is room, but what was lost is lost";

  feed.reset();
  EXPECT_FALSE(feed.overflowed());
  feed.on_event(role);
  feed.complete();
  const FeedBatch batch = feed.take(kAt);
  ASSERT_EQ(batch.items.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<feed::Reset>(batch.items[0]));
  EXPECT_TRUE(std::holds_alternative<feed::Complete>(batch.items[2]));
}

TEST(Feed, MetricsWithoutRoomAreStillWanted) {
  Feed feed(1);
  EXPECT_TRUE(feed.metrics({}));
  EXPECT_FALSE(feed.metrics({}));
  EXPECT_TRUE(feed.overflowed());
  EXPECT_FALSE(feed.metrics({}));
}

// ------------------------------------------------------------------------------------- resync

// Goal: a reader that fell behind ends with the tables of one that never did, whatever happens
// between the slices of the replay. Method: a real master, random inputs from a seed; one reader
// that hears every event, one that is told the state in slices of a few events with inputs in
// between, and one that is told the state at the end at one go.

struct Everything final : EventSink {
  std::vector<EventSink*> sinks;
  void on_event(const Event& event) override {
    for (EventSink* sink : sinks) sink->on_event(event);
  }
};

class Cluster {
 public:
  explicit Cluster(uint64_t seed) : rng_(seed) {
    bench_.weights = {{"gold", 2000}};
    bench_.restart();
    bench_.audits = false;  // tests/master audits
    bench_.events().also = &events;
  }

  Everything events;
  const Master& master() { return bench_.master(); }

  void something_happens() {
    switch (rng_.below(12)) {
      case 0:
        return add_agent();
      case 1:
        return add_framework();
      case 2:
        if (Agent* agent = any(agents_); agent != nullptr && connected(*agent)) {
          bench_.lose(agent->peer.session);
        }
        return;
      case 3:
        if (Agent* agent = any(agents_)) come_back(*agent);
        return;
      case 4:
        if (Framework* framework = any(frameworks_);
            framework != nullptr && connected(*framework)) {
          framework->offers.clear();
          bench_.lose(framework->peer.session);
        }
        return;
      case 5:
        return subscribe_again();
      case 6:
        if (rng_.below(4) == 0) return tear_down();
        return;
      case 7:
        if (rng_.below(4) == 0) time_passes();
        return;
      default:
        return rng_.below(2) == 0 ? launch() : update();
    }
  }

 private:
  struct Agent {
    TestAgent peer;
    std::vector<Task> tasks;
  };
  struct Framework {
    TestFramework peer;
    std::vector<SeenOffer> offers;
  };

  template <class T>
  bool connected(const T& one) const {
    return !bench_.effects.closed.contains(one.peer.session);
  }
  template <class T>
  T* any(std::vector<T>& from) {
    return from.empty() ? nullptr : &from[rng_.below(from.size())];
  }

  // Long enough for who is not connected to be given up.
  void time_passes() {
    for (int i = 0; i < 7; ++i) {
      bench_.now.mono += 16s;
      bench_.now.wall += 16s;
      bench_.master().on_time(bench_.now);
      bench_.settle();
      for (const Agent& agent : agents_) {
        if (connected(agent)) bench_.say(agent.peer.session, Pong{});
      }
    }
  }
  void add_agent() {
    if (agents_.size() >= 6) return;
    agents_.push_back({.peer = bench_.agent(), .tasks = {}});
  }
  void add_framework() {
    if (frameworks_.size() >= 4) return;
    frameworks_.push_back(
        {.peer = bench_.framework(framework_info(rng_.below(2) == 0 ? "gold" : "silver")),
         .offers = {}});
  }
  void come_back(Agent& agent) {
    if (connected(agent)) return;
    std::vector<FrameworkInfo> frameworks;
    for (const Framework& framework : frameworks_) frameworks.push_back(framework.peer.info);
    std::erase_if(agent.tasks, [](const Task& task) { return is_terminal(task.state); });
    bench_.reregister(agent.peer, std::move(frameworks), agent.tasks);
  }
  void subscribe_again() {
    Framework* framework = any(frameworks_);
    if (framework == nullptr || connected(*framework)) return;
    bench_.resubscribe(framework->peer);
  }
  void tear_down() {
    Framework* framework = any(frameworks_);
    if (framework == nullptr || !connected(*framework)) return;
    bench_.say(framework->peer.session, Teardown{});
    bench_.settle();
    frameworks_.erase(frameworks_.begin() + (framework - frameworks_.data()));
  }
  void launch() {
    Framework* framework = any(frameworks_);
    if (framework == nullptr || !connected(*framework)) return;
    for (SeenOffer& offer : bench_.offers(framework->peer)) {
      framework->offers.push_back(std::move(offer));
    }
    if (framework->offers.empty()) return;
    const SeenOffer offer = framework->offers.back();
    framework->offers.pop_back();
    if (rng_.below(3) == 0) return bench_.decline(framework->peer, offer.id, Duration{});
    const std::string id = "t" + std::to_string(++tasks_);
    bench_.accept(framework->peer, {offer.id}, {task_info(id)}, Duration{});
    for (Agent& agent : agents_) {
      if (agent.peer.info.id != offer.agent || !connected(agent)) continue;
      agent.tasks.push_back(
          {.id = {id},
           .framework_id = framework->peer.info.id,
           .agent_id = offer.agent,
           .kind = TaskKind{.name = id, .role = offer.role, .resources = machine(1000, 512000)}});
    }
  }
  void update() {
    Agent* agent = any(agents_);
    Task* task = agent == nullptr || !connected(*agent) ? nullptr : any(agent->tasks);
    if (task == nullptr || is_terminal(task->state)) return;
    const TaskState next = task->state == TaskState::kStaging ? TaskState::kRunning
                           : rng_.below(2) == 0               ? TaskState::kFinished
                                                              : TaskState::kFailed;
    const Uuid uuid = bench_.update(agent->peer, *task, next);
    if (rng_.below(3) == 0) return;  // not acknowledged
    for (const Framework& framework : frameworks_) {
      if (connected(framework) && framework.peer.info.id == task->framework_id) {
        bench_.acknowledge(framework.peer, *task, uuid);
      }
    }
  }

  Bench bench_;
  Rng rng_;
  std::vector<Agent> agents_;
  std::vector<Framework> frameworks_;
  int tasks_ = 0;
};

// A feed and the tables that it keeps.
struct FeedReader {
  explicit FeedReader(size_t items_max) : feed(items_max) {}
  void apply() {
    FeedBatch batch = feed.take(kAt);
    for (feed::Item& item : batch.items) tables.apply(std::move(item), kAt);
    feed.consumed(batch.items.size());
  }
  Feed feed;
  Tables tables;
};

// The bytes of a row: everything in it counts.
template <class Row>
std::string bytes_of(std::vector<Row> Rows::* table, const Row& row) {
  static Encoder encoder;
  ListReply reply;
  (reply.rows.*table).push_back(row);
  const auto bytes = encoder.encode(1, ServerToOperator{std::move(reply)});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Row>
std::vector<std::string> lines_of(const Tables& tables, Table table,
                                  std::vector<Row> Rows::* member) {
  std::vector<std::string> lines;
  const Rows rows = rows_of(tables, table);
  for (const Row& row : rows.*member) lines.push_back(bytes_of(member, row));
  std::ranges::sort(lines);
  return lines;
}

// What is completed is remembered by those that saw it, and by nobody else.
template <class Row>
void expect_all_in(const Tables& wanted, const Tables& tables, Table table,
                   std::vector<Row> Rows::* member) {
  EXPECT_TRUE(
      std::ranges::includes(lines_of(tables, table, member), lines_of(wanted, table, member)));
}

void expect_same(const Tables& wanted, const Tables& tables) {
  EXPECT_EQ(lines_of(wanted, Table::kAgents, &Rows::agents),
            lines_of(tables, Table::kAgents, &Rows::agents));
  EXPECT_EQ(lines_of(wanted, Table::kRoles, &Rows::roles),
            lines_of(tables, Table::kRoles, &Rows::roles));
  EXPECT_EQ(lines_of(wanted, Table::kOffers, &Rows::offers),
            lines_of(tables, Table::kOffers, &Rows::offers));
  expect_all_in(wanted, tables, Table::kFrameworks, &Rows::frameworks);
  expect_all_in(wanted, tables, Table::kTasks, &Rows::tasks);
}

class FeedResync : public ::testing::TestWithParam<uint64_t> {};

TEST_P(FeedResync, EndsInTheTablesOfAReaderThatNeverFellBehind) {
  Cluster cluster(GetParam());
  Rng rng(GetParam() ^ 0xfeed);
  FeedReader steady(1 << 20);
  FeedReader late(64);
  cluster.events.sinks = {&steady.feed, &late.feed};
  {
    // The election came before these readers listened.
    steady.feed.reset();
    ReplayCursor cursor;
    while (!cluster.master().replay_state(steady.feed, cursor, 1000)) {
    }
    steady.feed.complete();
  }
  for (int i = 0; i < 20; ++i) cluster.something_happens();
  late.apply();
  while (!late.feed.overflowed()) cluster.something_happens();
  for (int i = 0; i < 50; ++i) cluster.something_happens();

  late.apply();
  late.feed.reset();
  late.apply();
  ReplayCursor cursor;
  while (!cluster.master().replay_state(late.feed, cursor, 1 + rng.below(4))) {
    late.apply();
    for (uint64_t i = rng.below(3); i > 0; --i) {
      cluster.something_happens();
      late.apply();
    }
  }
  late.feed.complete();
  late.apply();
  steady.apply();
  ASSERT_FALSE(late.feed.overflowed());

  FeedReader fresh(1 << 20);
  fresh.feed.reset();
  cursor = {};
  while (!cluster.master().replay_state(fresh.feed, cursor, SIZE_MAX)) {
  }
  fresh.feed.complete();
  fresh.apply();
  EXPECT_FALSE(rows_of(fresh.tables, Table::kAgents).agents.empty());
  {
    SCOPED_TRACE("the one that heard every event");
    expect_same(fresh.tables, steady.tables);
  }
  SCOPED_TRACE("the one that was told in slices");
  expect_same(fresh.tables, late.tables);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FeedResync, ::testing::Range<uint64_t>(1, 201));

}  // namespace
}  // namespace tepui
