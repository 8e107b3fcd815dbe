#include "agent/shell/statistics.h"

#include <gtest/gtest.h>

#include "agent/shell/http_server.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

ContainerReading reading() {
  ContainerReading one{.facts = {.id = {"c1"},
                                 .framework_id = {"f1"},
                                 .framework_name = "search",
                                 .executor_id = {"t1"},
                                 .executor_name = {},
                                 .executor_resources = {},
                                 .tasks = {}},
                       .samples = {}};
  one.facts.tasks.push_back({.id = {"t1"},
                             .name = "leaf",
                             .role = "eng",
                             .resources = Resources::scalars({{"cpus", 500}, {"mem", 64'000}}),
                             .limits = {.cpus_milli = 2000, .mem_milli = {}}});
  one.samples.push_back({.at = Instant(10s), .cpu_user_ns = 1});
  one.samples.push_back({.at = Instant(11s),
                         .cpu_user_ns = 1'500'000'000,
                         .cpu_throttled_ns = 250'000'000,
                         .memory_bytes = 4096});
  return one;
}

TEST(Statistics, HaveMesosNamesAndUnits) {
  const Document all =
      document_of(std::vector{reading()}, {.mono = Instant(12s), .wall = WallTime(100s)});
  ASSERT_NE(all.list(), nullptr);
  const std::string json = to_json(all, -1);
  for (const char* part :
       {R"("container_id":"c1")", R"("cpus_user_time_secs":1.5)",
        R"("cpus_throttled_time_secs":0.25)", R"("mem_total_bytes":4096)", R"("cpus_limit":2.0)",
        R"("mem_limit_bytes":67108864)", R"("timestamp":99.0)", R"("at_ns":10000000000)"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  }
  // Not measured is not zero.
  EXPECT_EQ(json.find("cpus_system_time_secs"), std::string::npos);
}

TEST(Statistics, TargetsAreParsed) {
  const auto parse = [](std::string_view target) { return *parse_statistics_target(target); };
  EXPECT_FALSE(parse("/"));
  EXPECT_FALSE(parse("/containers/"));
  EXPECT_EQ(parse("/containers")->history, 1U);
  EXPECT_TRUE(parse("/monitor/statistics"));
  const auto query = parse("/containers?history=5&framework=f1&task=a%2Fb");
  EXPECT_EQ(query->history, 5U);
  EXPECT_EQ(query->task_id.value, "a/b");
  EXPECT_EQ(query->framework_id.value, "f1");
  for (const char* bad :
       {"/containers?history=x", "/containers?history=", "/containers?other=1",
        "/containers?task=%4", "/containers?task=%zz", "/containers?history=-1"}) {
    EXPECT_FALSE(parse_statistics_target(bad)) << bad;
  }
}

TEST(Statistics, AQueryWantsATaskOfAFramework) {
  const ContainerFacts facts = reading().facts;
  EXPECT_TRUE(StatisticsQuery{}.wants(facts));
  EXPECT_TRUE((StatisticsQuery{.framework_id = {"f1"}, .task_id = {"t1"}}.wants(facts)));
  EXPECT_FALSE((StatisticsQuery{.framework_id = {"f2"}, .task_id = {"t1"}}.wants(facts)));
  EXPECT_FALSE((StatisticsQuery{.framework_id = {}, .task_id = {"t2"}}.wants(facts)));
}

}  // namespace
}  // namespace tepui
