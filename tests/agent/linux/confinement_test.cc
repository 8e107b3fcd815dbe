// Goal: a command sees its own processes, files, memory and names, cannot reach what belongs to
// others or to the machine, and its end, its kill and the agent's restart work as for any other.
// Method: real containers under the isolators that this machine has; each property is tried by the
// command itself, beside the same command without confinement where that shows the difference.

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "agent/linux/confinement_probe.h"
#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

using testing::HasSubstr;

class ConfinementTest : public ContainersTest {
 protected:
  void SetUp() override {
    IsolatorSet all;
    all.set();
    const std::vector<MissingIsolator> missing = find_missing_confinement(all);
    if (!missing.empty()) GTEST_SKIP() << missing.front().why;
    ContainersTest::SetUp();
    if (IsSkipped()) return;
    config_.isolators = parse_isolation({"auto"}).value().wanted;
    if (GetParam() == Cgroups::kUsed) config_.cgroup_mount = home_.place.mount_point;
    config_.private_directories = {home_.directory / "work", home_.directory / "runtime"};
  }

  LaunchSpec confined(const std::string& id, const std::string& command) {
    LaunchSpec spec = life_->spec(id, command);
    confine(spec);
    return spec;
  }
  // The same, and what it asks of its container.
  LaunchSpec asking(const std::string& id, const std::string& command, const ContainerInfo& asked) {
    LaunchSpec spec = life_->spec(id, command);
    confine(spec, &asked);
    return spec;
  }
  void confine(LaunchSpec& spec, const ContainerInfo* asked = nullptr) {
    spec.confinement = plan_confinement({.config = config_,
                                         .sandbox = life_->sandbox(spec.id.value),
                                         .volumes = spec.volumes,
                                         .shared_directory = "",
                                         .container = asked});
  }
  // What it printed; the command must succeed.
  std::string output(const LaunchSpec& spec) {
    const ExitRecord record = life_->run(spec);
    EXPECT_EQ(record.exit_status, 0) << record.stderr_tail;
    return text_of(life_->sandbox(spec.id.value) / "stdout");
  }
  std::string output(const std::string& id, const std::string& command) {
    return output(confined(id, command));
  }
  std::string in_work(const std::string& path) { return home_.directory / "work" / path; }

  ConfinementSettings config_;
};

TEST_P(ConfinementTest, SeesOnlyItsOwnProcesses) {
  // The init, the shell and what it runs; nothing of this test.
  EXPECT_EQ(output("a", "ls /proc | grep -c '^[0-9]'; echo $$"), "4\n2\n");
  EXPECT_EQ(output("b", "cat /proc/1/comm"), "tepui-init\n");
}

TEST_P(ConfinementTest, ItsInitIsNothingToAttack) {
  // Even root with all capabilities finds neither a descriptor nor a capability in it.
  config_.capabilities = own_capabilities();
  EXPECT_EQ(output("a",
                   "ls /proc/1/fd | wc -l; grep CapPrm /proc/1/status; "
                   "kill -KILL 1; kill -0 1 && echo lives"),
            "0\nCapPrm:\t0000000000000000\nlives\n");
}

// They are the same emptiness, so what could be written to one would show in the other.
TEST_P(ConfinementTest, FindsNothingInWhatIsHiddenAndCannotChangeIt) {
  config_.capabilities = own_capabilities();
  std::string places;
  for (const char* name : {"one", "two", "three"}) {
    const std::filesystem::path place = home_.directory / name;
    std::filesystem::create_directories(place);
    std::ofstream(place / "secret") << "secret";
    config_.private_directories.push_back(place);
    places += place.string() + " ";
  }
  const std::string looking =
      "for i in " + places +
      "; do ls -A $i | wc -l; touch $i/x 2>/dev/null || echo fixed; mkdir $i/y 2>/dev/null || echo "
      "fixed; done";
  const std::string nothing = "0\nfixed\nfixed\n";
  EXPECT_EQ(output("a", looking), nothing + nothing + nothing);
  for (const char* name : {"one", "two", "three"}) {
    EXPECT_EQ(text_of(home_.directory / name / "secret"), "secret");
  }
}

