#include "master/shell/tables.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/limits.h"
#include "tests/master/shell/rows.h"

// Goal: the reader's rows say what the items of the feed said, and the sums in them are right at
// any moment. Method: items by hand.

namespace tepui {
namespace {

using test::agent_down;
using test::agent_up;
using test::apply;
using test::cpus;
using test::framework_removed;
using test::framework_up;
using test::offer_up;
using test::rows_of;
using test::task_change;
using test::task_down;
using test::task_up;
using How = feed::AgentDown::How;

struct TablesTest : ::testing::Test {
  Tables tables;

  TablesTest() { apply(tables, feed::Elected{.epoch = 3, .master_id = "m-e3"}); }

  AgentRow agent(std::string_view id = "a1") const {
    for (const AgentRow& row : rows_of(tables, Table::kAgents).agents) {
      if (row.info.id.value == id) return row;
    }
    ADD_FAILURE() << "no agent " << id;
    return {};
  }
  FrameworkRow framework(std::string_view id = "f1") const {
    for (const FrameworkRow& row : rows_of(tables, Table::kFrameworks).frameworks) {
      if (row.info.id.value == id) return row;
    }
    ADD_FAILURE() << "no framework " << id;
    return {};
  }
  RoleRow role(std::string_view name = "r") const {
    for (const RoleRow& row : rows_of(tables, Table::kRoles).roles) {
      if (row.name == name) return row;
    }
    ADD_FAILURE() << "no role " << name;
    return {};
  }
  double metric(std::string_view key) const {
    for (const MetricRow& row : rows_of(tables, Table::kMetrics).metrics) {
      if (row.key == key) return row.value;
    }
    return -1;
  }
  void expect_held(const Resources& allocated, const Resources& offered, uint32_t tasks) const {
    EXPECT_EQ(agent().allocated, allocated);
    EXPECT_EQ(agent().offered, offered);
    EXPECT_EQ(agent().tasks, tasks);
    EXPECT_EQ(framework().allocated, allocated);
    EXPECT_EQ(framework().offered, offered);
    EXPECT_EQ(framework().tasks, tasks);
    EXPECT_EQ(role().allocated, allocated);
    EXPECT_EQ(role().offered, offered);
  }
};

TEST_F(TablesTest, SumsFollowOffersAndTasks) {
  apply(tables, agent_up("a1"), framework_up("f1"));
  expect_held({}, {}, 0);
  apply(tables, offer_up(1, 5));
  expect_held({}, cpus(5), 0);
  apply(tables, event::OfferEnded{.id = {1}, .how = event::OfferEnd::kAccepted}, task_up("t1", 2),
        task_up("t2", 3));
  expect_held(cpus(5), {}, 2);
  apply(tables, task_change("t1", TaskState::kRunning));
  expect_held(cpus(5), {}, 2);
  apply(tables, task_change("t1", TaskState::kFinished));
  expect_held(cpus(3), {}, 1);
  apply(tables, task_down("t1"));
  expect_held(cpus(3), {}, 1);
  apply(tables, task_change("t2", TaskState::kFailed), task_down("t2"));
  expect_held({}, {}, 0);
}

TEST_F(TablesTest, ATaskOnAnUnreachableAgentHoldsNothingUntilItIsBack) {
  apply(tables, agent_up("a1"), framework_up("f1"), task_up("t1", 2));
  apply(tables, task_change("t1", TaskState::kUnreachable));
  expect_held({}, {}, 0);
  apply(tables, task_change("t1", TaskState::kRunning));
  expect_held(cpus(2), {}, 1);
}

TEST_F(TablesTest, WhatIsToldTwiceCountsOnce) {
  apply(tables, agent_up("a1"), framework_up("f1"));
  for (int i = 0; i < 2; ++i) {
    apply(tables, agent_up("a1"), framework_up("f1"), task_up("t1", 2), offer_up(1, 3));
  }
  expect_held(cpus(2), cpus(3), 1);
  EXPECT_EQ(role().frameworks, 1u);
  EXPECT_EQ(metric("master/cpus_total"), 8);
}

TEST_F(TablesTest, TheOrderOfTellingDoesNotMatter) {
  apply(tables, task_up("t1", 2), offer_up(1, 3), framework_up("f1"), agent_up("a1"));
  expect_held(cpus(2), cpus(3), 1);
  apply(tables, task_down("t1"), event::OfferEnded{.id = {1}, .how = event::OfferEnd::kDeclined});
  expect_held({}, {}, 0);
}

TEST_F(TablesTest, TheSamePortsOfTwoAgentsAreTwiceTheirOwn) {
  const Resources ports = Resources::parse("cpus:1;ports:[31000-31009]").value();
  feed::OfferUp on_a2 = offer_up(2);
  on_a2.agent_id = {"a2"};
  feed::OfferUp on_a1 = offer_up(1);
  on_a1.resources = on_a2.resources = ports;
  apply(tables, framework_up("f1"), agent_up("a1"), agent_up("a2"), on_a1, on_a2);
  EXPECT_EQ(agent("a1").offered, ports);
  EXPECT_EQ(agent("a2").offered, ports);
  EXPECT_EQ(framework().offered.total_milli("cpus"), 2000) << "sums are of scalars";
  apply(tables, event::OfferEnded{.id = {1}, .how = event::OfferEnd::kDeclined});
  EXPECT_TRUE(agent("a1").offered.empty());
  EXPECT_EQ(agent("a2").offered, ports);
  apply(tables, event::OfferEnded{.id = {2}, .how = event::OfferEnd::kDeclined});
  EXPECT_TRUE(framework().offered.empty());
  EXPECT_TRUE(role().offered.empty());
}

TEST_F(TablesTest, AnIdUsedAgainIsAnotherTask) {
  apply(tables, agent_up("a1"), framework_up("f1"), task_up("t1", 2),
        task_change("t1", TaskState::kFinished), task_down("t1"), task_up("t1", 3));
  expect_held(cpus(3), {}, 1);
  EXPECT_EQ(rows_of(tables, Table::kTasks).tasks.at(0).task.state, TaskState::kStaging);
}

TEST_F(TablesTest, ChangesOfWhatIsNotKnownAreLeftOut) {
  apply(tables, agent_up("a1"), framework_up("f1"), task_change("t1", TaskState::kRunning),
        task_down("t1"), event::OfferEnded{.id = {1}, .how = event::OfferEnd::kDeclined},
        agent_down("a2", How::kUnreachable), framework_removed("f2"));
  expect_held({}, {}, 0);
  EXPECT_TRUE(rows_of(tables, Table::kTasks).tasks.empty());
  EXPECT_EQ(rows_of(tables, Table::kAgents).agents.size(), 1u);
}

TEST_F(TablesTest, ATaskShowsWhatItsLastUpdateSaid) {
  apply(tables, task_up("t1"));
  feed::TaskChange change = task_change("t1", TaskState::kFailed);
  change.update_state = TaskState::kRunning;
  change.container_id = {"c1"};
  change.last_status.message = "exited with 3";
  change.last_status.exit_status = 3;
  apply(tables, change);
  const Task task = rows_of(tables, Table::kTasks).tasks.at(0).task;
  EXPECT_EQ(task.state, TaskState::kFailed);
  EXPECT_EQ(task.update_state, TaskState::kRunning);
  EXPECT_EQ(task.container_id.value, "c1");
  EXPECT_EQ(task.last_status.exit_status, 3);
  EXPECT_EQ(task.kind->resources, cpus(1)) << "what does not change stays";
}

TEST_F(TablesTest, TheClusterIsTheSumOfTheAgentsThatCanBeReached) {
  for (int i = 0; i < 100; ++i) apply(tables, agent_up("a" + std::to_string(i), 2));
  EXPECT_EQ(metric("master/cpus_total"), 200);
  EXPECT_EQ(metric("master/mem_total"), 25600);
  apply(tables, agent_up("a1", 4));
  EXPECT_EQ(metric("master/cpus_total"), 202) << "it came back with more";
  apply(tables, agent_down("a1", How::kDisconnected));
  EXPECT_EQ(metric("master/cpus_total"), 202);
  apply(tables, agent_down("a1", How::kUnreachable), agent_down("a1", How::kUnreachable));
  EXPECT_EQ(metric("master/cpus_total"), 198);
  apply(tables, agent_up("a1", 4));
  EXPECT_EQ(metric("master/cpus_total"), 202);
  apply(tables, agent_down("a1", How::kUnreachable), agent_down("a1", How::kRemoved));
  EXPECT_EQ(metric("master/cpus_total"), 198);
  apply(tables, agent_down("a2", How::kRemoved));
  EXPECT_EQ(metric("master/cpus_total"), 196);
}

TEST_F(TablesTest, SharesAreOfTheDominantResource) {
  apply(tables, agent_up("a1", 8), framework_up("f1"), task_up("t1", 1), offer_up(1, 1));
  EXPECT_EQ(role().dominant_share_ppm, 250'000);
  feed::TaskUp wide = task_up("t2");
  wide.task.kind =
      TaskKind{.role = "r", .resources = Resources::scalars({{"cpus", 1000}, {"mem", 512'000}})};
  apply(tables, wide);
  EXPECT_EQ(role().dominant_share_ppm, 750'000) << "6 of 8 units of mem, 3 of 8 cpus";
  EXPECT_EQ(metric("allocator/mesos/roles/r/shares/dominant"), 0.75);
  EXPECT_EQ(metric("master/cpus_used"), 2) << "offers are not used";
}

TEST_F(TablesTest, StatesOfAgentsAndFrameworksFollow) {
  apply(tables, agent_up("a1"), framework_up("f1"));
  EXPECT_EQ(agent().state, "active");
  EXPECT_EQ(framework().state, "active");
  apply(tables, agent_down("a1", How::kDisconnected),
        feed::FrameworkDown{.id = {"f1"}, .removed = false, .why = {}});
  EXPECT_EQ(agent().state, "disconnected");
  EXPECT_EQ(framework().state, "disconnected");
  feed::FrameworkUp recovered = framework_up("f2");
  recovered.how = feed::FrameworkUp::How::kRecovered;
  apply(tables, agent_down("a1", How::kBroken), recovered, framework_removed("f1"));
  EXPECT_EQ(agent().state, "broken");
  apply(tables, agent_down("a1", How::kDisconnected));
  EXPECT_EQ(agent().state, "broken") << "which says more";
  EXPECT_EQ(framework().state, "completed");
  EXPECT_EQ(framework("f2").state, "recovered");
  apply(tables, agent_up("a1"), framework_up("f2"));
  EXPECT_EQ(agent().state, "active");
  EXPECT_EQ(framework("f2").state, "active");
}

TEST_F(TablesTest, RolesLiveAsLongAsSomeoneOrSomethingIsInThem) {
  apply(tables, agent_up("a1"), framework_up("f1", "r"), framework_up("f2", "r"));
  EXPECT_EQ(role().frameworks, 2u);
  apply(tables, framework_up("f2", "other"));
  EXPECT_EQ(role().frameworks, 1u);
  EXPECT_EQ(role("other").frameworks, 1u);
  apply(tables, task_up("t1"), framework_removed("f1"));
  EXPECT_EQ(role().frameworks, 0u) << "its task is still there";
  apply(tables, task_down("t1"), framework_removed("f2"));
  EXPECT_TRUE(rows_of(tables, Table::kRoles).roles.empty());
  apply(tables, feed::RoleWeight{.role = "r", .weight_milli = 2000});
  EXPECT_EQ(role().weight_milli, 2000);
}

TEST_F(TablesTest, CompletedTasksAreRememberedUpToABound) {
  const size_t count = limits::kCompletedTasksMax + 2;
  for (size_t i = 0; i < count; ++i) {
    const std::string id = "t" + std::to_string(i);
    apply(tables, task_up(id), task_change(id, TaskState::kFinished));
    if (i != 1) apply(tables, task_down(id));
  }
  EXPECT_EQ(rows_of(tables, Table::kTasks).tasks.size(), limits::kCompletedTasksMax + 1);
  EXPECT_TRUE(rows_of(tables, {.table = Table::kTasks, .key = "t0"}).tasks.empty());
  EXPECT_EQ(rows_of(tables, {.table = Table::kTasks, .key = "t1"}).tasks.size(), 1u)
      << "not acknowledged, so not completed";
}

TEST_F(TablesTest, CompletedFrameworksAreRememberedUpToABound) {
  for (size_t i = 0; i <= limits::kCompletedFrameworksMax; ++i) {
    const std::string id = "f" + std::to_string(i);
    apply(tables, framework_up(id), framework_removed(id), framework_removed(id));
  }
  const auto rows = rows_of(tables, Table::kFrameworks).frameworks;
  EXPECT_EQ(rows.size(), limits::kCompletedFrameworksMax);
  for (const FrameworkRow& row : rows) EXPECT_NE(row.info.id.value, "f0");
}

TEST_F(TablesTest, AResetForgetsAllButWhatIsCompleted) {
  apply(tables, agent_up("a1"), framework_up("f1"), framework_up("done"), task_up("t1", 2),
        task_up("ended", 1), task_change("ended", TaskState::kFinished), task_up("over", 1),
        task_change("over", TaskState::kFinished), task_down("over"), offer_up(1, 1),
        framework_removed("done"));
  apply(tables, feed::Reset{});
  EXPECT_FALSE(tables.complete());
  EXPECT_TRUE(rows_of(tables, Table::kAgents).agents.empty());
  EXPECT_TRUE(rows_of(tables, Table::kOffers).offers.empty());
  EXPECT_TRUE(rows_of(tables, Table::kRoles).roles.empty());
  ASSERT_EQ(rows_of(tables, Table::kFrameworks).frameworks.size(), 1u);
  EXPECT_EQ(framework("done").state, "completed");
  ASSERT_EQ(rows_of(tables, Table::kTasks).tasks.size(), 1u);
  EXPECT_EQ(rows_of(tables, Table::kTasks).tasks[0].task.id.value, "over");
  EXPECT_EQ(tables.epoch(), 3u);
  apply(tables, agent_up("a1"), framework_up("f1"), task_up("t1", 2), feed::Complete{});
  EXPECT_TRUE(tables.complete());
  expect_held(cpus(2), {}, 1);
}

TEST_F(TablesTest, AgesOutliveAReset) {
  apply(tables, agent_up("a1"), framework_up("f1"), offer_up(1));
  const WallTime much_later = test::kAt + std::chrono::hours(1);
  for (const feed::Item& item :
       {feed::Item(feed::Reset{}), feed::Item(agent_up("a1")), feed::Item(agent_up("a2")),
        feed::Item(framework_up("f1")), feed::Item(offer_up(1)), feed::Item(feed::Complete{})}) {
    tables.apply(item, much_later);
  }
  EXPECT_EQ(agent().registered_at, test::kAt);
  EXPECT_EQ(agent("a2").registered_at, much_later);
  EXPECT_EQ(framework().subscribed_at, test::kAt);
  EXPECT_EQ(rows_of(tables, Table::kOffers).offers.at(0).made_at, test::kAt);
}

TEST_F(TablesTest, LongListsComeInParts) {
  const size_t count = limits::kListPartRows * 2 + 1;
  for (size_t i = 0; i < count; ++i) apply(tables, agent_up("a" + std::to_string(i)));
  ListCursor cursor;
  std::vector<ListReply> parts(3);
  for (ListReply& part : parts) {
    part = tables.list_part({.request = 7, .table = Table::kAgents}, cursor);
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].request, 7u);
    EXPECT_EQ(parts[i].more, i != 2);
    EXPECT_EQ(parts[i].state_version, tables.state_version());
    EXPECT_LE(parts[i].rows.agents.size(), limits::kListPartRows);
    for (const AgentRow& row : parts[i].rows.agents) seen.insert(row.info.id.value);
  }
  EXPECT_EQ(seen.size(), count);
}

TEST_F(TablesTest, ListsCanBeNarrowed) {
  feed::TaskUp elsewhere = task_up("t1");
  elsewhere.task.framework_id = {"f2"};
  elsewhere.task.agent_id = {"a2"};
  apply(tables, task_up("t1"), task_up("t2"), elsewhere, offer_up(1));
  const auto count = [&](ListRequest request) { return rows_of(tables, request).tasks.size(); };
  EXPECT_EQ(count({.table = Table::kTasks}), 3u);
  EXPECT_EQ(count({.table = Table::kTasks, .key = "t1"}), 2u);
  EXPECT_EQ(count({.table = Table::kTasks, .key = "t1", .framework_id = {"f2"}}), 1u);
  EXPECT_EQ(count({.table = Table::kTasks, .agent_id = {"a1"}}), 2u);
  EXPECT_EQ(rows_of(tables, {.table = Table::kOffers, .agent_id = {"a1"}}).offers.size(), 1u);
  EXPECT_EQ(rows_of(tables, {.table = Table::kOffers, .agent_id = {"a2"}}).offers.size(), 0u);
  EXPECT_EQ(rows_of(tables, {.table = Table::kOffers, .key = to_text(OfferId{1})}).offers.size(),
            1u);
  ListCursor cursor;
  EXPECT_FALSE(tables.list_part({.table = Table::kTasks, .key = "unknown"}, cursor).more);
}

TEST_F(TablesTest, ARowThatChangedOftenIsToldOnce) {
  apply(tables, agent_up("a1"), framework_up("f1"), task_up("t1"),
        task_change("t1", TaskState::kRunning));
  WatchEvent event = tables.describe(tables.take_changed(), {});
  ASSERT_EQ(event.changed.tasks.size(), 1u);
  EXPECT_EQ(event.changed.tasks[0].task.state, TaskState::kRunning);
  EXPECT_EQ(event.changed.agents.size(), 1u);
  EXPECT_EQ(event.changed.agents[0].allocated, cpus(1));
  EXPECT_EQ(event.changed.frameworks.size(), 1u);
  EXPECT_EQ(event.changed.roles.size(), 1u);
  EXPECT_TRUE(tables.take_changed().empty());

  apply(tables, offer_up(1), event::OfferEnded{.id = {1}, .how = event::OfferEnd::kDeclined},
        agent_down("a1", How::kRemoved));
  const Changed changed = tables.take_changed();
  event = tables.describe(changed, {});
  EXPECT_TRUE(event.changed.offers.empty());
  EXPECT_TRUE(event.changed.agents.empty());
  ASSERT_EQ(event.removed.size(), 2u);
  EXPECT_EQ(event.removed[0].key, "a1");
  EXPECT_EQ(event.removed[1].table, Table::kOffers);
  event = tables.describe(changed, {Table::kOffers});
  EXPECT_EQ(event.removed.size(), 1u);
  EXPECT_TRUE(event.changed.frameworks.empty());

  apply(tables, agent_up("a2"));
  tables.take_changed();
  apply(tables, agent_down("a2", How::kRemoved), agent_up("a2"));
  event = tables.describe(tables.take_changed(), {Table::kAgents});
  EXPECT_TRUE(event.removed.empty()) << "it is there";
  EXPECT_EQ(event.changed.agents.size(), 1u);
}

TEST_F(TablesTest, ChangesAreCollectedOnlyWhenAskedFor) {
  tables.collect(Tables::Collect::kNothing);
  apply(tables, agent_up("a1"), agent_up("a2"), agent_down("a1", How::kRemoved));
  EXPECT_TRUE(tables.take_changed().empty());
  apply(tables, feed::Reset{}, feed::Complete{});
  EXPECT_TRUE(tables.take_changed().resync);
  tables.collect(Tables::Collect::kChanges);
  apply(tables, agent_up("a1"));
  EXPECT_FALSE(tables.take_changed().empty());
}

TEST_F(TablesTest, ARoleIsKnownWhileSomethingIsReservedForIt) {
  feed::AgentUp up = agent_up("a1");
  up.info.resources = Resources::parse("cpus:2;cpus(eng/x):1").value();
  apply(tables, up);
  EXPECT_EQ(role("eng/x").consumed.get("cpus"), 1000);
  EXPECT_EQ(rows_of(tables, Table::kRoles).roles.size(), 1u);
  tables.take_changed();
  up.info.resources = Resources::parse("cpus:3").value();
  apply(tables, up);
  EXPECT_TRUE(rows_of(tables, Table::kRoles).roles.empty());
  const WatchEvent event = tables.describe(tables.take_changed(), {Table::kRoles});
  ASSERT_EQ(event.removed.size(), 1u);
  EXPECT_EQ(event.removed[0].key, "eng/x");
}

TEST_F(TablesTest, RolesShowTheirQuotaAndWhatTheyConsumeWithAllBelow) {
  const Quota quota{.guarantees = {}, .limits_milli = {{"cpus", 4000}}};
  apply(tables, feed::RoleQuota{.role = "eng", .quota = quota});
  AgentInfo info{.id = {"a9"},
                 .hostname = "h9",
                 .resources = *Resources::parse("cpus(eng/search):2;cpus(ops):1;cpus:4")};
  apply(tables, feed::AgentUp{.info = info});
  apply(tables, feed::TaskUp{Task{
                    .id = {"t9"},
                    .framework_id = {"f9"},
                    .agent_id = {"a9"},
                    .kind = TaskKind{.role = "eng/x", .resources = *Resources::parse("cpus:1")},
                    .state = TaskState::kRunning}});
  const auto row = [this](std::string_view name) {
    for (const RoleRow& one : rows_of(tables, Table::kRoles).roles) {
      if (one.name == name) return one;
    }
    return RoleRow{};
  };
  EXPECT_EQ(row("eng").quota, quota);
  EXPECT_EQ(row("eng").consumed.get("cpus"), 3000);
  // Without a quota nothing is left of it.
  apply(tables, feed::RoleQuota{.role = "eng", .quota = {}});
  EXPECT_TRUE(row("eng").name.empty());
}

TEST_F(TablesTest, MachinesAndAgentsShowMaintenance) {
  const Unavailability window{.start = WallTime(Duration(7)), .duration = Duration(9)};
  apply(tables,
        feed::MachineChange{
            {.hostname = "h1", .mode = "scheduled", .unavailability = window, .drain = true}});
  const std::vector<MaintenanceRow> rows = rows_of(tables, Table::kMaintenance).maintenance;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].hostname, "h1");
  EXPECT_EQ(rows[0].unavailability, window);
  apply(tables, feed::MachineChange{{.hostname = "h1"}});
  EXPECT_TRUE(rows_of(tables, Table::kMaintenance).maintenance.empty());

  apply(tables, agent_up("a1"));
  apply(tables, feed::AgentStanding{.id = {"a1"}, .deactivated = true, .draining = "draining"});
  apply(tables, feed::AgentPlanned{.id = {"a1"}, .unavailability = window});
  EXPECT_TRUE(agent().deactivated);
  EXPECT_EQ(agent().draining, "draining");
  EXPECT_EQ(agent().unavailability, window);
}

TEST_F(TablesTest, MachinesShowWhatFrameworksAnsweredUntilThePlanChanges) {
  const auto plan = [this](int64_t start, bool drain) {
    apply(tables, feed::MachineChange{{.hostname = "host",
                                       .mode = "scheduled",
                                       .unavailability = {.start = WallTime(Duration(start))},
                                       .drain = drain}});
  };
  const auto say = [this](std::string of, std::string by, bool accepted) {
    apply(tables, feed::InverseAnswer{{.agent_id = {std::move(of)},
                                       .framework_id = {std::move(by)},
                                       .accepted = accepted,
                                       .at = WallTime(Duration(5))}});
  };
  const auto answers = [this] {
    const auto rows = rows_of(tables, Table::kMaintenance).maintenance;
    return rows.empty() ? std::vector<MaintenanceRow::Answer>{} : rows[0].answers;
  };
  for (const char* id : {"a1", "a2"}) {
    AgentInfo info{.id = {id}, .hostname = "host"};
    apply(tables, feed::AgentUp{.info = info});
  }
  say("a1", "f1", true);
  EXPECT_TRUE(answers().empty()) << "nothing is planned";
  plan(7, false);
  say("a2", "f1", true);
  say("a1", "f2", false);
  say("a1", "f1", true);
  say("a1", "f2", true);
  say("nowhere", "f1", true);
  const WallTime at{Duration(5)};
  EXPECT_EQ(answers(), (std::vector<MaintenanceRow::Answer>{{{"a1"}, {"f1"}, true, at},
                                                            {{"a1"}, {"f2"}, true, at},
                                                            {{"a2"}, {"f1"}, true, at}}));
  plan(7, true);
  EXPECT_EQ(answers().size(), 3u) << "the window is the same";
  apply(tables, feed::AgentDown{.how = feed::AgentDown::How::kUnreachable, .id = {"a2"}});
  EXPECT_EQ(answers().size(), 2u);
  apply(tables, feed::FrameworkUp{.info = {.id = {"f2"}, .name = "f", .roles = {"r"}}});
  apply(tables, feed::FrameworkDown{.id = {"f2"}, .removed = true});
  EXPECT_EQ(answers().size(), 1u);
  plan(8, true);
  EXPECT_TRUE(answers().empty());
}

}  // namespace
}  // namespace tepui
