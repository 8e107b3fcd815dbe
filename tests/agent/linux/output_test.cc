// Goal: what a task writes to stdout and stderr is kept up to a bound, whole up to its end, and no
// trap in the sandbox leads the one who keeps it elsewhere. Method: real commands that flood.

#include <sys/mount.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

using testing::HasSubstr;

constexpr OutputLimit kLimit{.file_bytes_max = 100'000, .files = 3};

class OutputTest : public ContainersTest {
 protected:
  void SetUp() override {
    ContainersTest::SetUp();
    if (IsSkipped()) return;
    life_.reset();
    life_ = std::make_unique<Life>(home_, GetParam(), std::set<std::string>{}, nullptr, kLimit);
  }
  std::string output(const std::string& file) const { return text_of(life_->sandbox("a") / file); }
  bool has(const std::string& file) const {
    return std::filesystem::exists(life_->sandbox("a") / file);
  }
};

std::string process_file(int64_t pid, const std::string& name) {
  return text_of("/proc/" + std::to_string(pid) + "/" + name);
}

int64_t parent_of(int64_t pid) {
  const std::string status = process_file(pid, "status");
  return std::stoll(status.substr(status.find("PPid:") + 5));
}

// The child of that shim that keeps the output; 0: there is none.
int64_t logger_of(int64_t shim) {
  std::istringstream children(process_file(shim, "task/" + std::to_string(shim) + "/children"));
  for (int64_t pid = 0; children >> pid;) {
    if (process_file(pid, "comm") == "tepui-logger\n") return pid;
  }
  return 0;
}

bool has_pipe(int64_t pid) {
  std::error_code gone;
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    if (std::filesystem::read_symlink(entry, gone).string().starts_with("pipe:")) return true;
  }
  return false;
}

// 589 kB of numbers: what is kept are the last ones, without a gap.
TEST_P(OutputTest, KeepsTheEndOfAFlood) {
  EXPECT_EQ(life_->run(life_->spec("a", "seq 1 100000; seq 1 100000 >&2")).exit_status, 0);
  for (const std::string stream : {"stdout", "stderr"}) {
    std::string kept;
    for (const char* age : {".2", ".1", ""}) {
      const std::string part = output(stream + age);
      EXPECT_LE(part.size(), kLimit.file_bytes_max) << stream << age;
      EXPECT_GT(part.size(), 0u) << stream << age;
      kept += part;
    }
    EXPECT_FALSE(has(stream + ".3"));
    EXPECT_GT(kept.size(), 2 * kLimit.file_bytes_max);
    std::istringstream lines(kept.substr(kept.find('\n') + 1));
    int first = 0;
    lines >> first;
    int last = first;
    for (int next = 0; lines >> next; last = next) ASSERT_EQ(next, last + 1);
    EXPECT_EQ(last, 100000);
  }
  life_->destroy_all({"a"});
}

TEST_P(OutputTest, IsThereWhenTheCommandHasEnded) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = "a" + std::to_string(i);
    const ExitRecord end = life_->run(life_->spec(id, "echo one; echo two >&2; exit 3"));
    EXPECT_EQ(end.exit_status, 3);
    EXPECT_EQ(end.stderr_tail, "two");
    EXPECT_EQ(text_of(life_->sandbox(id) / "stdout"), "one\n");
    EXPECT_EQ(text_of(life_->sandbox(id) / "stderr"), "two\n");
    life_->destroy_all({id});
  }
}

TEST_P(OutputTest, TheEndIsNotToldBeforeItIsKept) {
  life_->containers().launch(life_->spec("a", "until test -e go; do :; done; echo end"));
  ASSERT_TRUE(life_->run_until("launched a"));
  const int64_t shim = parent_of(life_->owner.pids["a"]);
  int64_t logger = 0;
  ASSERT_TRUE(life_->run_until([&] { return (logger = logger_of(shim)) != 0; }));
  ASSERT_EQ(kill(static_cast<pid_t>(logger), SIGSTOP), 0);
  std::ofstream(life_->sandbox("a") / "go") << "";
  // Its last pipe is the one by which the shim says to the logger that this was all.
  ASSERT_TRUE(life_->run_until([&] { return life_->owner.saw("exit a") || !has_pipe(shim); }));
  EXPECT_FALSE(life_->owner.saw("exit a"));
  EXPECT_EQ(output("stdout"), "");
  kill(static_cast<pid_t>(logger), SIGCONT);
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(output("stdout"), "end\n");
  life_->destroy_all({"a"});
}

