// Lines for people and for programs, whatever bytes the fields hold, and a reader that is too slow.

#include "common/io/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "common/io/document.h"
#include "common/io/fd.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const WallTime kTime = WallTime(1790000000s + 123ms);

LogRecord record(std::string value, Severity severity = Severity::kInfo) {
  return {.severity = severity, .name = "task.updated", .fields = {{"why", std::move(value)}}};
}

struct Pipe {
  Pipe() {
    int both[2];
    EXPECT_EQ(pipe2(both, O_CLOEXEC | O_NONBLOCK), 0);
    out = Fd(both[0]);
    in = Fd(both[1]);
  }
  std::string read() {
    std::string text;
    char part[4096];
    ssize_t got = 0;
    while ((got = ::read(out.get(), part, sizeof part)) > 0) text.append(part, size_t(got));
    return text;
  }
  Fd out;
  Fd in;
};

TEST(Log, WritesLinesForPeople) {
  EXPECT_EQ(human_line(kTime, record("plain"), Colour::kNever),
            "2026-09-21T14:13:20.123Z info    task.updated           why=plain");
  EXPECT_THAT(human_line(kTime, record("two words"), Colour::kNever),
              HasSubstr("why=\"two words\""));
  EXPECT_THAT(human_line(kTime, record(""), Colour::kNever), HasSubstr("why=\"\""));
  EXPECT_THAT(human_line(kTime, record("a\nb \x1b[31m"), Colour::kNever),
              HasSubstr("why=\"a\\nb \\u001b[31m\""));
  EXPECT_THAT(human_line(kTime, record("x"), Colour::kOnTerminal), HasSubstr("\x1b["));
}

TEST(Log, WritesJsonWhateverTheBytes) {
  for (const std::string& value :
       {std::string("plain"), std::string("quote \" slash \\ line \n tab \t"),
        std::string("zero \0 inside", 13), std::string("\x01\x1f\x7f"), std::string("grün €")}) {
    const auto parsed = parse_json(json_line(kTime, record(value)), "line");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(*parsed->find("why")->text(), value);
    EXPECT_EQ(*parsed->find("event")->text(), "task.updated");
    EXPECT_EQ(*parsed->find("level")->text(), "info");
    EXPECT_EQ(*parsed->find("time")->text(), "2026-09-21T14:13:20.123Z");
  }
  for (const char* broken : {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    const auto parsed = parse_json(json_line(kTime, record(broken)), "line");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_THAT(*parsed->find("why")->text(), HasSubstr("\xef\xbf\xbd"));
  }
}

TEST(Log, KeepsLinesTogetherUntilAWarningOrAFlush) {
  Pipe pipe;
  Log log({.format = LogFormat::kJson, .fd = pipe.in.get()});
  log.write(kTime, record("first"));
  log.write(kTime, record("not wanted", Severity::kDebug));
  EXPECT_EQ(pipe.read(), "");
  log.write(kTime, record("second", Severity::kWarning));
  const std::string text = pipe.read();
  EXPECT_THAT(text, HasSubstr("first"));
  EXPECT_THAT(text, HasSubstr("second"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  log.write(kTime, record("third"));
  log.flush();
  EXPECT_THAT(pipe.read(), HasSubstr("third"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not wanted")));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "colour is for terminals";
}

TEST(Log, FlushesOnTheLoop) {
  auto reactor = test::make_reactor();
  Pipe pipe;
  Log log({.fd = pipe.in.get()});
  log.flush_on(*reactor);
  log.write(kTime, record("soon"));
  std::string text;
  ASSERT_TRUE(test::run_until(*reactor, [&] { return !(text += pipe.read()).empty(); }));
  EXPECT_THAT(text, HasSubstr("soon"));
}

TEST(Log, DropsAndCountsWhatASlowReaderDoesNotTake) {
  Pipe pipe;
  Log log({.fd = pipe.in.get()});
  const std::string large(10000, 'x');
  for (int i = 0; i < 1000; ++i) log.write(kTime, record(large));
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += pipe.read();
    log.flush();
  }
  log.write(kTime, record("last", Severity::kError));
  text += pipe.read();
  EXPECT_LT(text.size(), size_t{2} << 20);
  EXPECT_THAT(text, HasSubstr("lines were dropped here)"));
  EXPECT_THAT(text, HasSubstr("last"));
}

}  // namespace
}  // namespace tepui