TEST_P(ConfinementTest, DiesWithItsShim) {
  life_->containers().launch(confined("a", "sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  const auto command = static_cast<pid_t>(life_->owner.pids["a"]);
  ASSERT_GT(command, 0);
  const int watched = static_cast<int>(syscall(SYS_pidfd_open, command, 0));
  ASSERT_GE(watched, 0);
  std::ifstream status("/proc/" + std::to_string(command) + "/status");
  pid_t shim = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("PPid:")) shim = std::stoi(line.substr(5));
  }
  ASSERT_GT(shim, 1);
  ASSERT_EQ(kill(shim, SIGKILL), 0);
  pollfd end{.fd = watched, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&end, 1, 30'000), 1) << "the command outlived its shim";
  close(watched);
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_FALSE(life_->owner.exits["a"].exit_status.has_value()) << "nobody knows how it ended";
  life_->destroy_all({"a"});
}

TEST_P(ConfinementTest, ItsOrphansAreReaped) {
  EXPECT_EQ(output("a", R"((sh -c 'sleep 0.01 & echo $! > pid'); p=$(cat pid)
                           while [ -d /proc/$p ]; do sleep 0.01; done; echo gone)"),
            "gone\n");
}

TEST_P(ConfinementTest, EndsAsItsCommandDoes) {
  EXPECT_EQ(life_->run(confined("a", "exit 3")).exit_status, 3);
  EXPECT_EQ(life_->run(confined("b", "kill -TERM $$")).signal, SIGTERM);
  LaunchSpec absent = confined("c", "");
  absent.command = {.shell = false, .value = "/nonesuch"};
  EXPECT_THAT(life_->run_to_failure(absent).message, HasSubstr("executing \"/nonesuch\""));
  life_->destroy_all({"a", "b"});
}

TEST_P(ConfinementTest, IsKilledWithAllThatItStarted) {
  life_->containers().launch(confined("a", "setsid sleep 1000 & setsid sleep 1000 & wait"));
  ASSERT_TRUE(life_->run_until("launched a"));
  life_->containers().signal({.value = "a"}, SIGTERM);
  ASSERT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGTERM);
  life_->destroy_all({"a"});

  life_->containers().launch(confined("b", "trap '' TERM; sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched b"));
  life_->containers().kill({.value = "b"});
  ASSERT_TRUE(life_->run_until("exit b"));
  EXPECT_EQ(life_->owner.exits["b"].signal, SIGKILL);
  life_->destroy_all({"b"});
}

