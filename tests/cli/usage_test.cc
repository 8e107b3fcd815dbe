#include "cli/usage.h"

#include <gtest/gtest.h>

#include "cli/http_gets.h"
#include "cli/text_values.h"

namespace tepui::cli {
namespace {

constexpr std::string_view kAnswer = R"([
  {"container_id": "c1", "framework_id": "f1", "framework_name": "search", "executor_id": "t1",
   "executor_name": "", "statistics": {"mem_limit_bytes": 1048576},
   "tasks": [{"id": "t1", "role": "eng/search", "requests": {"cpus": 0.5, "mem": 64},
              "revocable": {}, "limits": {"cpus": 2}}],
   "samples": [
     {"at_ns": 1000000000, "timestamp_ns": 5000000000, "cpu_usage_ns": 0, "memory_bytes": 7},
     {"at_ns": 2000000000, "timestamp_ns": 6000000000, "cpu_usage_ns": 1500000000,
      "memory_bytes": 2048, "net_sent_bytes": 9}]},
  {"container_id": "c2", "framework_id": "f2", "framework_name": "web", "executor_id": "e",
   "executor_name": "pod", "statistics": {}, "tasks": [{"id": "a"}, {"id": "b"}], "samples": []}])";

const AgentPlace kAgent{.id = "a1", .hostname = "node1", .address = "127.0.0.1:1"};

std::vector<UsageRow> rows() {
  auto read = read_usage(kAnswer, kAgent);
  EXPECT_TRUE(read) << read.error().message;
  return read ? *read : std::vector<UsageRow>();
}

TEST(Usage, ReadsWhatAnAgentSays) {
  const auto read = rows();
  ASSERT_EQ(read.size(), 2U);
  const UsageRow& row = read[0];
  EXPECT_EQ(row.name(), "t1");
  EXPECT_EQ(row.role, "eng/search");
  EXPECT_DOUBLE_EQ(*row.rates.cpus, 1.5);
  EXPECT_FALSE(row.rates.net_sent_bytes);  // the first sample has none
  EXPECT_EQ(row.latest()->memory_bytes.value(), 2048);
  EXPECT_EQ(to_ns(*row.measured_at), 6000000000);
  EXPECT_DOUBLE_EQ(*row.mem_limit_bytes, 1048576);
  EXPECT_DOUBLE_EQ(*row.cpus_limit, 2);
  EXPECT_EQ(read[1].name(), "e (2 tasks)");
  EXPECT_EQ(read[1].latest(), nullptr);
}

TEST(Usage, RefusesWhatNoAgentSays) {
  const auto refusal = [](std::string_view json) {
    const auto read = read_usage(json, kAgent);
    return read ? "" : read.error().message;
  };
  EXPECT_EQ(refusal("{}"), "the answer is no list of containers");
  EXPECT_EQ(refusal("[{}]"), "a container has no container_id");
  EXPECT_EQ(refusal(R"([{"container_id": "c", "samples": [{"at_ns": 1}]}])"),
            "a sample has no at_ns and timestamp_ns");
  EXPECT_NE(refusal("["), "");
}

TEST(Usage, IsFilteredByFrameworkRoleAndText) {
  const UsageRow row = rows()[0];
  EXPECT_TRUE(matches(row, {}));
  EXPECT_TRUE(matches(row, {.framework = "search"}));
  EXPECT_TRUE(matches(row, {.framework = "f1"}));
  EXPECT_FALSE(matches(row, {.framework = "sear"}));
  EXPECT_TRUE(matches(row, {.role = "eng"}));
  EXPECT_FALSE(matches(row, {.role = "en"}));
  EXPECT_TRUE(matches(row, {.text = "ode1"}));
  EXPECT_FALSE(matches(row, {.text = "node2"}));
}

