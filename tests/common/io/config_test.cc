// Goal: the same option by flag, variable and file, in this order of strength; and one clear line
// for everything that is wrong.

#include "common/io/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "common/io/files.h"
#include "common/io/version.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Program daemon() {
  return {.name = "tepui-test",
          .description = "Tests how programs are configured.\n\nIn paragraphs.",
          .examples = "  tepui-test --listen=127.0.0.1:5050\n",
          .options = {
              {.name = "listen", .fallback = "127.0.0.1:5050", .help = "Where to listen."},
              {.name = "ping-timeout", .kind = OptionKind::kDuration, .fallback = "15secs"},
              {.name = "disk", .kind = OptionKind::kBytes},
              {.name = "cpus", .kind = OptionKind::kMilli},
              {.name = "count", .kind = OptionKind::kInteger, .minimum = 1, .maximum = 10},
              {.name = "verbose", .kind = OptionKind::kFlag, .letter = "v"},
              {.name = "require", .kind = OptionKind::kList},
              {.name = "env", .kind = OptionKind::kTexts},
              {.name = "level", .fallback = "info", .choices = {"info", "debug"}},
          }};
}

Program tool() {
  return {
      .name = "tepui",
      .description = "Talks to a cluster.",
      .options = {{.name = "master", .fallback = "127.0.0.1:5050"}},
      .commands = {
          {.name = "run",
           .help = "Runs one command.",
           .options = {{.name = "cpus", .kind = OptionKind::kMilli, .fallback = "1"}},
           .rest = "COMMAND [ARGUMENT...]"},
          {.name = "logs",
           .help = "Shows output.",
           .options = {{.name = "follow", .kind = OptionKind::kFlag, .letter = "f"}},
           .positionals = {{.name = "TASK"}, {.name = "FILE", .need = OptionNeed::kOptional}}},
          {.name = "kill", .help = "Kills.", .positionals = {{.name = "TASK", .repeats = true}}},
      }};
}

std::expected<Settings, Ending> start(const Program& program, std::vector<const char*> words) {
  words.insert(words.begin(), program.name.c_str());
  return configure(program, static_cast<int>(words.size()), words.data());
}

std::string refusal(const Program& program, std::vector<const char*> words) {
  const auto settings = start(program, std::move(words));
  EXPECT_FALSE(settings.has_value());
  if (settings) return "";
  EXPECT_EQ(settings.error().code, 2);
  const std::string& text = settings.error().text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
  return text;
}

TEST(Config, HasDefaults) {
  const Settings settings = start(daemon(), {}).value();
  EXPECT_EQ(settings.text("listen"), "127.0.0.1:5050");
  EXPECT_EQ(settings.duration("ping-timeout"), 15s);
  EXPECT_FALSE(settings.given("ping-timeout"));
  EXPECT_FALSE(settings.given("disk"));
  EXPECT_FALSE(settings.flag("verbose"));
  EXPECT_THAT(settings.list("require"), IsEmpty());
}

TEST(Config, ReadsFlagsOfEveryKind) {
  const Settings settings =
      start(daemon(), {"--listen", "[::1]:1", "--ping-timeout=1.5mins", "--disk=2GB", "--cpus=0.25",
                       "--count", "10", "-v", "--require=cpu,memory", "--require", "io", "--env",
                       "A=1,2", "--env=B=", "--level=debug"})
          .value();
  EXPECT_EQ(settings.text("listen"), "[::1]:1");
  EXPECT_EQ(settings.duration("ping-timeout"), 90s);
  EXPECT_EQ(settings.bytes("disk"), int64_t{2} << 30);
  EXPECT_EQ(settings.milli("cpus"), 250);
  EXPECT_EQ(settings.integer("count"), 10);
  EXPECT_TRUE(settings.flag("verbose"));
  EXPECT_THAT(settings.list("require"), ElementsAre("cpu", "memory", "io"));
  EXPECT_THAT(settings.list("env"), ElementsAre("A=1,2", "B="));
  EXPECT_EQ(settings.text("level"), "debug");
  EXPECT_TRUE(settings.given("disk"));
  EXPECT_FALSE(start(daemon(), {"--verbose=false"})->flag("verbose"));
  EXPECT_TRUE(start(daemon(), {"--verbose=true"})->flag("verbose"));
}