TEST_P(ConfinementTest, IsTakenUpByAnotherLifeOfTheAgent) {
  life_->containers().launch(confined("a", "sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  if (GetParam() == Cgroups::kUsed) {
    // The subtree has one agent at a time.
    life_.reset();
  }
  auto next = std::make_unique<Life>(home_, GetParam(), std::set<std::string>{"a"});
  next->containers().adopt(next->spec("a", ""));
  ASSERT_TRUE(next->run_until("launched a"));
  next->containers().kill({.value = "a"});
  ASSERT_TRUE(next->run_until("exit a"));
  EXPECT_EQ(next->owner.exits["a"].signal, SIGKILL);
  next->destroy_all({"a"});
  life_ = std::move(next);
}

TEST_P(ConfinementTest, SeesOfTheAgentsDirectoriesOnlyItsOwnSandbox) {
  ASSERT_EQ(life_->run(life_->spec("other", "echo secret > file")).exit_status, 0);
  const std::string other = life_->sandbox("other") / "file";
  ASSERT_EQ(text_of(other), "secret\n");
  EXPECT_EQ(output("a", "cat " + other + " 2>&1 >/dev/null | grep -c 'No such file'"), "1\n");
  EXPECT_EQ(output("b", "echo own > own; pwd; ls " + in_work("frameworks/f/runs") + "; ls " +
                            (home_.directory / "runtime").string()),
            life_->sandbox("b").string() + "\nb\n");
  EXPECT_EQ(text_of(life_->sandbox("b") / "own"), "own\n");
  EXPECT_EQ(output("c", "touch " + in_work("x") + " 2>/dev/null || echo refused"), "refused\n");
  life_->destroy_all({"other", "a", "b", "c"});
}

TEST_P(ConfinementTest, ShowsVolumesAtTheirPaths) {
  for (const char* name : {"data", "fixed"}) {
    std::filesystem::create_directories(in_work("volumes/roles/r/") + name);
  }
  std::ofstream(in_work("volumes/roles/r/fixed/file")) << "kept\n";
  LaunchSpec spec = life_->spec("a",
                                "echo new > deep/data/file; cat fixed/file; "
                                "touch fixed/x 2>/dev/null || echo read-only");
  spec.volumes = {{.place = {.base = in_work(""), .directory = "volumes/roles/r/data"},
                   .container_path = "deep/data"},
                  {.place = {.base = in_work(""), .directory = "volumes/roles/r/fixed"},
                   .container_path = "fixed",
                   .read_only = true}};
  confine(spec);
  EXPECT_EQ(output(spec), "kept\nread-only\n");
  EXPECT_EQ(text_of(in_work("volumes/roles/r/data/file")), "new\n");
  // What is mounted there is seen inside only.
  EXPECT_TRUE(std::filesystem::is_empty(life_->sandbox("a") / "deep/data"));
  life_->destroy_all({"a"});
}

TEST_P(ConfinementTest, ChangesNothingOfTheMachine) {
  EXPECT_EQ(output("a", R"(
    mount -t tmpfs none /mnt 2>/dev/null || echo no mounts
    mknod null c 1 3 2>/dev/null || echo no devices
    echo 1 2>/dev/null > /proc/sys/vm/drop_caches || echo no settings
    echo b 2>/dev/null > /proc/sysrq-trigger || echo no sysrq
    touch /sys/kernel/x 2>/dev/null || echo no sys
    unshare -U true 2>/dev/null || echo no namespaces
    hostname other 2>/dev/null || echo no hostname
    date -s 2000-01-01 >/dev/null 2>&1 || echo no clock
    cat /proc/kcore 2>/dev/null | wc -c)"),
            "no mounts\nno devices\nno settings\nno sysrq\nno sys\nno namespaces\nno hostname\n"
            "no clock\n0\n");
}

TEST_P(ConfinementTest, LeavesNoWayIntoAnotherControlGroup) {
  EXPECT_EQ(output("a",
                   "for f in $(find /sys/fs/cgroup -name cgroup.procs); do "
                   "echo $$ 2>/dev/null > $f && echo $f; done; echo end"),
            "end\n");
  if (GetParam() == Cgroups::kUsed) {
    EXPECT_EQ(output("b", "grep '^0:' /proc/self/cgroup"), "0::/\n");
  }
}

TEST_P(ConfinementTest, HasOnlyTheCapabilitiesThatItIsGiven) {
  EXPECT_EQ(output("a", "grep CapBnd /proc/self/status; grep CapEff /proc/self/status"),
            "CapBnd:\t00000000a00425fb\nCapEff:\t00000000a00425fb\n");
  config_.capabilities = 0;
  EXPECT_EQ(output("b", "grep CapEff /proc/self/status; chown 1:1 . 2>/dev/null || echo no"),
            "CapEff:\t0000000000000000\nno\n");
  LaunchSpec given =
      confined("c", "grep CapEff /proc/self/status; head -c 1 /etc/shadow || echo no");
  given.command.user = "nobody";
  given.confinement.capabilities =
      CapabilityLimits{.bounding = kDefaultCapabilities, .effective = CapabilitySet{1} << 10};
  EXPECT_EQ(output(given), "CapEff:\t0000000000000000\nno\n") << "what root may, others may not";
  LaunchSpec fewer = confined("d", "grep -E 'CapEff' /proc/self/status");
  fewer.confinement.capabilities = given.confinement.capabilities;
  EXPECT_EQ(output(fewer), "CapEff:\t0000000000000400\n");
}

TEST_P(ConfinementTest, PromisesNotToGainPrivilegesWhereThatIsWanted) {
  EXPECT_EQ(output("a", "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"),
            "NoNewPrivs:\t0\nSeccomp:\t2\n");
  put(config_.isolators, Isolator::kNoNewPrivileges);
  LaunchSpec spec = confined("b", "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status");
  spec.command.user = "nobody";
  EXPECT_EQ(output(spec), "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_P(ConfinementTest, HasTheLimitsThatItIsGiven) {
  ContainerInfo asked;
  asked.rlimits = {{.type = RlimitType::kNofile, .soft = 100, .hard = 200},
                   {.type = RlimitType::kCore, .soft = 0, .hard = 0}};
  LaunchSpec spec = asking("a", "ulimit -Sn; ulimit -Hn; ulimit -c", asked);
  EXPECT_EQ(output(spec), "100\n200\n0\n");
  asked.rlimits[0].hard = 1'000'000'000'000;
  const Error refused = life_->run_to_failure(asking("b", "true", asked));
  EXPECT_THAT(refused.message, HasSubstr("setting the rlimit nofile to 100:1000000000000"));
  EXPECT_EQ(refused.code, EPERM);
}

TEST_P(ConfinementTest, HasFewerCapabilitiesWhereItAsksForThem) {
  ContainerInfo asked;
  asked.capabilities = CapabilitySet{1} << 10;
  EXPECT_EQ(output(asking("a", "grep -E 'Cap(Bnd|Eff)' /proc/self/status", asked)),
            "CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\n");
}

TEST_P(ConfinementTest, RunsWithoutAFilterWhereItAsksForThat) {
  config_.allow_unconfined = true;
  ContainerInfo asked;
  asked.seccomp = ContainerInfo::Seccomp::kUnconfined;
  EXPECT_EQ(output(asking("a", "grep Seccomp: /proc/self/status", asked)), "Seccomp:\t0\n");
}

TEST_P(ConfinementTest, HasANameAndANetworkOfItsOwn) {
  char machine[256] = {};
  ASSERT_EQ(gethostname(machine, sizeof machine - 1), 0);
  ContainerInfo asked;
  asked.hostname = "web-1.example";
  asked.network = ContainerInfo::Network::kLoopback;
  EXPECT_EQ(output(asking("a",
                          "uname -n; tail -n +3 /proc/net/dev | cut -d: -f1; "
                          "grep -c : /proc/net/route; cat /proc/net/if_inet6 | wc -l",
                          asked)),
            "web-1.example\n    lo\n0\n1\n");
  char after[256] = {};
  ASSERT_EQ(gethostname(after, sizeof after - 1), 0);
  EXPECT_STREQ(after, machine);
}

TEST_P(ConfinementTest, HasTheVolumesThatItAsksFor) {
  const std::string shown = home_.directory / "shown";
  std::filesystem::create_directories(shown + "/sub");
  std::ofstream(shown + "/sub/file") << "shown\n";
  config_.volume_host_paths = {shown};
  using Source = ContainerVolume::Source;
  ContainerInfo asked;
  asked.volumes = {
      {.source = Source::kHostPath, .container_path = "host", .source_path = shown + "/sub"},
      {.source = Source::kHostPath,
       .container_path = "/mnt",
       .source_path = shown,
       .read_only = true},
      {.source = Source::kSandboxPath, .container_path = "/opt", .source_path = "kept/here"},
      {.source = Source::kTmpfs, .container_path = "memory", .size_bytes = 1 << 20}};
  LaunchSpec spec = asking("a",
                           "cat host/file; echo new > host/new; cat /mnt/sub/new; "
                           "touch /mnt/x 2>/dev/null || echo read-only; echo own > /opt/own; "
                           "df -k --output=size,target memory | tail -1; echo x > memory/x",
                           asked);
  EXPECT_THAT(output(spec), testing::AllOf(HasSubstr("shown\nnew\nread-only\n"),
                                           HasSubstr(" 1024 " + life_->sandbox("a").string())));
  EXPECT_EQ(text_of(shown + "/sub/new"), "new\n");
  EXPECT_EQ(text_of(life_->sandbox("a") / "kept/here/own"), "own\n");
  EXPECT_TRUE(std::filesystem::is_empty(life_->sandbox("a") / "memory"));
  life_->destroy_all({"a"});
}

TEST_P(ConfinementTest, VolumesDoNotFollowLinksOutOfWhatIsShown) {
  const std::string shown = home_.directory / "shown";
  std::filesystem::create_directories(shown);
  std::filesystem::create_directory_symlink("/etc", shown + "/absolute");
  std::filesystem::create_directory_symlink("../work", shown + "/relative");
  config_.volume_host_paths = {shown};
  ContainerInfo asked;
  asked.volumes = {{.container_path = "data", .source_path = shown + "/absolute"}};
  EXPECT_EQ(life_->run_to_failure(asking("a", "ls data", asked)).code, EXDEV);
  asked.volumes[0].source_path = shown + "/relative";
  EXPECT_THAT(life_->run_to_failure(asking("b", "ls data", asked)).message,
              HasSubstr("opening ./relative in " + shown + ": EXDEV"));
  asked.volumes[0] = {.container_path = "/nonesuch/there", .source_path = shown};
  EXPECT_THAT(life_->run_to_failure(asking("c", "true", asked)).message,
              HasSubstr("/nonesuch/there: ENOENT"));
  EXPECT_FALSE(std::filesystem::exists("/nonesuch"));
}

TEST_P(ConfinementTest, DoesNotBeginWhereTheAgentRefusesIt) {
  LaunchSpec spec = confined("a", "true");
  spec.refusal = "no such thing here";
  EXPECT_EQ(life_->run_to_failure(spec).message, "no such thing here");
  EXPECT_FALSE(std::filesystem::exists(life_->sandbox("a")));
}

TEST_P(ConfinementTest, HasMemoryOfItsOwnToShare) {
  std::filesystem::path outside = "/dev/shm/tepui-test-" + std::to_string(getpid());
  std::ofstream(outside) << "x";
  EXPECT_EQ(output("a", "ls /dev/shm; ipcs -m | wc -l; echo y > /dev/shm/own"), "4\n");
  EXPECT_FALSE(std::filesystem::exists("/dev/shm/own"));
  std::filesystem::remove(outside);
}

TEST_P(ConfinementTest, IsJoinedByACommandBesideIt) {
  life_->containers().launch(confined("a", "echo own > /dev/shm/file; sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  LaunchSpec beside = confined("b",
                               "while [ ! -s /dev/shm/file ]; do sleep 0.01; done; "
                               "cat /dev/shm/file; cat /proc/1/comm; pwd");
  beside.sandbox = life_->spec("a", "").sandbox;
  beside.parent.value = "a";
  beside.confinement.namespaces.reset();
  beside.confinement.steps.clear();
  beside.confinement.joins.value = "a";
  EXPECT_EQ(life_->run(beside).exit_status, 0) << life_->owner.exits["b"].stderr_tail;
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"),
            "own\ntepui-init\n" + life_->sandbox("a").string() + "\n");
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"b", "a"});

  beside.id.value = "late";
  EXPECT_THAT(life_->run_to_failure(beside).message,
              HasSubstr(GetParam() == Cgroups::kUsed ? "creating cgroup container-a/container-late"
                                                     : "container a does not run any more"));
}

