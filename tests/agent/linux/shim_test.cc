// Goal: a shim is small, and it outlives its agent: what it watches over ends with a record, or is
// killed by the agent's next life. Method: an agent's life in a process of its own that dies by
// SIGKILL.

#include <sys/wait.h>

#include <csignal>

#include "agent/linux/exit_record_file.h"
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
    if (next.root() != nullptr) {
      EXPECT_EQ(next.root()->leftovers(), 1);
    }
    EXPECT_TRUE(eventually([pid] { return kill(static_cast<pid_t>(pid), 0) != 0; }));
    EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
    // The id of a container that was killed is as good as new.
    EXPECT_EQ(next.run(next.spec("a", "exit 6")).exit_status, 6);
    next.destroy_all({"a"});
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
