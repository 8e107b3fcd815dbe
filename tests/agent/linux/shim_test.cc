// Goal: a shim is small, and it outlives its agent: what it watches over ends with a record, is
// taken up by the agent's next life, or is killed by it. Method: an agent's life in a process of
// its own that dies by SIGKILL.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "agent/linux/container_files.h"
#include "agent/linux/exit_record_file.h"
#include "agent/linux/files.h"
#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

bool eventually(const std::function<bool()>& done) {
  const Instant deadline = later(now().mono, std::chrono::seconds(30));
  while (!done()) {
    if (now().mono >= deadline) return false;
    constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&kMoment, nullptr);
  }
  return true;
}

class ShimTest : public testing::TestWithParam<Cgroups> {
 protected:
  void SetUp() override {
    CgroupPlace place{.mount_point = "/none", .base = "/none"};
    if (GetParam() == Cgroups::kUsed) {
      Result<CgroupPlace> writable = writable_cgroup_place();
      if (!writable.has_value()) GTEST_SKIP() << writable.error().message;
      place = *writable;
    }
    home_ = make_home(place);
  }
  void TearDown() override {
    if (home_.directory.empty()) return;
    {
      Life last(home_, GetParam());
      if (last.root() != nullptr) {
        EXPECT_TRUE(last.root()->kill_all_and_remove().has_value());
      }
    }
    remove_home(home_);
  }

  // A process that launches the command as container "a", says its pid, and is then killed as an
  // agent that crashes.
  int64_t launch_and_crash(const std::string& command) {
    int says[2];
    EXPECT_EQ(pipe2(says, O_CLOEXEC), 0);
    const pid_t agent = fork();
    if (agent == 0) {
      Life life(home_, GetParam());
      life.containers().launch(life.spec("a", command));
      if (!life.run_until("launched a")) _exit(1);
      const int64_t pid = life.owner.pids["a"];
      if (write(says[1], &pid, sizeof pid) != ssize_t{sizeof pid}) _exit(2);
      while (true) pause();
    }
    close(says[1]);
    int64_t pid = 0;
    EXPECT_EQ(read(says[0], &pid, sizeof pid), ssize_t{sizeof pid});
    close(says[0]);
    kill(agent, SIGKILL);
    waitpid(agent, nullptr, 0);
    return pid;
  }
  std::filesystem::path record() const { return home_.directory / "runtime" / "a" / "exit"; }

  AgentHome home_;
};

TEST_P(ShimTest, RecordsTheEndAlthoughItsAgentIsDead) {
  const std::string fifo = home_.directory / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int64_t pid = launch_and_crash("read word < " + fifo + "; echo $word; exit 5");
  ASSERT_GT(pid, 0);
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0) << "the command died with the agent";
  EXPECT_FALSE(std::filesystem::exists(record()));
  {
    std::ofstream(fifo) << "go\n";
  }
  ASSERT_TRUE(eventually([this] { return std::filesystem::exists(record()); }));
  Result<RecordedExit> exit = parse_exit_record(text_of(record()));
  ASSERT_TRUE(exit.has_value()) << exit.error().message;
  EXPECT_EQ(exit->record.exit_status, 5);
  EXPECT_EQ(exit->pid, pid);
  EXPECT_EQ(text_of(home_.directory / "work/frameworks/f/runs/a/stdout"), "go\n");
}

TEST_P(ShimTest, IsEndedWithItsTreeByTheNextLifeOfTheAgent) {
  const int64_t pid = launch_and_crash("setsid sleep 1000 & exec sleep 1000");
  ASSERT_GT(pid, 0);
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  {
    Life next(home_, GetParam());
    EXPECT_EQ(next.unknown_ended, 1);
    EXPECT_TRUE(eventually([pid] { return kill(static_cast<pid_t>(pid), 0) != 0; }));
    EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
    // The id of a container that was killed is as good as new.
    EXPECT_EQ(next.run(next.spec("a", "exit 6")).exit_status, 6);
    next.destroy_all({"a"});
  }
}