TEST(Config, RefusesWithOneLineThatNamesTheFlag) {
  EXPECT_THAT(refusal(daemon(), {"--nonsense=3"}),
              testing::StartsWith("tepui-test: unknown flag --nonsense "));
  EXPECT_THAT(refusal(daemon(), {"-x"}), HasSubstr("unknown flag -x"));
  EXPECT_THAT(refusal(daemon(), {"word"}), HasSubstr("unexpected argument 'word'"));
  EXPECT_THAT(refusal(daemon(), {"--", "word"}), HasSubstr("nothing is expected after --"));
  EXPECT_THAT(refusal(daemon(), {"--listen"}), HasSubstr("--listen needs a value"));
  EXPECT_THAT(refusal(daemon(), {"--listen=a:1", "--listen=b:1"}),
              HasSubstr("--listen is given twice"));
  EXPECT_THAT(refusal(daemon(), {"--ping-timeout=5"}), HasSubstr("--ping-timeout: '5'"));
  EXPECT_THAT(refusal(daemon(), {"--disk=12"}), HasSubstr("--disk: '12'"));
  EXPECT_THAT(refusal(daemon(), {"--cpus=many"}), HasSubstr("--cpus: 'many'"));
  EXPECT_THAT(refusal(daemon(), {"--count=11"}), HasSubstr("--count: 11 is not from 1 to 10"));
  EXPECT_THAT(refusal(daemon(), {"--count=0"}), HasSubstr("--count: 0 is not from 1 to 10"));
  EXPECT_THAT(refusal(daemon(), {"--count=1x"}), HasSubstr("'1x' is not a whole number"));
  EXPECT_THAT(refusal(daemon(), {"--level=loud"}), HasSubstr("'loud' is not one of info, debug"));
  EXPECT_THAT(refusal(daemon(), {"--verbose=maybe"}), HasSubstr("verbose"));
}

TEST(Config, NeedsWhatIsRequired) {
  Program program = daemon();
  program.options[2].need = OptionNeed::kRequired;
  EXPECT_THAT(refusal(program, {}),
              HasSubstr("--disk is needed (or TEPUI_DISK, or disk in a configuration file)"));
  EXPECT_TRUE(start(program, {"--disk=1MB"}).has_value());
}

class ConfigFile : public testing::Test {
 protected:
  std::string write(std::string_view text) {
    EXPECT_TRUE(write_file_durably(path_, text).has_value());
    return flag_ = "--config=" + path_;
  }
  void TearDown() override { unsetenv("TEPUI_COUNT"); }

  const test::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/test.toml";
  std::string flag_;
};

TEST_F(ConfigFile, HasTheSameNames) {
  write(
      "listen = '10.0.0.1:1'\nping-timeout = \"10secs\"\ndisk = '1TB'\ncpus = 1.5\ncount = 3\n"
      "verbose = true\nrequire = ['cpu', 'io']\nenv = ['A=1,2']\n");
  const Settings settings = start(daemon(), {flag_.c_str()}).value();
  EXPECT_EQ(settings.text("listen"), "10.0.0.1:1");
  EXPECT_EQ(settings.duration("ping-timeout"), 10s);
  EXPECT_EQ(settings.bytes("disk"), int64_t{1} << 40);
  EXPECT_EQ(settings.milli("cpus"), 1500);
  EXPECT_EQ(settings.integer("count"), 3);
  EXPECT_TRUE(settings.flag("verbose"));
  EXPECT_THAT(settings.list("require"), ElementsAre("cpu", "io"));
  EXPECT_THAT(settings.list("env"), ElementsAre("A=1,2"));
  write("cpus = 2\nrequire = { ops = 2, dev = 0.5 }\n");
  const Settings tables = start(daemon(), {flag_.c_str()}).value();
  EXPECT_EQ(tables.milli("cpus"), 2000);
  EXPECT_THAT(tables.list("require"), testing::UnorderedElementsAre("ops=2", "dev=0.5"));
}

TEST_F(ConfigFile, YieldsToTheEnvironmentWhichYieldsToFlags) {
  write("count = 3\n");
  EXPECT_EQ(start(daemon(), {flag_.c_str()})->integer("count"), 3);
  setenv("TEPUI_COUNT", "4", 1);
  EXPECT_EQ(start(daemon(), {flag_.c_str()})->integer("count"), 4);
  EXPECT_EQ(start(daemon(), {flag_.c_str(), "--count=5"})->integer("count"), 5);
  setenv("TEPUI_COUNT", "many", 1);
  EXPECT_THAT(refusal(daemon(), {}), HasSubstr("TEPUI_COUNT: 'many' is not a whole number"));
}

TEST_F(ConfigFile, IsRefusedWithItsNameAndLine) {
  const auto refused = [&](std::string_view text) {
    write(text);
    return refusal(daemon(), {flag_.c_str()});
  };
  EXPECT_THAT(refused("\ncoumt = 3\n"),
              HasSubstr(path_ + ":2: unknown key 'coumt', did you mean 'count'?"));
  EXPECT_THAT(refused("zzzzzzzzz = 3\n"), HasSubstr(path_ + ":1: unknown key 'zzzzzzzzz' "));
  EXPECT_THAT(refused("\n\ncount = 30\n"), HasSubstr(path_ + ":3: count: 30 is not from 1 to 10"));
  EXPECT_THAT(refused("count = '3'\n"),
              HasSubstr(path_ + ":1: count: expected a whole number, found text"));
  EXPECT_THAT(refused("listen = 3\n"), HasSubstr("expected text in quotes, found a whole number"));
  EXPECT_THAT(refused("listen = [3]\n"), HasSubstr("expected text in quotes, found a list"));
  EXPECT_THAT(refused("verbose = 'yes'\n"), HasSubstr("expected true or false"));
  EXPECT_THAT(refused("ping-timeout = 5\n"), HasSubstr("expected text in quotes"));
  EXPECT_THAT(refused("require = [1]\n"), HasSubstr("expected text in quotes"));
  EXPECT_THAT(refused("count = \n"), HasSubstr(path_ + ":1"));
  EXPECT_THAT(refused("cpus = 1.00001\n"), HasSubstr(path_ + ":1: cpus: '1.00001'"));
  // What a flag overrides is still looked at.
  write("count = 30\n");
  EXPECT_THAT(refusal(daemon(), {flag_.c_str(), "--count=3"}), HasSubstr(":1: count: 30"));
  EXPECT_THAT(refusal(daemon(), {"--config=/nonexistent/x.toml"}),
              HasSubstr("cannot read /nonexistent/x.toml: No such file or directory"));
}

