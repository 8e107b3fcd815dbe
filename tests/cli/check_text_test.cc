#include "cli/check_text.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui::cli {
namespace {

using namespace std::chrono_literals;

std::string problem(std::string_view target, std::string_view options = "") {
  const auto check = parse_health_check(target, options);
  return check ? "no problem" : check.error().message;
}

TEST(CheckText, SaysWhatToLookAt) {
  const auto http = parse_check("http:8080/health?deep=1", "");
  ASSERT_TRUE(http) << http.error().message;
  EXPECT_EQ(http->type, CheckInfo::Type::kHttp);
  EXPECT_EQ(http->port, 8080u);
  EXPECT_EQ(http->path, "/health?deep=1");
  EXPECT_EQ(parse_check("http:80", "")->path, "");
  EXPECT_EQ(parse_check("tcp:22", "")->port, 22u);
  EXPECT_EQ(parse_check("command:test -e a:b", "")->command.value, "test -e a:b");
  EXPECT_EQ(parse_check("tcp:22", "")->interval, 10s);
}

TEST(CheckText, SaysHow) {
  const auto check = parse_health_check(
      "tcp:22", "delay=0secs,interval=1secs,timeout=2secs,grace=3secs,failures=4");
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_EQ(check->check.delay, 0s);
  EXPECT_EQ(check->check.interval, 1s);
  EXPECT_EQ(check->check.timeout, 2s);
  EXPECT_EQ(check->grace_period, 3s);
  EXPECT_EQ(check->consecutive_failures, 4u);
}

TEST(CheckText, SaysWhatIsWrong) {
  EXPECT_EQ(problem("ftp:21"),
            "'ftp:21' is not a check, expected one like http:8080/health, tcp:8080 or command:test "
            "-e ready");
  EXPECT_EQ(problem("tcp:http"), "port 'http' is not a number");
  EXPECT_EQ(problem("tcp:0"), "health check: port 0, expected 1 to 65535");
  EXPECT_EQ(problem("command:"), "health check: command is empty");
  EXPECT_EQ(
      problem("tcp:1", "speed=9"),
      "'speed=9' is not an option of a check, expected delay=, interval=, timeout=, grace= or "
      "failures=");
  EXPECT_EQ(parse_check("tcp:1", "grace=1secs").error().message,
            "'grace=1secs' is not an option of a check, expected delay=, interval= or timeout=");
  EXPECT_EQ(problem("tcp:1", "failures=0"),
            "health check: no number of consecutive failures is given, expected at least 1");
}

}  // namespace
}  // namespace tepui::cli