TEST_P(ShimTest, IsTakenUpByTheNextLifeOfTheAgent) {
  const std::string fifo = home_.directory / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int64_t pid = launch_and_crash("read word < " + fifo + "; echo $word >&2; exit 5");
  ASSERT_GT(pid, 0);
  Life next(home_, GetParam(), {"a"});
  EXPECT_EQ(next.unknown_ended, 0);
  next.containers().adopt(next.spec("a", ""));
  ASSERT_TRUE(next.run_until("launched a"));
  EXPECT_EQ(next.owner.pids["a"], pid);
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  {
    std::ofstream(fifo) << "go\n";
  }
  ASSERT_TRUE(next.run_until("exit a"));
  EXPECT_EQ(next.owner.exits["a"].exit_status, 5);
  EXPECT_EQ(next.owner.exits["a"].stderr_tail, "go");
  next.destroy_all({"a"});
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
}

TEST_P(ShimTest, ThatWasTakenUpIsKilledWithItsTree) {
  const int64_t pid = launch_and_crash("setsid sleep 1000 & exec sleep 1000");
  ASSERT_GT(pid, 0);
  Life next(home_, GetParam(), {"a"});
  next.containers().adopt(next.spec("a", ""));
  ASSERT_TRUE(next.run_until("launched a"));
  next.containers().kill({.value = "a"});
  ASSERT_TRUE(next.run_until("exit a"));
  EXPECT_EQ(next.owner.exits["a"].signal, SIGKILL);
  next.destroy_all({"a"});
}

TEST_P(ShimTest, ThatEndedWithoutAnAgentLeftTheTrueStatus) {
  ASSERT_GT(launch_and_crash("sleep 0.05; exit 9"), 0);
  ASSERT_TRUE(eventually([this] { return std::filesystem::exists(record()); }));
  Life next(home_, GetParam(), {"a"});
  next.containers().adopt(next.spec("a", ""));
  ASSERT_TRUE(next.run_until("exit a"));
  EXPECT_EQ(next.owner.events, (std::vector<std::string>{"launched a", "exit a"}));
  EXPECT_EQ(next.owner.exits["a"].exit_status, 9);
  next.destroy_all({"a"});
}

TEST_P(ShimTest, ThatNeverWasIsAbsentAndCanBeLaunched) {
  // What an agent leaves that dies just before it clones the shim.
  std::filesystem::create_directories(home_.directory / "runtime" / "a");
  if (GetParam() == Cgroups::kUsed) {
    std::filesystem::create_directories(home_.container_cgroup("a"));
  }
  Life next(home_, GetParam(), {"a"});
  next.containers().adopt(next.spec("a", ""));
  ASSERT_TRUE(next.run_until("absent a"));
  EXPECT_EQ(next.run(next.spec("a", "exit 6")).exit_status, 6);
  next.destroy_all({"a"});
}

TEST_P(ShimTest, WhoseLaunchFailedUnseenSaysSo) {
  std::filesystem::create_directories(home_.directory / "work");
  {
    Life first(home_, GetParam());
    LaunchSpec spec = first.spec("a", "/no/such/program");
    spec.command.shell = false;
    // The agent dies as soon as the shim is cloned: nobody reads the report.
    ContainerPlaces places{.work_dir = home_.directory / "work"};
    places.work = *open_directory_at(AT_FDCWD, places.work_dir);
    places.runtime = *open_directory_at(AT_FDCWD, home_.directory / "runtime");
    places.shim = kShimPath;
    places.cgroups = first.root();
    Result<StartedShim> shim = start_container(places, spec);
    ASSERT_TRUE(shim.has_value()) << shim.error().message;
  }
  Life next(home_, GetParam(), {"a"});
  LaunchSpec spec = next.spec("a", "/no/such/program");
  spec.command.shell = false;
  next.containers().adopt(spec);
  ASSERT_TRUE(next.run_until("failed a"));
  EXPECT_THAT(next.owner.errors["a"].message, testing::HasSubstr("/no/such/program"));
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
}

