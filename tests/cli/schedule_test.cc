#include "cli/schedule.h"

#include <gtest/gtest.h>

#include <chrono>

#include "common/text.h"

namespace tepui::cli {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{Duration(1'000s)};

Result<UpdateMaintenanceSchedule> parse(std::string_view text) {
  const auto document = parse_toml(text, "s.toml");
  EXPECT_TRUE(document.has_value()) << document.error().message;
  return parse_schedule(*document, "s.toml", kNow);
}

TEST(Schedule, HasWindows) {
  const auto schedule = parse(
      "[[window]]\n"
      "hosts = [\"a\", \"b\"]\n"
      "start = \"2026-12-01T08:30:05Z\"\n"
      "duration = \"90mins\"\n"
      "drain = true\n"
      "[[window]]\n"
      "hosts = [\"c\"]\n"
      "start = \"in 2hrs\"\n");
  ASSERT_TRUE(schedule.has_value()) << schedule.error().message;
  ASSERT_EQ(schedule->windows.size(), 2u);
  const MaintenanceWindow& first = schedule->windows[0];
  EXPECT_EQ(first.hostnames, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(to_text(first.unavailability.start), "2026-12-01T08:30:05.000Z");
  EXPECT_EQ(first.unavailability.duration, Duration(90min));
  EXPECT_TRUE(first.drain);
  const MaintenanceWindow& second = schedule->windows[1];
  EXPECT_EQ(second.unavailability.start, kNow + 2h);
  EXPECT_FALSE(second.unavailability.duration);
  EXPECT_FALSE(second.drain);
}

TEST(Schedule, AnEmptyFileIsAnEmptySchedule) { EXPECT_TRUE(parse("")->windows.empty()); }

TEST(Schedule, ErrorsNameTheLine) {
  const auto why = [](std::string_view text) {
    const auto schedule = parse(text);
    return schedule.has_value() ? std::string("fine") : schedule.error().message;
  };
  EXPECT_EQ(why("[[window]]\nhost = \"a\"\n"),
            "s.toml:2: a window has no 'host', only hosts, start, duration and drain");
  EXPECT_EQ(why("[[window]]\nhosts = \"a\"\n"),
            "s.toml:2: hosts is text, expected a list of hostnames");
  EXPECT_EQ(why("[[window]]\nhosts = [\"a\"]\n"), "s.toml:1: a window has no start");
  EXPECT_NE(why("[[window]]\nhosts = [\"a\"]\nstart = \"tomorrow\"\n").find("s.toml:3"),
            std::string::npos);
  EXPECT_NE(why("windows = 1\n").find("only [[window]]"), std::string::npos);
}

TEST(Schedule, TimesThatDoNotExistAreRefused) {
  for (const char* bad : {"2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-12-01T24:00:00Z",
                          "2026-12-01 00:00:00Z", "2026-12-01T00:00:00", "1969-12-31T23:59:59Z",
                          "2026-12-0xT00:00:00Z", "in two hours", ""}) {
    EXPECT_FALSE(parse_start(bad, kNow).has_value()) << bad;
  }
  EXPECT_EQ(parse_start("1970-01-01T00:00:01Z", kNow), WallTime(Duration(1s)));
}

}  // namespace
}  // namespace tepui::cli
