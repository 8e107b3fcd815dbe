// Goal: the agent's subtree holds what it promises, on the kernel of this machine. Method: real
// cgroups below a name of this test, with real processes in them. Skips where the machine has no
// cgroup v2 that this user may write.

#include "agent/linux/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>

#include "agent/linux/clone_into.h"
#include "agent/linux/files.h"
#include "tests/agent/linux/cgroup_sweep.h"

namespace tepui {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupFacts> facts = read_cgroup_facts();
    ASSERT_TRUE(facts.has_value()) << facts.error().message;
    Result<CgroupPlace> place = choose_cgroup_place(*facts);
    if (!place.has_value()) GTEST_SKIP() << place.error().message;
    place_ = *place;
    if (access(place_.base.c_str(), W_OK) != 0) GTEST_SKIP() << "cannot write " << place_.base;
    name_ = "tepui-test-" + std::to_string(getpid()) + "/agent";
  }
  void TearDown() override {
    if (name_.empty()) return;
    for (pid_t pid : children_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    const std::string top = place_.base + "/" + name_.substr(0, name_.find('/'));
    EXPECT_NE(access(top.c_str(), F_OK), 0) << "the subtree was left behind";
    sweep_cgroup(top);
  }

  std::unique_ptr<CgroupRoot> create() {
    Result<std::unique_ptr<CgroupRoot>> root = CgroupRoot::create(place_, name_, {});
    EXPECT_TRUE(root.has_value()) << root.error().message;
    return root.has_value() ? *std::move(root) : nullptr;
  }
  std::string path(const std::string& below) { return place_.base + "/" + name_ + "/" + below; }

  // A process that waits for a signal, born in the cgroup.
  pid_t start_sleeper(int cgroup) {
    int closed[2];
    EXPECT_EQ(pipe2(closed, O_CLOEXEC), 0);
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
    auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid == 0) {
      // It executes nothing, so it must let go of the subtree's lock by hand, and of the pipe.
      close_range(3, ~0U, 0);
      while (true) pause();
    }
    EXPECT_GT(pid, 0) << errno;
    children_.push_back(pid);
    close(closed[1]);
    char nothing = 0;
    EXPECT_EQ(read(closed[0], &nothing, 1), 0);
    close(closed[0]);
    return pid;
  }

  CgroupPlace place_;
  std::string name_;
  std::vector<pid_t> children_;
};

TEST_F(CgroupTest, KillsAndRemovesAContainerWithAllThatItMade) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  Result<Fd> cgroup = root->create_container("one", {});
  ASSERT_TRUE(cgroup.has_value()) << cgroup.error().message;
  Result<Fd> below = make_directories_at(cgroup->get(), "made/by/it", 0755);
  ASSERT_TRUE(below.has_value());
  start_sleeper(cgroup->get());
  start_sleeper(below->get());
  EXPECT_FALSE(wait_until_empty(cgroup->get(), 1ms).value_or(true));
  Result<bool> removed = root->remove_container("one", 5s);
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_TRUE(*removed);
  EXPECT_NE(access(path("container-one").c_str(), F_OK), 0);
  EXPECT_TRUE(root->remove_container("one", 1s).value_or(false)) << "twice is as good as once";
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

