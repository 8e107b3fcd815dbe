#include "cli/output.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/io/document.h"
#include "common/loans.h"

// Goal: tables align whatever is in them, and JSON is JSON with the same content.

namespace tepui::cli {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{1'000'000s};

Document read(const std::string& json) {
  const auto document = parse_json(json, "output");
  EXPECT_TRUE(document) << document.error().message << "\n" << json;
  return document ? *document : Document();
}
std::string text_at(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  EXPECT_NE(found, nullptr) << key;
  return found != nullptr && found->text() != nullptr ? *found->text() : "";
}

TaskRow task_row() {
  TaskRow row;
  row.task.id = {"t1"};
  row.task.framework_id = {"f1"};
  row.task.agent_id = {"a1"};
  row.task.kind = TaskKind{.name = "name",
                           .role = "r",
                           .resources = Resources::scalars({{"cpus", 1500}, {"mem", 64'000}}),
                           .labels = {{"k", "v"}}};
  row.task.state = TaskState::kFailed;
  row.task.launched_at = kNow - 30s;
  row.task.last_status.exit_status = 3;
  row.task.last_status.message = "exited with 3";
  return row;
}

TEST(Output, ACommandThatIsDoneSaysWhatItNamed) {
  EXPECT_EQ(json_of(OperateResources{.type = OperateResources::Type::kShrink,
                                     .agent_id = {"a1"},
                                     .resources = *Resources::parse("disk(eng):60"),
                                     .change = *Resources::parse("disk:20")}),
            R"({
  "operation": "SHRINK_VOLUME",
  "agent_id": "a1",
  "resources": {
    "disk": 60.0,
    "text": "disk(eng):60"
  },
  "reservations": [
    {
      "text": "disk(eng):60",
      "stack": [
        {
          "type": "STATIC",
          "role": "eng",
          "principal": "",
          "labels": {}
        }
      ]
    }
  ],
  "change": {
    "disk": 20.0,
    "text": "disk:20"
  }
})");
}

TEST(Output, ColumnsAlignNumbersToTheRight) {
  TextTable table({"NAME", "CPUS", "NOTE"});
  table.add({"a", "1.5", ""});
  table.add({"long name", "16", "-"});
  table.add({"b", "-", "x y"});
  EXPECT_EQ(table.to_text(false),
            "NAME       CPUS  NOTE\n"
            "a           1.5\n"
            "long name    16  -\n"
            "b             -  x y\n");
}

TEST(Output, WidthsAreCharactersNotBytes) {
  TextTable table({"A", "B"});
  table.add({"zürich", "x"});
  table.add({"zurich", "x"});
  EXPECT_EQ(table.to_text(false), "A       B\nzürich  x\nzurich  x\n");
}

TEST(Output, OnlyATerminalGetsColour) {
  TextTable table({"A"});
  EXPECT_EQ(table.to_text(false), "A\n");
  EXPECT_EQ(table.to_text(true), "\033[1mA\033[0m\n");
}

TEST(Output, WhatOthersWroteCannotMoveTheCursor) {
  TextTable table({"A", "B"});
  table.add({"a\033[2J\r\nb", "c\x7f"});
  const std::string text = table.to_text(false);
  EXPECT_EQ(text, "A         B\na [2J  b  c\n");
}

TEST(Output, LongMessagesAreCutBetweenCharacters) {
  Rows rows;
  rows.tasks.push_back(task_row());
  std::string& message = rows.tasks[0].task.last_status.message;
  message.clear();
  for (int i = 0; i < 60; ++i) message += "é";
  EXPECT_NE(table_of(Table::kTasks, rows, kNow).to_text(false).find(message), std::string::npos)
      << "60 fit";
  message += "é\nsecond line";
  const std::string text = table_of(Table::kTasks, rows, kNow).to_text(false);
  std::string cut;
  for (int i = 0; i < 57; ++i) cut += "é";
  EXPECT_TRUE(text.ends_with("  " + cut + "...\n")) << text;
}

TEST(Output, EveryTableShowsItsRows) {
  Rows rows;
  rows.tasks.push_back(task_row());
  rows.agents.push_back({.info = {.id = {"a1"},
                                  .hostname = "host",
                                  .address = "h:1",
                                  .resources = Resources::scalars({{"cpus", 8000}}) +
                                               as_revocable(Resources::scalars({{"cpus", 2000}})),
                                  .degraded = {"no cpu controller", "no memory controller"}},
                         .state = "active",
                         .allocated = Resources::scalars({{"cpus", 1500}}),
                         .registered_at = kNow - 3h,
                         .tasks = 1});
  rows.frameworks.push_back({.info = {.id = {"f1"}, .name = "name", .roles = {"a", "b"}},
                             .state = "active",
                             .subscribed_at = kNow - 90s});
  rows.roles.push_back({.name = "r", .weight_milli = 2500, .dominant_share_ppm = 125'000});
  rows.roles.back().quota.guarantees.add("cpus", 4000);
  rows.roles.back().quota.limits_milli = {{"cpus", 8000}, {"gpus", 0}};
  rows.roles.back().consumed.add("cpus", 1500);
  rows.maintenance.push_back({.hostname = "h",
                              .mode = "scheduled",
                              .unavailability = {.start = WallTime(Duration(0)), .duration = 90s},
                              .drain = true,
                              .answers = {{{"a1"}, {"f1"}, true, WallTime(Duration(0))},
                                          {{"a1"}, {"f2"}, false, WallTime(Duration(0))}}});
  rows.offers.push_back({.id = {7}, .role = "r", .made_at = kNow - 200s});
  rows.metrics.push_back({"links/bytes_received", 123456789});
  rows.metrics.push_back({"share", 0.25});
  const auto text = [&](Table table) { return table_of(table, rows, kNow).to_text(false); };
  EXPECT_EQ(text(Table::kTasks),
            "ID  NAME  FRAMEWORK  AGENT  ROLE  STATE   CPUS  MEM  AGE  MESSAGE\n"
            "t1  name  f1         a1     r     FAILED   1.5   64  30s  exited with 3\n");
  EXPECT_EQ(text(Table::kAgents),
            "ID  HOST  ADDRESS  STATE   TASKS  CPUS  USED  MEM  USED  DISK  USED  REVOCABLE  AGE  "
            "LACKS\n"
            "a1  host  h:1      active      1    10   1.5    0     0     0     0  cpus:2     3h   "
            "no cpu controller; no memory controller\n");
  EXPECT_EQ(text(Table::kFrameworks),
            "ID  NAME  ROLES  STATE   TASKS  CPUS  MEM  AGE\n"
            "f1  name  a,b    active      0     0    0  90s\n");
  EXPECT_EQ(text(Table::kRoles),
            "ROLE  WEIGHT  SHARE  FRAMEWORKS  CPUS  MEM  OFFERED CPUS  OFFERED MEM  GUARANTEES  "
            "LIMITS          CONSUMED\n"
            "r        2.5  12.5%           0     0    0             0            0  cpus:4      "
            "cpus:8; gpus:0  cpus:1.5\n");
  EXPECT_EQ(text(Table::kMaintenance),
            "HOST  MODE       START                     DURATION  DRAINS  WILL LEAVE  STAY\n"
            "h     scheduled  1970-01-01T00:00:00.000Z  90s       yes     f1          f2\n");
  EXPECT_EQ(json_of(Table::kMaintenance, rows),
            R"([
  {
    "hostname": "h",
    "mode": "scheduled",
    "unavailability": {
      "start": "1970-01-01T00:00:00.000Z",
      "duration_secs": 90.0
    },
    "drain": true,
    "answers": [
      {
        "agent_id": "a1",
        "framework_id": "f1",
        "accepted": true,
        "answered_at": "1970-01-01T00:00:00.000Z"
      },
      {
        "agent_id": "a1",
        "framework_id": "f2",
        "accepted": false,
        "answered_at": "1970-01-01T00:00:00.000Z"
      }
    ]
  }
])");
  EXPECT_NE(text(Table::kOffers).find("e0-o7"), std::string::npos);
  EXPECT_EQ(text(Table::kMetrics),
            "KEY                       VALUE\n"
            "links/bytes_received  123456789\n"
            "share                      0.25\n")
      << "counts keep their digits";
}

TEST(Output, OneAgentIsShownInFull) {
  AgentRow row{.info = {.id = {"a1"},
                        .hostname = "host",
                        .address = "h:1",
                        .resources = Resources::parse("cpus:2;cpus(eng):1;ports:[1-9]").value(),
                        .attributes = parse_attributes("rack:r1").value(),
                        .domain = {.region = "eu", .zone = "a"},
                        .version = "1",
                        .degraded = {"no cpu controller"}},
               .state = "active",
               .allocated = Resources::scalars({{"cpus", 1500}}),
               .registered_at = kNow - 3h,
               .tasks = 1,
               .draining = "draining",
               .unavailability = Unavailability{.start = WallTime(Duration(0)), .duration = 90s}};
  EXPECT_EQ(details_of(row, kNow).to_text(false),
            "FACT         VALUE\n"
            "id           a1\n"
            "hostname     host\n"
            "address      h:1\n"
            "state        active, draining, maintenance planned\n"
            "registered   3h ago\n"
            "version      1\n"
            "domain       eu/a\n"
            "attributes   rack:r1\n"
            "resource     cpus:2\n"
            "resource     cpus(eng):1\n"
            "resource     ports:[1-9]\n"
            "tasks        1, which hold cpus:1.5\n"
            "unavailable  from 1970-01-01T00:00:00.000Z for 1.5mins\n"
            "lacks        no cpu controller\n");
}

TEST(Output, QuotasAndWeightsHaveTheirOwnTables) {
  std::vector<RoleRow> roles(2);
  roles[0] = {.name = "eng", .weight_milli = 2500};
  roles[0].quota.guarantees.add("cpus", 4000);
  roles[0].quota.limits_milli = {{"cpus", 8000}, {"gpus", 0}};
  roles[0].consumed.add("cpus", 1500);
  roles[1] = {.name = "ops"};
  EXPECT_EQ(quotas_of(roles).to_text(false),
            "ROLE  RESOURCE  GUARANTEE  LIMIT  CONSUMED\n"
            "eng   cpus              4      8       1.5\n"
            "eng   gpus              -      0         0\n");
  EXPECT_EQ(weights_of(roles).to_text(false), "ROLE  WEIGHT\neng      2.5\nops        1\n");
}

TEST(Output, OnlyWhatWasAskedForIsKept) {
  Rows rows;
  rows.agents.resize(2);
  rows.agents[0].info = {.id = {"a1"}, .hostname = "one"};
  rows.agents[1].info = {.id = {"a2"}, .hostname = "two"};
  Rows named = rows;
  keep_wanted(named, {.table = Table::kAgents, .key = "a2"});
  ASSERT_EQ(named.agents.size(), 1u);
  EXPECT_EQ(named.agents[0].info.id.value, "a2");
  named = rows;
  keep_wanted(named, {.table = Table::kAgents, .key = "one"});
  ASSERT_EQ(named.agents.size(), 1u);
  EXPECT_EQ(named.agents[0].info.id.value, "a1");
  keep_wanted(rows, {.table = Table::kAgents});
  EXPECT_EQ(rows.agents.size(), 2u);

  WatchEvent event;
  event.changed.tasks = {task_row(), task_row()};
  event.changed.tasks[1].task.framework_id = {"f2"};
  event.removed = {{.table = Table::kTasks, .key = "t9", .within = "f1"},
                   {.table = Table::kTasks, .key = "t9", .within = "f2"}};
  keep_wanted(event, {.table = Table::kTasks, .framework_id = {"f2"}});
  ASSERT_EQ(event.changed.tasks.size(), 1u);
  EXPECT_EQ(event.changed.tasks[0].task.framework_id.value, "f2");
  ASSERT_EQ(event.removed.size(), 1u);
  EXPECT_EQ(event.removed[0].within, "f2");
}

TEST(Output, AgesAreShort) {
  EXPECT_EQ(age({}, kNow), "-");
  EXPECT_EQ(age(kNow + 5s, kNow), "0s") << "clocks differ";
  EXPECT_EQ(age(kNow - 119s, kNow), "119s");
  EXPECT_EQ(age(kNow - 120s, kNow), "2m");
  EXPECT_EQ(age(kNow - 2h, kNow), "2h");
  EXPECT_EQ(age(kNow - 48h, kNow), "2d");
}

TEST(Output, RowsAsJsonHaveEveryFieldNamed) {
  Rows rows;
  rows.tasks.push_back(task_row());
  rows.tasks.push_back(task_row());
  rows.tasks[1].task.last_status.exit_status.reset();
  rows.tasks[1].task.last_status.message = "quotes \" and \xff bytes\n";
  const Document list = read(json_of(Table::kTasks, rows));
  ASSERT_NE(list.list(), nullptr);
  ASSERT_EQ(list.list()->size(), 2u);
  const Document& first = (*list.list())[0];
  EXPECT_EQ(text_at(first, "id"), "t1");
  EXPECT_EQ(text_at(first, "framework_id"), "f1");
  EXPECT_EQ(text_at(first, "state"), "TASK_FAILED");
  EXPECT_EQ(std::get<int64_t>(first.find("exit_status")->value()), 3);
  EXPECT_EQ(std::get<double>(first.find("resources")->find("cpus")->value()), 1.5);
  EXPECT_EQ(text_at(*first.find("labels"), "k"), "v");
  EXPECT_TRUE((*list.list())[1].find("exit_status")->is_null());
  EXPECT_TRUE(text_at((*list.list())[1], "message").starts_with("quotes \" and "));
}

TEST(Output, EveryTableIsJsonAlsoWhenEmpty) {
  for (int t = 0; t < kTableCount; ++t) {
    const auto table = static_cast<Table>(t);
    const Document empty = read(json_of(table, Rows{}));
    EXPECT_TRUE(table == Table::kMetrics ? empty.table() != nullptr : empty.list() != nullptr) << t;
  }
  Rows rows;
  rows.agents.emplace_back();
  FrameworkInfo& info = rows.frameworks.emplace_back().info;
  info.capabilities = bit(FrameworkCapability::kRegionAware);
  add_constraints(info, "r", {parse_constraint("rack=r1").value()});
  set_min_allocatable(info, "r", {Resources::parse("cpus:1").value().quantities()});
  rows.roles.emplace_back();
  rows.offers.emplace_back();
  rows.metrics.push_back({"k", 1});
  EXPECT_NE(read(json_of(Table::kAgents, rows)).list()->at(0).find("controllers"), nullptr);
  EXPECT_NE(read(json_of(Table::kFrameworks, rows)).list()->at(0).find("roles"), nullptr);
  EXPECT_NE(json_of(Table::kFrameworks, rows).find("REGION_AWARE"), std::string::npos);
  EXPECT_NE(json_of(Table::kFrameworks, rows).find("rack=r1"), std::string::npos);
  EXPECT_NE(
      read(json_of(Table::kFrameworks, rows)).list()->at(0).find("min_allocatable")->find("r"),
      nullptr);
  EXPECT_NE(read(json_of(Table::kRoles, rows)).list()->at(0).find("weight"), nullptr);
  EXPECT_NE(read(json_of(Table::kOffers, rows)).list()->at(0).find("made_at"), nullptr);
  EXPECT_NE(read(json_of(Table::kMetrics, rows)).find("k"), nullptr);
}

TEST(Output, AChangeIsOneLineOfWhatChanged) {
  WatchEvent event{.state_version = 9};
  event.changed.tasks.push_back(task_row());
  event.removed.push_back({.table = Table::kOffers, .key = "e1-o1"});
  const std::string json = json_of(event);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  const Document document = read(json);
  EXPECT_EQ(std::get<int64_t>(document.find("version")->value()), 9);
  EXPECT_EQ(document.find("tasks")->list()->size(), 1u);
  EXPECT_EQ(document.find("agents"), nullptr);
  const Document& removed = document.find("removed")->list()->at(0);
  EXPECT_EQ(text_at(removed, "table"), "offers");
  EXPECT_EQ(text_at(removed, "id"), "e1-o1");
}

BatchSummary summary_of(std::vector<double> launch_ms) {
  BatchSummary summary{.framework_id = "f1", .wall_secs = 2, .tasks = {}};
  for (const double ms : launch_ms) {
    summary.tasks.push_back({.id = {"t" + std::to_string(summary.tasks.size())},
                             .state = TaskState::kFinished,
                             .launch_ms = ms});
  }
  return summary;
}

TEST(Output, PercentilesAreOfTheNearestRank) {
  EXPECT_FALSE(summary_of({}).launch_ms_at(50));
  EXPECT_EQ(summary_of({7}).launch_ms_at(50), 7);
  EXPECT_EQ(summary_of({7}).launch_ms_at(99), 7);
  EXPECT_EQ(summary_of({4, 1, 3, 2}).launch_ms_at(50), 2);
  EXPECT_EQ(summary_of({4, 1, 3, 2}).launch_ms_at(75), 3);
  EXPECT_EQ(summary_of({4, 1, 3, 2}).launch_ms_at(100), 4);
}

TEST(Output, ASummaryCountsStatesAndNamesWhatFailed) {
  BatchSummary summary = summary_of({1, 3});
  summary.tasks.push_back({.id = {"bad"},
                           .agent_id = {"a1"},
                           .state = TaskState::kFailed,
                           .exit_status = 3,
                           .message = "exited with 3\nand more"});
  EXPECT_EQ(text_of(summary, false),
            "STATE          TASKS\n"
            "TASK_FAILED        1\n"
            "TASK_FINISHED      2\n"
            "\n"
            "TASK  STATE   AGENT  MESSAGE\n"
            "bad   FAILED  a1     exited with 3\n"
            "\n"
            "3 tasks in 2.0 s, 1.0 launches/s, launch latency p50 1.0 ms, p99 3.0 ms\n");
  const Document document = read(json_of(summary));
  EXPECT_EQ(std::get<int64_t>(document.find("states")->find("TASK_FINISHED")->value()), 2);
  EXPECT_EQ(document.find("tasks")->list()->size(), 3u);
  EXPECT_EQ(std::get<double>(document.find("launch_ms")->find("p99")->value()), 3);
  EXPECT_EQ(text_of(BatchSummary{}, false), "STATE  TASKS\n\n0 tasks in 0.0 s, 0.0 launches/s\n");
  EXPECT_TRUE(read(json_of(BatchSummary{})).find("launch_ms")->find("p50")->is_null());
}

}  // namespace
}  // namespace tepui::cli