TEST_P(ConfinementTest, SaysWhichStepFailed) {
  LaunchSpec spec = confined("a", "true");
  spec.confinement.steps.push_back(
      {.kind = StepKind::kMount, .target = "/nonesuch/there", .type = "tmpfs"});
  const Error error = life_->run_to_failure(spec);
  EXPECT_THAT(error.message, HasSubstr("mounting tmpfs at /nonesuch/there"));
  EXPECT_EQ(error.code, ENOENT);
  // Nothing of it is left.
  EXPECT_EQ(life_->containers().size(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
}

TEST_P(ConfinementTest, EveryStepThatFailsFailsTheLaunch) {
  const size_t steps = confined("a", "true").confinement.steps.size();
  for (size_t i = 0; i < steps; ++i) {
    LaunchSpec spec = confined("a" + std::to_string(i), "true");
    ConfinementStep& broken = spec.confinement.steps[i];
    if (broken.optional) continue;
    broken.source = "/nonesuch/source";
    broken.target = "/dev/null/nonesuch";
    broken.type = "nonesuch";
    broken.flags &= ~uint32_t{kRemount};
    EXPECT_FALSE(life_->run_to_failure(spec).message.empty()) << i;
  }
  EXPECT_TRUE(std::filesystem::is_empty(home_.directory / "runtime"));
}

INSTANTIATE_TEST_SUITE_P(Isolation, ConfinementTest,
                         testing::Values(Cgroups::kUsed, Cgroups::kNone), [](const auto& param) {
                           return param.param == Cgroups::kUsed ? "WithCgroups" : "Without";
                         });

}  // namespace
}  // namespace tepui