// The errno of opening the file in a process of the cgroup, 0 for success.
int open_in(int cgroup, const char* file, int flags) {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<uint64_t>(cgroup);
  const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  if (pid == 0) _exit(open(file, flags | O_CLOEXEC) >= 0 ? 0 : errno);
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST_F(CgroupTest, DeniesDevicesThatNoRuleAllows) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  if (Result<void> usable = root->try_devices(); !usable) {
    EXPECT_TRUE(root->kill_all_and_remove().has_value());
    GTEST_SKIP() << usable.error().message;
  }
  const IsolationPlan plan = {{"devices", "devices.allow", "b 1:3 rwm"},
                              {"devices", "devices.allow", "c 1:3 rw"},
                              {"devices", "devices.allow", "c 1:5 r"},
                              {"devices", "devices.allow", "c *:9 r"}};
  {
    const Fd cgroup = root->create_container("one", plan).value();
    EXPECT_EQ(open_in(cgroup.get(), "/dev/null", O_RDWR), 0);
    EXPECT_EQ(open_in(cgroup.get(), "/dev/zero", O_RDONLY), 0);
    EXPECT_EQ(open_in(cgroup.get(), "/dev/zero", O_WRONLY), EPERM);
    EXPECT_EQ(open_in(cgroup.get(), "/dev/urandom", O_RDONLY), 0) << "of any major number";
    EXPECT_EQ(open_in(cgroup.get(), "/dev/random", O_RDONLY), EPERM);
    const Fd free = root->create_container("two", {}).value();
    EXPECT_EQ(open_in(free.get(), "/dev/random", O_RDONLY), 0) << "where there are no rules";
  }
  const Result<Fd> refused =
      root->create_container("three", {{"devices", "devices.allow", "everything"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("'everything' is no rule"));
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, KillsAContainerAndKeepsItsCgroup) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  Result<Fd> cgroup = root->create_container("one", {});
  ASSERT_TRUE(cgroup.has_value());
  const pid_t pid = start_sleeper(cgroup->get());
  ASSERT_TRUE(root->kill_container("one").has_value());
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  children_.clear();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(access(path("container-one").c_str(), F_OK), 0);
  EXPECT_FALSE(root->kill_container("two").has_value());
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, NeverReusesAContainersCgroup) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  ASSERT_TRUE(root->create_container("one", {}).has_value());
  Result<Fd> again = root->create_container("one", {});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, EEXIST);
  EXPECT_THAT(again.error().message, HasSubstr("EEXIST"));
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, WritesThePlanAndLeavesNothingWhenItCannot) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  Result<Fd> good = root->create_container(
      "good", {{.controller = "", .file = "cgroup.max.depth", .value = "3"}});
  ASSERT_TRUE(good.has_value()) << good.error().message;
  EXPECT_EQ(read_file_at(good->get(), "cgroup.max.depth").value_or(""), "3\n");
  Result<Fd> bad = root->create_container(
      "bad", {{.controller = "", .file = "cgroup.max.depth", .value = "tall"}});
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("writing \"tall\" to cgroup.max.depth: EINVAL"));
  EXPECT_NE(access(path("container-bad").c_str(), F_OK), 0);
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, RefusesASubtreeInWhichAnotherAgentLives) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  Result<std::unique_ptr<CgroupRoot>> second = CgroupRoot::create(place_, name_, {});
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("another agent lives in the cgroup"));
  EXPECT_EQ(access(path("shims-1").c_str(), F_OK), 0) << "the first one's work is untouched";
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, FindsWhatAnEarlierLifeLeftAndKillsOnlyWhatItIsTold) {
  auto stranger = make_directories_at(open_directory_at(AT_FDCWD, place_.base)->get(),
                                      name_.substr(0, name_.find('/')) + "/stranger", 0755);
  ASSERT_TRUE(stranger.has_value());
  const pid_t outside = start_sleeper(stranger->get());
  pid_t left = -1;
  {
    auto earlier = create();
    ASSERT_NE(earlier, nullptr);
    Result<Fd> cgroup = earlier->create_container("left", {});
    ASSERT_TRUE(cgroup.has_value());
    left = start_sleeper(cgroup->get());
  }
  auto root = create();
  ASSERT_NE(root, nullptr);
  EXPECT_EQ(*root->containers(), std::vector<std::string>{"left"});
  int status = 0;
  EXPECT_EQ(waitpid(left, &status, WNOHANG), 0) << "what was left is killed unasked";
  EXPECT_TRUE(root->remove_container("left", 5s).value_or(false));
  EXPECT_EQ(waitpid(left, &status, WNOHANG), left);
  EXPECT_EQ(waitpid(outside, &status, WNOHANG), 0) << "a stranger was killed";
  // The cgroup that was killed is gone; a fresh one of the same name bears processes that live.
  Result<Fd> fresh = root->create_container("left", {});
  ASSERT_TRUE(fresh.has_value());
  const pid_t reborn = start_sleeper(fresh->get());
  EXPECT_FALSE(wait_until_empty(fresh->get(), 20ms).value_or(true));
  EXPECT_EQ(waitpid(reborn, &status, WNOHANG), 0);
  kill(outside, SIGKILL);
  EXPECT_TRUE(wait_until_empty(stranger->get(), 5s).value_or(false));
  rmdir((place_.base + "/" + name_.substr(0, name_.find('/')) + "/stranger").c_str());
  EXPECT_TRUE(root->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, ALifeThatLeavesRemovesOnlyWhatIsEmpty) {
  auto root = create();
  ASSERT_NE(root, nullptr);
  Result<Fd> cgroup = root->create_container("stays", {});
  ASSERT_TRUE(cgroup.has_value());
  const pid_t stays = start_sleeper(cgroup->get());
  const pid_t shim = start_sleeper(root->shims());
  root->remove_if_empty();
  root.reset();
  int status = 0;
  EXPECT_EQ(waitpid(stays, &status, WNOHANG), 0);
  // The next one's shims are born in a cgroup that never was killed.
  root = create();
  ASSERT_NE(root, nullptr);
  EXPECT_TRUE(std::filesystem::exists(root->path() + "/shims-1"));
  EXPECT_TRUE(std::filesystem::exists(root->path() + "/shims-2"));
  EXPECT_TRUE(root->remove_container("stays", 5s).value_or(false));
  kill(shim, SIGKILL);
  waitpid(shim, &status, 0);
  waitpid(stays, &status, 0);
  const std::string path = root->path();
  root->remove_if_empty();
  root.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(CgroupTest, EnablesOnlyControllersThatAreThere) {
  Result<std::unique_ptr<CgroupRoot>> root =
      CgroupRoot::create(place_, name_, {"pids", "no-such-controller"});
  ASSERT_TRUE(root.has_value()) << root.error().message;
  for (const std::string& controller : (*root)->controllers()) EXPECT_EQ(controller, "pids");
  std::string offered =
      read_file_at(AT_FDCWD, path("shims/cgroup.controllers")).value_or("unreadable");
  EXPECT_EQ(offered.find("pids") != std::string::npos, !(*root)->controllers().empty());
  EXPECT_TRUE((*root)->kill_all_and_remove().has_value());
}

TEST_F(CgroupTest, WithoutRightsIsRefusedWithTheReason) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(3);
    Result<std::unique_ptr<CgroupRoot>> root = CgroupRoot::create(place_, name_, {});
    if (root.has_value()) _exit(1);
    _exit(root.error().code == EACCES ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(FlatKeyedFile, AnswersTheValueOfAWholeKey) {
  EXPECT_EQ(flat_keyed_value("oom 3\noom_kill 12\n", "oom_kill"), 12);
  EXPECT_EQ(flat_keyed_value("oom_kill 12\noom 3\n", "oom"), 3);
  EXPECT_EQ(flat_keyed_value("populated 1", "populated"), 1);
  EXPECT_EQ(flat_keyed_value("populated 1", "frozen"), 0);
  EXPECT_EQ(flat_keyed_value("", "frozen"), 0);
  EXPECT_EQ(flat_keyed_value("frozen\n", "frozen"), 0);
}

}  // namespace
}  // namespace tepui
