#include "common/checks.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tepui {
namespace {

using namespace std::chrono_literals;

std::string refusal(const std::function<void(CheckInfo&)>& change) {
  CheckInfo check{.command = {.value = "true"}};
  change(check);
  const Result<void> result = validate(check);
  return result.has_value() ? "accepted" : result.error().message;
}

TEST(Checks, OfEachTypeAreAccepted) {
  EXPECT_EQ(refusal([](CheckInfo&) {}), "accepted");
  const auto http = [](CheckInfo& check) {
    check = {.type = CheckInfo::Type::kHttp, .port = 8080, .path = "/health?deep=1"};
  };
  EXPECT_EQ(refusal(http), "accepted");
  EXPECT_EQ(refusal([](CheckInfo& check) { check = {.type = CheckInfo::Type::kTcp, .port = 1}; }),
            "accepted");
}

TEST(Checks, SayWhatIsWrongWithTheirTimes) {
  EXPECT_EQ(refusal([](CheckInfo& check) { check.delay = -1s; }), "check: the delay is negative");
  EXPECT_EQ(refusal([](CheckInfo& check) { check.timeout = -1s; }),
            "check: the timeout is negative");
  EXPECT_EQ(refusal([](CheckInfo& check) { check.interval = 0s; }), "check: the interval is zero");
  EXPECT_EQ(refusal([](CheckInfo& check) { check.timeout = 0s; }), "accepted");
  HealthCheckInfo health{.check = {.command = {.value = "true"}}, .grace_period = -1s};
  EXPECT_EQ(validate(health).error().message, "health check: the grace period is negative");
  health.grace_period = 0s;
  EXPECT_TRUE(validate(health).has_value());
  health.consecutive_failures = 0;
  EXPECT_EQ(validate(health).error().message,
            "health check: no number of consecutive failures is given, expected at least 1");
}

TEST(Checks, SayWhatIsWrongWithTheirTargets) {
  EXPECT_EQ(refusal([](CheckInfo& check) { check.command = {}; }), "check: command is empty");
  const auto http = [](uint32_t port, std::string path) {
    return refusal([&](CheckInfo& check) {
      check = {.type = CheckInfo::Type::kHttp, .port = port, .path = std::move(path)};
    });
  };
  EXPECT_EQ(http(0, ""), "check: port 0, expected 1 to 65535");
  EXPECT_EQ(http(65536, ""), "check: port 65536, expected 1 to 65535");
  EXPECT_EQ(http(80, "health"), "check: path 'health' does not begin with '/'");
  EXPECT_EQ(http(80, "/a\r\nHost: b"),
            "check: path has a space, a control character or one beyond ASCII");
  EXPECT_EQ(http(80, "/\xc3\xa9"),
            "check: path has a space, a control character or one beyond ASCII");
}

}  // namespace
}  // namespace tepui