TEST_F(ConfigFile, MayHoldKeysOfOtherCommands) {
  write("cpus = 2\n");
  EXPECT_TRUE(start(tool(), {"kill", "t", flag_.c_str()}).has_value());
  EXPECT_EQ(start(tool(), {"run", flag_.c_str(), "--", "x"})->milli("cpus"), 2000);
}

TEST(Commands, HaveOptionsPositionalsAndARest) {
  const Settings run =
      start(tool(), {"run", "--cpus=2", "--master=10.0.0.1:1", "--", "ls", "-l", "--", "x"})
          .value();
  EXPECT_EQ(run.command(), "run");
  EXPECT_EQ(run.milli("cpus"), 2000);
  EXPECT_EQ(run.text("master"), "10.0.0.1:1");
  EXPECT_THAT(run.rest(), ElementsAre("ls", "-l", "--", "x"));
  const Settings logs = start(tool(), {"--master=a:1", "logs", "-f", "t1"}).value();
  EXPECT_TRUE(logs.flag("follow"));
  EXPECT_EQ(logs.text("master"), "a:1");
  EXPECT_THAT(logs.positional("TASK"), ElementsAre("t1"));
  EXPECT_THAT(logs.positional("FILE"), IsEmpty());
  EXPECT_THAT(start(tool(), {"kill", "a", "b", "c"})->positional("TASK"),
              ElementsAre("a", "b", "c"));
}

TEST(Commands, TakeTheNameOfACommandForAnArgumentBehindOne) {
  const Settings kill = start(tool(), {"kill", "run", "logs", "--master=a:1"}).value();
  EXPECT_EQ(kill.command(), "kill");
  EXPECT_EQ(kill.text("master"), "a:1");
  EXPECT_THAT(kill.positional("TASK"), ElementsAre("run", "logs"));
}

TEST(Commands, RefuseWhatTheyDoNotKnow) {
  EXPECT_THAT(refusal(tool(), {}), HasSubstr("a command is missing, one of run, logs, kill"));
  EXPECT_THAT(refusal(tool(), {"sing"}), HasSubstr("unknown command 'sing'"));
  EXPECT_THAT(refusal(tool(), {"logs"}), HasSubstr("logs needs TASK"));
  EXPECT_THAT(refusal(tool(), {"logs", "a", "b", "c"}), HasSubstr("unexpected argument 'c'"));
  EXPECT_THAT(refusal(tool(), {"kill", "t", "--cpus=1"}), HasSubstr("unknown flag --cpus"));
  EXPECT_THAT(refusal(tool(), {"kill", "t", "--", "x"}), HasSubstr("nothing is expected after --"));
}

TEST(Help, TeachesAndLeavesWithZero) {
  const auto help = start(daemon(), {"--help", "--count=99"});
  ASSERT_FALSE(help.has_value());
  EXPECT_EQ(help.error().code, 0);
  for (const char* part : {"Tests how programs are configured.\n\nIn paragraphs.", "--listen=TEXT",
                           "Default: 127.0.0.1:5050.", "-v, --verbose", "--level=info|debug",
                           "--config=TEXT", "Examples:", "TEPUI_LOG_LEVEL"}) {
    EXPECT_THAT(help.error().text, HasSubstr(part));
  }
  const std::string overview = start(tool(), {"-h"}).error().text;
  EXPECT_THAT(overview, HasSubstr("  run   Runs one command."));
  const std::string run = start(tool(), {"run", "--help"}).error().text;
  EXPECT_THAT(run, HasSubstr("Usage: tepui run [--OPTION...] -- COMMAND [ARGUMENT...]"));
  EXPECT_THAT(run, HasSubstr("--cpus=NUMBER"));
  EXPECT_THAT(start(tool(), {"logs", "--help"}).error().text,
              HasSubstr("Usage: tepui logs [--OPTION...] TASK [FILE]"));
}

TEST(Help, NamesTheCommitWithTheVersion) {
  const auto version = start(daemon(), {"--version"});
  ASSERT_FALSE(version.has_value());
  EXPECT_EQ(version.error().code, 0);
  EXPECT_EQ(version.error().text, "tepui-test " + version_text() + "\n");
  EXPECT_THAT(version.error().text, HasSubstr("commit"));
  EXPECT_FALSE(version_commit().empty());
  EXPECT_EQ(version_commit().find('@'), std::string_view::npos);
}

}  // namespace
}  // namespace tepui
