#include "common/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreANumberAndAUnit) {
  EXPECT_EQ(parse_duration("10secs").value(), 10s);
  EXPECT_EQ(parse_duration("1.5mins").value(), 90s);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("0.5us").value(), 500ns);
  EXPECT_EQ(parse_duration("7ns").value(), 7ns);
  EXPECT_EQ(parse_duration("2hrs").value(), 2h);
  EXPECT_EQ(parse_duration("1days").value(), 24h);
  EXPECT_EQ(parse_duration("1weeks").value(), 168h);
  EXPECT_EQ(parse_duration("0secs").value(), 0s);
  EXPECT_EQ(parse_duration("9223372036854775807ns").value(), Duration::max());
}

TEST(Durations, RefusalSaysWhatWasExpected) {
  EXPECT_EQ(parse_duration("10").error().message,
            "'10' is not a duration, expected a number and one of ns, us, ms, secs, mins, hrs, "
            "days, weeks");
  for (const char* bad : {"", "secs", "-1secs", "1 secs", "1s", "1.secs", ".5secs", "1..5secs",
                          "1.5.5secs", "1e3secs", "99999999999999999999secs", "secs1"}) {
    EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
  }
  EXPECT_EQ(parse_duration("1.5ns").error().message, "'1.5ns' is finer than 1ns");
  EXPECT_EQ(parse_duration("20000weeks").error().message, "'20000weeks' is too large");
  EXPECT_EQ(parse_duration("9223372036854775808ns").error().message.find("'92"), 0u);
}

TEST(Durations, AreWrittenInTheLargestUnitThatIsExact) {
  EXPECT_EQ(to_text(Duration(10s)), "10secs");
  EXPECT_EQ(to_text(Duration(90s)), "1.5mins");
  EXPECT_EQ(to_text(Duration(100s)), "100secs");
  EXPECT_EQ(to_text(Duration(250ms)), "250ms");
  EXPECT_EQ(to_text(Duration(336h)), "2weeks");
  EXPECT_EQ(to_text(Duration(0)), "0secs");
  EXPECT_EQ(to_text(Duration(-90s)), "-1.5mins");
  EXPECT_EQ(to_text(Duration::max()), "9223372036.854775807secs");
  EXPECT_EQ(to_text(Duration::min()), "-9223372036.854775807secs");
}

RC_GTEST_PROP(Durations, SurviveTheirText, ()) {
  const auto unit = *rc::gen::element<int64_t>(1, 1000, 1000000, 1000000000, 60000000000);
  const Duration duration(*rc::gen::inRange<int64_t>(0, 100'000'000) * unit);
  RC_ASSERT(parse_duration(to_text(duration)).value() == duration);
}

TEST(Bytes, ArePowersOf1024) {
  EXPECT_EQ(parse_bytes("2GB").value(), int64_t{2} << 30);
  EXPECT_EQ(parse_bytes("1.5KB").value(), 1536);
  EXPECT_EQ(parse_bytes("7B").value(), 7);
  EXPECT_EQ(parse_bytes("1TB").value(), int64_t{1} << 40);
  EXPECT_EQ(bytes_to_text(int64_t{2} << 30), "2GB");
  EXPECT_EQ(bytes_to_text(1536), "1.5KB");
  EXPECT_EQ(bytes_to_text(0), "0B");
  EXPECT_EQ(bytes_to_text(-3), "-3B");
  EXPECT_EQ(parse_bytes("512").error().message,
            "'512' is not a size, expected a number and one of B, KB, MB, GB, TB");
  EXPECT_EQ(parse_bytes("0.5B").error().message, "'0.5B' is finer than 1B");
  EXPECT_FALSE(parse_bytes("9999999999TB").has_value());
  EXPECT_FALSE(parse_bytes("-1MB").has_value());
}

RC_GTEST_PROP(Bytes, SurviveTheirText, ()) {
  const auto bytes = *rc::gen::inRange<int64_t>(0, INT64_MAX);
  RC_ASSERT(parse_bytes(bytes_to_text(bytes)).value() == bytes);
}

TEST(Milli, HasAtMostThreeDecimals) {
  EXPECT_EQ(parse_milli("1.5").value(), 1500);
  EXPECT_EQ(parse_milli("0.001").value(), 1);
  EXPECT_EQ(parse_milli("12").value(), 12000);
  EXPECT_EQ(parse_milli("1.0005").error().message,
            "'1.0005' is not a number with at most three decimals");
  for (const char* bad : {"", "-1", "+1", "1.", ".5", "1,5", "0x1", "1e2", "nan", " 1"}) {
    EXPECT_FALSE(parse_milli(bad).has_value()) << bad;
  }
  EXPECT_EQ(parse_milli("9223372036854775").value(), 9223372036854775000);
  EXPECT_EQ(parse_milli("9223372036854776").error().message, "'9223372036854776' is too large");
}

TEST(WallTimes, AreWrittenInUtc) {
  EXPECT_EQ(to_text(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_text(WallTime(Duration(1795374000123ms))), "2026-11-22T19:00:00.123Z");
  EXPECT_EQ(to_text(WallTime(Duration(951782399999999us))), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(to_text(WallTime(Duration(-1ns))), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace tepui
