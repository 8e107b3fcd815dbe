// Goal: a command runs as its specification says and its end is told truly, on the kernel of this
// machine. Method: real commands through the real shim, with cgroups and without.

#include "agent/linux/containers.h"

#include <sched.h>
#include <sys/mount.h>

#include <csignal>

#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

bool is_alive(int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0; }

std::vector<int64_t> numbers_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<int64_t> numbers;
  for (int64_t number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

TEST_P(ContainersTest, TellTheExitStatusOrTheSignal) {
  EXPECT_EQ(life_->run(life_->spec("a", "true")).exit_status, 0);
  EXPECT_EQ(life_->run(life_->spec("b", "false")).exit_status, 1);
  EXPECT_EQ(life_->run(life_->spec("c", "exit 77")).exit_status, 77);
  ExitRecord killed = life_->run(life_->spec("d", "kill -KILL $$"));
  EXPECT_EQ(killed.signal, SIGKILL);
  EXPECT_FALSE(killed.exit_status.has_value());
  ExitRecord terminated = life_->run(life_->spec("e", "kill -TERM $$"));
  EXPECT_EQ(terminated.signal, SIGTERM);
  EXPECT_FALSE(terminated.oom_killed);
  EXPECT_GT(terminated.memory_peak_bytes, 0);
  life_->destroy_all({"a", "b", "c", "d", "e"});
}

TEST_P(ContainersTest, TellTheWholeLifeInOrder) {
  life_->run(life_->spec("a", "true"));
  life_->destroy_all({"a"});
  EXPECT_THAT(life_->owner.events, ElementsAre("launched a", "exit a", "destroyed a"));
  EXPECT_GT(life_->owner.pids["a"], 0);
  EXPECT_EQ(life_->containers().size(), 0u);
}

TEST_P(ContainersTest, GiveTheEnvironmentExactly) {
  LaunchSpec spec = life_->spec("a", "/usr/bin/env");
  spec.command.shell = false;
  spec.environment = {{"A", "1"}, {"EMPTY", ""}, {"B", "two words = one \"value\""}};
  EXPECT_EQ(life_->run(spec).exit_status, 0);
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"), "A=1\nEMPTY=\nB=two words = one \"value\"\n");
  life_->destroy_all({"a"});
}

TEST_P(ContainersTest, KeepOutputAndErrorsApartInTheSandbox) {
  ExitRecord record = life_->run(life_->spec("a", "echo out; echo 1 >&2; echo 2 >&2; exit 3"));
  EXPECT_EQ(record.exit_status, 3);
  EXPECT_EQ(record.stderr_tail, "1\n2");
  life_->destroy_all({"a"});
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"), "out\n");
  EXPECT_EQ(text_of(life_->sandbox("a") / "stderr"), "1\n2\n");
}

TEST_P(ContainersTest, RunInTheirSandboxOrWhereTheyAreTold) {
  life_->run(life_->spec("a", "pwd"));
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"), life_->sandbox("a").string() + "\n");
  LaunchSpec elsewhere = life_->spec("b", "pwd");
  elsewhere.command.working_directory = "/usr";
  life_->run(elsewhere);
  EXPECT_EQ(text_of(life_->sandbox("b") / "stdout"), "/usr\n");
  life_->destroy_all({"a", "b"});
}

TEST_P(ContainersTest, LeadASessionOfTheirOwnWithNothingInherited) {
  life_->run(life_->spec("a",
                         "ps -o pid=,sid=,pgid= -p $$; ls -l /proc/self/fd | wc -l; "
                         "grep -E 'SigBlk|SigIgn' /proc/self/status"));
  std::istringstream text(text_of(life_->sandbox("a") / "stdout"));
  int64_t pid = 0;
  int64_t session = 0;
  int64_t group = 0;
  int lines = 0;
  text >> pid >> session >> group >> lines;
  EXPECT_EQ(pid, life_->owner.pids["a"]);
  EXPECT_EQ(session, pid);
  EXPECT_EQ(group, pid);
  EXPECT_EQ(lines, 5) << "a total, three descriptors, and the directory that is listed";
  EXPECT_THAT(text.str(), HasSubstr("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000"));
  life_->destroy_all({"a"});
}