// The report outlives the shim; its pid may be anybody's by then.
TEST_P(ShimTest, WhosePidIsAnothersNowIsNotTakenForIt) {
  const int64_t pid = launch_and_crash("exec sleep 1000");
  ASSERT_GT(pid, 0);
  // The shim is killed: nobody is left to write a record, and its command goes on.
  const std::filesystem::path stat = "/proc/" + std::to_string(pid) + "/stat";
  std::istringstream fields(text_of(stat).substr(text_of(stat).rfind(')') + 2));
  std::string state;
  pid_t shim = 0;
  fields >> state >> shim;
  ASSERT_GT(shim, 1);
  ASSERT_EQ(kill(shim, SIGKILL), 0);
  // A stranger who holds the lock file of the dead shim, as one with its pid would seem to.
  int says[2];
  ASSERT_EQ(pipe2(says, O_CLOEXEC), 0);
  const std::string lock = home_.directory / "runtime" / "a" / "shim";
  const pid_t stranger = fork();
  if (stranger == 0) {
    const int file = open(lock.c_str(), O_RDWR);
    struct flock whole{};
    whole.l_type = F_WRLCK;
    while (fcntl(file, F_SETLK, &whole) != 0) usleep(1000);
    if (write(says[1], "x", 1) != 1) _exit(2);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(says[0], &byte, 1), 1);
  {
    Life next(home_, GetParam(), {"a"});
    next.containers().adopt(next.spec("a", ""));
    ASSERT_TRUE(next.run_until("exit a"));
    EXPECT_FALSE(next.owner.exits["a"].exit_status.has_value());
    EXPECT_FALSE(next.owner.exits["a"].signal.has_value());
    next.containers().kill({.value = "a"});
    next.destroy_all({"a"});
  }
  EXPECT_EQ(kill(stranger, 0), 0) << "a stranger was killed";
  kill(stranger, SIGKILL);
  waitpid(stranger, nullptr, 0);
  close(says[0]);
  close(says[1]);
  if (GetParam() == Cgroups::kUsed) {
    EXPECT_TRUE(eventually([pid] { return kill(static_cast<pid_t>(pid), 0) != 0; }))
        << "the cgroup of the container was not emptied";
  } else {
    kill(static_cast<pid_t>(pid), SIGKILL);
  }
}

TEST_P(ShimTest, TakesLittleMemory) {
  Life life(home_, GetParam());
  LaunchSpec spec = life.spec("a", "cat /proc/$PPID/smaps_rollup; echo ready; read x < /dev/zero");
  spec.environment.push_back({"BIG", std::string(100'000, 'x')});
  life.containers().launch(spec);
  const std::filesystem::path output = life.sandbox("a") / "stdout";
  ASSERT_TRUE(life.run_until([&output] { return text_of(output).ends_with("ready\n"); }));
  int64_t private_kb = 0;
  std::istringstream lines(text_of(output));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Private_")) private_kb += std::stol(line.substr(line.find(':') + 1));
    if (line.starts_with("Pss:")) RecordProperty("pss_kb", line.substr(line.find(':') + 1));
  }
  RecordProperty("private_kb", std::to_string(private_kb));
  EXPECT_GT(private_kb, 0);
  EXPECT_LT(private_kb, 400);
  life.containers().kill({.value = "a"});
  ASSERT_TRUE(life.run_until("exit a"));
  life.destroy_all({"a"});
  if (life.root() != nullptr) {
    EXPECT_TRUE(life.root()->kill_all_and_remove().has_value());
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithout, ShimTest, testing::Values(Cgroups::kUsed, Cgroups::kNone),
                         [](const testing::TestParamInfo<Cgroups>& mode) {
                           return mode.param == Cgroups::kUsed ? "Cgroups" : "NoCgroups";
                         });

}  // namespace
}  // namespace tepui