TEST(Usage, IsSortedByTheLargestAndTheUnknownLast) {
  std::vector<UsageRow> sorted(4);
  for (size_t i = 0; i < sorted.size(); ++i) sorted[i].tasks = {std::string(1, "badc"[i])};
  sorted[0].rates.cpus = 0.5;
  sorted[2].rates.cpus = 2;
  const auto names = [&] {
    std::string all;
    for (const UsageRow& row : sorted) all += row.name();
    return all;
  };
  sort_usage(sorted, UsageKey::kCpu);
  EXPECT_EQ(names(), "dbac");
  sort_usage(sorted, UsageKey::kName);
  EXPECT_EQ(names(), "abcd");
  for (const char* word :
       {"cpu", "throttled", "runqueue", "cpi", "mem", "pressure", "io", "net", "name"}) {
    const auto key = parse_usage_key(word);
    ASSERT_TRUE(key) << word;
    EXPECT_EQ(to_text(*key), word);
  }
  EXPECT_FALSE(parse_usage_key("memory"));
}

TEST(Usage, ColumnsAlign) {
  std::vector<UsageRow> all = rows();
  all[1].tasks = {"a-task-with-a-name-that-nobody-should-give-to-a-task"};
  all[1].framework = "we\033[31mb\n";
  const auto lines = usage_lines(all, UsageKey::kCpu, 0);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(lines[0].starts_with("TASK ")) << lines[0];
  for (const std::string& line : lines) EXPECT_EQ(line.size(), lines[0].size()) << line;
  const size_t cpu = lines[0].find("CPU%*") + 5;
  EXPECT_EQ(lines[1].substr(cpu - 5, 5), "150.0");
  EXPECT_EQ(lines[2].substr(cpu - 5, 5), "    -");
  EXPECT_TRUE(lines[2].starts_with("a-task-with-a-name-that-nobod...  ")) << lines[2];
  EXPECT_NE(lines[2].find("we?[31mb?"), std::string::npos) << lines[2];
  for (const std::string& line : usage_lines(all, UsageKey::kCpu, 40)) EXPECT_EQ(line.size(), 40U);
}

TEST(TextValues, AreShort) {
  EXPECT_EQ(bytes_text({}), "-");
  EXPECT_EQ(bytes_text(0), "0");
  EXPECT_EQ(bytes_text(1023), "1023");
  EXPECT_EQ(bytes_text(1024), "1.0K");
  EXPECT_EQ(bytes_text(1536), "1.5K");
  EXPECT_EQ(bytes_text(1048575), "1.0M");
  EXPECT_EQ(bytes_text(200.0 * 1024 * 1024), "200M");
  EXPECT_EQ(percent_text(0.2514), "25.1");
  EXPECT_EQ(micros_text(1500), "2us");
  EXPECT_EQ(micros_text(4'500'000), "4.5ms");
  EXPECT_EQ(micros_text(2e9), "2.0s");
  EXPECT_EQ(time_text(WallTime(std::chrono::seconds(1'800'000'000))), "2027-01-15 08:00:00");
  EXPECT_EQ(time_text(WallTime{}), "-");
}

TEST(TextValues, ASparklineIsAsHighAsItsValues) {
  EXPECT_EQ(sparkline({}, 5), "");
  EXPECT_EQ(sparkline({0, 0}, 5), "▁▁");
  EXPECT_EQ(sparkline({0, 4, 8}, 5), "▁▅█");
  EXPECT_EQ(sparkline({100, 0, 4, 8}, 3), "▁▅█");
}

TEST(HttpGets, TakesTheBodyOfAWholeAnswer) {
  const auto read = [](std::string_view answer) {
    const auto body = http_body(answer);
    return body ? *body : "refused: " + body.error().message;
  };
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"), "[]");
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]"),
            "refused: the answer ends after 2 of 3 bytes");
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\n\r\n[]"), "refused: the answer has no length");
  EXPECT_EQ(read("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"),
            "refused: the answer is 'HTTP/1.1 503 Service Unavailable': {}");
  EXPECT_EQ(read("TPUI"), "refused: the answer is no HTTP");
  EXPECT_EQ(percent_encoded("a/b c.1"), "a%2Fb%20c.1");
}

}  // namespace
}  // namespace tepui::cli