TEST_P(ContainersTest, FindAProgramInThePathOfTheTask) {
  LaunchSpec spec = life_->spec("a", "true");
  spec.command.shell = false;
  spec.environment = {{"PATH", "/does/not/exist:/etc/passwd:/usr/bin"}};
  EXPECT_EQ(life_->run(spec).exit_status, 0);
  LaunchSpec missing = life_->spec("b", "true");
  missing.command.shell = false;
  missing.environment = {{"PATH", "/does/not/exist"}};
  EXPECT_THAT(life_->run_to_failure(missing).message, HasSubstr("executing \"true\": ENOENT"));
  life_->destroy_all({"a"});
}

TEST_P(ContainersTest, SayWhyACommandCouldNotBeStarted) {
  LaunchSpec program = life_->spec("a", "/no/such/program");
  program.command.shell = false;
  Error error = life_->run_to_failure(program);
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_THAT(error.message, HasSubstr("\"/no/such/program\": ENOENT (No such file"));
  LaunchSpec forbidden = life_->spec("b", "/etc/passwd");
  forbidden.command.shell = false;
  EXPECT_EQ(life_->run_to_failure(forbidden).code, EACCES);
  LaunchSpec directory = life_->spec("c", "true");
  directory.command.working_directory = "nowhere";
  EXPECT_THAT(life_->run_to_failure(directory).message,
              HasSubstr("entering the working directory \"nowhere\": ENOENT"));
  LaunchSpec zero = life_->spec("d", "true");
  zero.environment = {{"A", std::string("\0", 1)}};
  EXPECT_THAT(life_->run_to_failure(zero).message, HasSubstr("zero byte"));
  LaunchSpec user = life_->spec("e", "true");
  user.command.user = "no-such-user";
  EXPECT_THAT(life_->run_to_failure(user).message, HasSubstr("no user \"no-such-user\""));
  EXPECT_THAT(life_->owner.events,
              ElementsAre("failed a", "failed b", "failed c", "failed d", "failed e"));
  EXPECT_EQ(life_->containers().size(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    EXPECT_FALSE(std::filesystem::exists(home_.container_cgroup(id)));
  }
}

TEST_P(ContainersTest, RunAsTheUserOfTheTask) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  LaunchSpec spec = life_->spec("a", "id -u; id -G; echo mine > file; cat /proc/self/loginuid");
  spec.command.user = "nobody";
  EXPECT_EQ(life_->run(spec).exit_status, 0);
  EXPECT_THAT(text_of(life_->sandbox("a") / "stdout"), StartsWith("65534\n65534\n"));
  EXPECT_EQ(text_of(life_->sandbox("a") / "file"), "mine\n");
  struct stat status{};
  ASSERT_EQ(stat((life_->sandbox("a") / "stderr").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534u);
  LaunchSpec forbidden = life_->spec("b", "cat /etc/shadow");
  forbidden.command.user = "nobody";
  EXPECT_NE(life_->run(forbidden).exit_status, 0);
  life_->destroy_all({"a", "b"});
}

TEST_P(ContainersTest, DoNotPassOffAnotherFileAsErrors) {
  ExitRecord record = life_->run(life_->spec("a", "rm stderr; ln -s /etc/passwd stderr; exit 1"));
  EXPECT_EQ(record.exit_status, 1);
  EXPECT_EQ(record.stderr_tail, "");
  ExitRecord hard =
      life_->run(life_->spec("b", "echo secret > other; rm stderr; ln other stderr; exit 1"));
  EXPECT_EQ(hard.stderr_tail, "");
  life_->destroy_all({"a", "b"});
}

TEST_P(ContainersTest, PassASignalToTheCommandsGroup) {
  life_->containers().launch(
      life_->spec("a", "trap 'exit 42' TERM; echo ready; while true; do read x; done <stdout"));
  ASSERT_TRUE(
      life_->run_until([this] { return text_of(life_->sandbox("a") / "stdout") == "ready\n"; }));
  ASSERT_TRUE(life_->run_until("launched a"));
  life_->containers().signal({.value = "a"}, SIGTERM);
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].exit_status, 42);
  life_->containers().signal({.value = "a"}, SIGTERM);
  life_->containers().signal({.value = "nobody knows it"}, SIGTERM);
  life_->destroy_all({"a"});
}