TEST_P(OutputTest, DoesNotWaitForWhoIsLeftRunning) {
  const ExitRecord end = life_->run(life_->spec(
      "a", "(while echo more; do :; done) & until grep -qs more stdout stdout.1; do :; done"));
  EXPECT_EQ(end.exit_status, 0);
  EXPECT_THAT(output("stdout") + output("stdout.1") + output("stdout.2"), HasSubstr("more"));
  life_->destroy_all({"a"});
}

TEST_P(OutputTest, WalksIntoNoTrap) {
  const std::filesystem::path victim = home_.directory / "victim";
  std::ofstream(victim) << "precious";
  const std::string flood = "seq 1 30000";
  const std::string command = "mkdir -p stdout.1/full; ln -sf " + victim.string() + " stdout.2; " +
                              flood + "; mv stdout aside; ln -s " + victim.string() + " stdout; " +
                              flood + "; ln -f aside other; " + flood;
  EXPECT_EQ(life_->run(life_->spec("a", command)).exit_status, 0);
  EXPECT_EQ(text_of(victim), "precious");
  for (const auto& entry : std::filesystem::directory_iterator(life_->sandbox("a"))) {
    const uintmax_t bytes = entry.is_regular_file() ? entry.file_size() : 0;
    EXPECT_LE(bytes, kLimit.file_bytes_max) << entry;
  }
  life_->destroy_all({"a"});
}

// Else a task could have the agent read to it what is not its own.
TEST_P(OutputTest, TellsOnlyTheTasksOwnFileAsItsLastWords) {
  const std::filesystem::path secret = home_.directory / "secret";
  std::ofstream(secret) << "secret\n";
  for (const char* link : {"ln ", "ln -s "}) {
    const std::string command = "rm stderr; " + (link + secret.string()) + " stderr; exit 1";
    EXPECT_EQ(life_->run(life_->spec("a", command)).stderr_tail, "");
    life_->destroy_all({"a"});
    life_->owner = {};
    std::filesystem::remove(life_->sandbox("a") / "stderr");
  }
}

TEST_P(OutputTest, IsOwnedByTheUserOfTheTask) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has tasks of other users";
  LaunchSpec spec = life_->spec("a", "seq 1 30000");
  spec.command.user = "nobody";
  EXPECT_EQ(life_->run(spec).exit_status, 0);
  for (const char* file : {"stdout", "stdout.1"}) {
    struct stat status{};
    ASSERT_EQ(stat((life_->sandbox("a") / file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_uid, 65534u) << file;
  }
  life_->destroy_all({"a"});
}

// The command goes on, and what does not fit is lost.
TEST_P(OutputTest, HoldsNobodyUpWhenTheDiskIsFull) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can mount a small disk";
  const std::filesystem::path disk = home_.directory / "work" / "frameworks";
  std::filesystem::create_directories(disk);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k"), 0);
  EXPECT_EQ(life_->run(life_->spec("a", "seq 1 100000; seq 1 100000 >&2; exit 5")).exit_status, 5);
  EXPECT_GT(output("stdout").size(), 0u);
  life_->destroy_all({"a"});
  umount2(disk.c_str(), MNT_DETACH);
}

TEST_P(OutputTest, EndsWithItsContainer) {
  life_->containers().launch(life_->spec("a", "while echo more; do :; done"));
  ASSERT_TRUE(life_->run_until("launched a"));
  ASSERT_TRUE(life_->run_until([this] { return has("stdout.2"); }));
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGKILL);
  life_->destroy_all({"a"});
}

INSTANTIATE_TEST_SUITE_P(WithAndWithout, OutputTest,
                         testing::Values(Cgroups::kUsed, Cgroups::kNone),
                         [](const testing::TestParamInfo<Cgroups>& mode) {
                           return mode.param == Cgroups::kUsed ? "Cgroups" : "NoCgroups";
                         });

}  // namespace
}  // namespace tepui