// Each process leaves the session and ignores SIGTERM, so that neither a hangup nor a signal to the
// group reaches it.
constexpr const char* kStubbornTree =
    "trap '' TERM; i=0; while [ $i -lt 50 ]; do "
    "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & i=$((i+1)); done; "
    "while [ $(wc -l < pids) -lt 50 ]; do sleep 0.01; done; echo ready; wait";

TEST_P(ContainersTest, AreKilledWithTheirWholeTree) {
  life_->containers().launch(life_->spec("a", kStubbornTree));
  ASSERT_TRUE(
      life_->run_until([this] { return text_of(life_->sandbox("a") / "stdout") == "ready\n"; }));
  ASSERT_TRUE(life_->run_until("launched a"));
  std::vector<int64_t> tree = numbers_in(life_->sandbox("a") / "pids");
  ASSERT_EQ(tree.size(), 50u);
  life_->containers().signal({.value = "a"}, SIGTERM);
  for (int64_t pid : tree) EXPECT_TRUE(is_alive(pid));
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGKILL);
  life_->destroy_all({"a"});
  for (int64_t pid : tree) {
    EXPECT_TRUE(life_->run_until([pid] { return !is_alive(pid); })) << pid;
  }
}

TEST_P(ContainersTest, EndWithTheCommandAndLeaveNothingOfItsTreeWhenDestroyed) {
  ExitRecord record = life_->run(life_->spec("a",
                                             "setsid sh -c 'echo $$ > pids; exec sleep 1000' & "
                                             "while [ ! -s pids ]; do sleep 0.01; done; exit 4"));
  EXPECT_EQ(record.exit_status, 4);
  std::vector<int64_t> left = numbers_in(life_->sandbox("a") / "pids");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(is_alive(left[0]), GetParam() == Cgroups::kUsed) << "the shim has to bury it itself";
  life_->destroy_all({"a"});
  EXPECT_TRUE(life_->run_until([&left] { return !is_alive(left[0]); }));
  EXPECT_FALSE(std::filesystem::exists(home_.container_cgroup("a")));
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
  EXPECT_TRUE(std::filesystem::exists(life_->sandbox("a") / "stdout"));
}

TEST_P(ContainersTest, AreKilledEvenWhenTheyHaveNotStartedYet) {
  life_->containers().launch(life_->spec("a", "exec sleep 1000"));
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGKILL);
  EXPECT_THAT(life_->owner.events, ElementsAre("launched a", "exit a"));
  life_->destroy_all({"a"});
}

TEST_P(ContainersTest, EndFirstWhenTheyAreDestroyedAlive) {
  life_->containers().launch(life_->spec("a", "exec sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  life_->destroy_all({"a"});
  EXPECT_THAT(life_->owner.events, ElementsAre("launched a", "exit a", "destroyed a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGKILL);
}

TEST_P(ContainersTest, AnswerTheDestructionOfWhatIsNotThere) {
  life_->containers().destroy({.value = "x"});
  EXPECT_TRUE(life_->owner.events.empty()) << "never from inside the verb";
  life_->containers().kill({.value = "x"});
  ASSERT_TRUE(life_->run_until("destroyed x"));
}

TEST_P(ContainersTest, LiveSideBySideInGreatNumber) {
  constexpr int kCount = 60;
  std::vector<std::string> ids;
  for (int i = 0; i < kCount; ++i) {
    ids.push_back("c" + std::to_string(i));
    life_->containers().launch(life_->spec(ids.back(), "exit " + std::to_string(i)));
  }
  EXPECT_EQ(life_->containers().size(), ids.size());
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(life_->run_until("exit " + ids[static_cast<size_t>(i)]));
    EXPECT_EQ(life_->owner.exits[ids[static_cast<size_t>(i)]].exit_status, i);
  }
  life_->destroy_all(ids);
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
}

TEST_P(ContainersTest, FailToLaunchOnAFullDiskAndTheNextOneIsFine) {
  // A mount of this thread, and of those it starts from now on: nothing stays of it, whatever
  // happens.
  life_.reset();
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  life_ = std::make_unique<Life>(home_, GetParam());
  const std::filesystem::path small = home_.directory / "work" / "small";
  std::filesystem::create_directory(small);
  ASSERT_EQ(mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k,nr_inodes=3"), 0);
  LaunchSpec spec = life_->spec("a", "true");
  spec.sandbox = "small/runs/a";
  Error error = life_->run_to_failure(spec);
  EXPECT_EQ(error.code, ENOSPC);
  EXPECT_THAT(error.message, HasSubstr("preparing the sandbox small/runs/a: creating "));
  EXPECT_THAT(error.message, HasSubstr("ENOSPC (No space left on device)"));
  EXPECT_EQ(life_->run(life_->spec("b", "true")).exit_status, 0);
  life_->destroy_all({"b"});
  EXPECT_EQ(umount(small.c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithout, ContainersTest,
                         testing::Values(Cgroups::kUsed, Cgroups::kNone),
                         [](const testing::TestParamInfo<Cgroups>& mode) {
                           return mode.param == Cgroups::kUsed ? "Cgroups" : "NoCgroups";
                         });

TEST(ContainersInCgroups, AreBornThereAndTheirShimsAreNot) {
  Result<CgroupPlace> place = writable_cgroup_place();
  if (!place.has_value()) GTEST_SKIP() << place.error().message;
  AgentHome home = make_home(*place);
  {
    Life life(home, Cgroups::kUsed);
    LaunchSpec spec = life.spec(
        "a", "cat /proc/self/cgroup; cat /proc/$PPID/cgroup >&2; cat /proc/$PPID/comm >&2");
    spec.plan = {{.controller = "", .file = "cgroup.max.descendants", .value = "7"}};
    EXPECT_EQ(life.run(spec).exit_status, 0);
    EXPECT_THAT(text_of(life.sandbox("a") / "stdout"),
                HasSubstr("/" + home.cgroup_name + "/container-a\n"));
    EXPECT_THAT(text_of(life.sandbox("a") / "stderr"),
                HasSubstr("/" + home.cgroup_name + "/shims-1\n"));
    EXPECT_THAT(text_of(life.sandbox("a") / "stderr"), HasSubstr("tepui-shim"));
    EXPECT_EQ(text_of(home.container_cgroup("a") + "/cgroup.max.descendants"), "7\n");
    LaunchSpec refused = life.spec("b", "true");
    refused.plan = {{.controller = "", .file = "cgroup.max.descendants", .value = "many"}};
    EXPECT_THAT(life.run_to_failure(refused).message,
                HasSubstr("writing \"many\" to cgroup.max.descendants: EINVAL"));
    life.destroy_all({"a"});
    EXPECT_TRUE(life.root()->kill_all_and_remove().has_value());
  }
  EXPECT_FALSE(std::filesystem::exists(home.cgroup_top()));
  remove_home(home);
}

TEST(ContainersInCgroups, SayWhenTheyCannotBeResized) {
  Result<CgroupPlace> place = writable_cgroup_place();
  if (!place.has_value()) GTEST_SKIP() << place.error().message;
  AgentHome home = make_home(*place);
  {
    Life life(home, Cgroups::kUsed);
    life.containers().launch(life.spec("a", "exec sleep 1000"));
    ASSERT_TRUE(life.run_until("launched a"));
    const std::string file = home.container_cgroup("a") + "/cgroup.max.descendants";
    life.containers().resize({.value = "a"}, {{"", "cgroup.max.descendants", "7"}});
    ASSERT_TRUE(life.run_until([&file] { return text_of(file) == "7\n"; }));
    // The first file of the plan is written, the second is refused.
    life.containers().resize(
        {.value = "a"}, {{"", "cgroup.max.descendants", "8"}, {"", "cgroup.max.depth", "many"}});
    ASSERT_TRUE(life.run_until("not resized a"));
    EXPECT_THAT(life.owner.errors["a"].message,
                HasSubstr("writing \"many\" to container-a/cgroup.max.depth: EINVAL"));
    EXPECT_EQ(text_of(file), "8\n");
    life.containers().kill({.value = "a"});
    ASSERT_TRUE(life.run_until("exit a"));
    life.destroy_all({"a"});
    EXPECT_THAT(life.owner.events,
                ElementsAre("launched a", "not resized a", "exit a", "destroyed a"));
    EXPECT_TRUE(life.root()->kill_all_and_remove().has_value());
  }
  remove_home(home);
}

// A program in the place of the shim that comes so far, and dies before it says anything.
std::string dying_shim(const AgentHome& home, const std::string& last_words) {
  const std::string path = home.directory / "dying-shim";
  std::ofstream(path) << "#!/bin/sh\n" << last_words << "\n";
  chmod(path.c_str(), 0700);
  return path;
}

TEST(Containers, WhoseShimDiesBeforeItCanLaunchAnythingFail) {
  AgentHome home = make_home({});
  {
    Life life(home, Cgroups::kNone, {}, nullptr, {}, dying_shim(home, "exit 1"));
    EXPECT_THAT(life.run_to_failure(life.spec("a", "true")).message,
                HasSubstr("before it could say anything"));
    EXPECT_EQ(life.containers().size(), 0u);
    EXPECT_TRUE(std::filesystem::is_empty(home.directory / "runtime"));
  }
  remove_home(home);
}

// Otherwise an agent that dies before it has remembered the failure would launch it again.
TEST(Containers, WhoseShimDiesWithoutAWordMayHaveRunAndStayUntilDestroyed) {
  AgentHome home = make_home({});
  const std::string lock = home.directory / "runtime/a/shim";
  {
    Life life(home, Cgroups::kNone, {}, nullptr, {}, dying_shim(home, ": >" + lock));
    const ExitRecord record = life.run(life.spec("a", "true"));
    EXPECT_FALSE(record.exit_status.has_value());
    EXPECT_FALSE(record.signal.has_value());
    EXPECT_THAT(life.owner.events, ElementsAre("exit a"));
    EXPECT_TRUE(std::filesystem::exists(lock));
  }
  {
    // A next life finds it ended, and not absent.
    Life life(home, Cgroups::kNone, {"a"});
    life.containers().adopt(life.spec("a", "true"));
    ASSERT_TRUE(life.run_until("exit a"));
    life.destroy_all({"a"});
    EXPECT_THAT(life.owner.events, ElementsAre("exit a", "destroyed a"));
    EXPECT_TRUE(std::filesystem::is_empty(home.directory / "runtime"));
  }
  remove_home(home);
}

// As a check's command runs beside the command of its task.
TEST_P(ContainersTest, CanHaveOthersInsideThatShareTheirSandbox) {
  life_->containers().launch(life_->spec("outer", "echo here > note; exec sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched outer"));
  LaunchSpec inner = life_->spec("inner", "until test -s note; do :; done; cat note; exit 5");
  inner.parent.value = "outer";
  inner.sandbox = life_->spec("outer", "").sandbox;
  EXPECT_EQ(life_->run(inner).exit_status, 5);
  life_->destroy_all({"inner"});
  EXPECT_EQ(text_of(life_->sandbox("outer") / "stdout"), "here\n");
  // What is still inside ends with it.
  LaunchSpec lasting = life_->spec("lasting", "exec sleep 1000");
  lasting.parent.value = "outer";
  life_->containers().launch(lasting);
  ASSERT_TRUE(life_->run_until("launched lasting"));
  life_->containers().kill({.value = "outer"});
  ASSERT_TRUE(life_->run_until("exit outer"));
  if (GetParam() == Cgroups::kNone) life_->containers().kill({.value = "lasting"});
  ASSERT_TRUE(life_->run_until("exit lasting"));
  EXPECT_EQ(life_->owner.exits["lasting"].signal, 9);
  life_->destroy_all({"outer", "lasting"});
}

// As the tasks of a group.
TEST_P(ContainersTest, CanBeInsideOneThatIsOnlyThereForThem) {
  const auto member = [this](const std::string& id) {
    LaunchSpec spec = life_->spec(id, "exec sleep 1000");
    spec.parent.value = "group";
    spec.makes_parent = true;
    return spec;
  };
  const bool has_cgroups = GetParam() == Cgroups::kUsed;
  for (const char* id : {"a", "b"}) life_->containers().launch(member(id));
  ASSERT_TRUE(life_->run_until("launched a") && life_->run_until("launched b"));
  const std::filesystem::path group = home_.container_cgroup("group");
  EXPECT_EQ(std::filesystem::exists(group / "container-a"), has_cgroups);
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"a"});
  EXPECT_EQ(std::filesystem::exists(group / "container-b"), has_cgroups);
  EXPECT_FALSE(life_->owner.saw("exit b")) << "only one of them was killed";
  life_->containers().kill({.value = "b"});
  ASSERT_TRUE(life_->run_until("exit b"));
  life_->destroy_all({"b"});
  EXPECT_FALSE(std::filesystem::exists(group));
  // A next one finds a fresh one.
  life_->containers().launch(member("c"));
  ASSERT_TRUE(life_->run_until("launched c"));
  life_->containers().kill({.value = "c"});
  ASSERT_TRUE(life_->run_until("exit c"));
  life_->destroy_all({"c"});
}

TEST_P(ContainersTest, MayHaveASandboxThatIsAFileSystemOfItsOwn) {
  const auto images = DiskImages::create(home_.directory / "work");
  if (!images) GTEST_SKIP() << images.error().message;
  const IsolationPlan plan = {{"disk/image", "disk.image", "8388608"}};
  {
    life_ = nullptr;
    Life life(home_, GetParam(), {}, images->get());
    LaunchSpec full = life.spec("full", "echo begins; head -c 20000000 /dev/zero >filler");
    full.plan = plan;
    EXPECT_NE(life.run(full).exit_status, 0);
    EXPECT_LT(std::filesystem::file_size(life.sandbox("full") / "filler"), 8'388'608u);
    life.destroy_all({"full"});
    EXPECT_EQ(text_of(life.sandbox("full") / "stdout"), "begins\n") << "is still to be read";
    EXPECT_FALSE(std::filesystem::exists(life.sandbox("full") / "filler"));
    LaunchSpec failing = life.spec("failing", "/nonesuch");
    failing.command.shell = false;
    failing.plan = plan;
    EXPECT_EQ(life.run_to_failure(failing).code, ENOENT);
    EXPECT_FALSE(std::filesystem::exists(home_.directory / "work/disks/failing"));
    LaunchSpec going = life.spec("going", "exec sleep 1000");
    going.plan = plan;
    life.containers().launch(going);
    ASSERT_TRUE(life.run_until("launched going"));
  }
  // A next life, which would make no images, removes this one.
  const auto left = DiskImages::left_in(home_.directory / "work");
  ASSERT_NE(left, nullptr);
  life_ = std::make_unique<Life>(home_, GetParam(), std::set<std::string>{"going"}, left.get());
  LaunchSpec going = life_->spec("going", "exec sleep 1000");
  going.plan = plan;
  life_->containers().adopt(going);
  ASSERT_TRUE(life_->run_until("launched going"));
  EXPECT_TRUE(std::filesystem::exists(home_.directory / "work/disks/going"));
  life_->containers().kill({.value = "going"});
  ASSERT_TRUE(life_->run_until("exit going"));
  life_->destroy_all({"going"});
  EXPECT_FALSE(std::filesystem::exists(home_.directory / "work/disks/going"));
  EXPECT_EQ(text_of("/proc/mounts").find(home_.directory), std::string::npos);
}

TEST(Containers, NeedTheirDirectoriesAndTheShim) {
  AgentHome home = make_home({});
  Result<std::unique_ptr<Reactor>> reactor = Reactor::create();
  ASSERT_TRUE(reactor.has_value());
  RecordingOwner owner;
  Containers::Options options{.work_dir = home.directory / "work",
                              .runtime_dir = home.directory / "runtime",
                              .shim = home.directory / "no-shim"};
  auto without_shim = Containers::create(**reactor, options, owner);
  ASSERT_FALSE(without_shim.has_value());
  EXPECT_THAT(without_shim.error().message, HasSubstr("no-shim: ENOENT"));
  options.work_dir = home.directory / "nowhere";
  auto without_directory = Containers::create(**reactor, options, owner);
  ASSERT_FALSE(without_directory.has_value());
  EXPECT_THAT(without_directory.error().message, HasSubstr("nowhere: ENOENT"));
  remove_home(home);
}

}  // namespace
}  // namespace tepui
