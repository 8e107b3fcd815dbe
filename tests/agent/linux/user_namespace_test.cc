// Goal: root within a user namespace is nobody outside, and all that works for other tasks works
// for him: his sandbox, volumes that others have, too, a root file system, output that is bounded,
// commands beside him, a restart of the agent. Method: real containers; what is refused within is
// granted to the same command without the namespace, or with the same capabilities in vain.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "agent/linux/confinement_probe.h"
#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

struct stat status_of(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status;
}

class UserNamespaceTest : public ContainersTest {
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
    config_.image_directories = {home_.directory / "images"};
    asked_.user_namespace = true;
  }

  LaunchSpec mapped(const std::string& id, const std::string& command) {
    LaunchSpec spec = life_->spec(id, command);
    confine(spec);
    return spec;
  }
  void confine(LaunchSpec& spec) {
    const std::string upper = home_.directory / "work/roots" / spec.id.value;
    spec.confinement = plan_confinement({.config = config_,
                                         .sandbox = life_->sandbox(spec.id.value),
                                         .volumes = spec.volumes,
                                         .shared_directory = "",
                                         .container = &asked_,
                                         .memory_bytes = 0,
                                         .upper = upper});
  }
  std::string output(const LaunchSpec& spec) {
    const ExitRecord record = life_->run(spec);
    EXPECT_EQ(record.exit_status, 0) << record.stderr_tail;
    return text_of(life_->sandbox(spec.id.value) / "stdout");
  }
  std::string output(const std::string& id, const std::string& command) {
    return output(mapped(id, command));
  }
  uint32_t first_of(const std::string& id) { return life_->ids().take({.value = id})->first; }

  fs::path make_image() {
    const fs::path image = home_.directory / "images/one";
    fs::create_directories(image / "bin");
    fs::create_directories(image / "etc");
    fs::copy_file("/bin/busybox", image / "bin/busybox");
    for (const char* name :
         {"sh", "cat", "id", "touch", "stat", "chown", "ls", "mkdir", "rm", "mv"}) {
      fs::create_symlink("busybox", image / "bin" / name);
    }
    std::ofstream(image / "etc/passwd") << "root:x:0:0::/:/bin/sh\nweb:x:4242:4243::/:/bin/sh\n";
    std::ofstream(image / "marker") << "image\n";
    std::ofstream(image / "of-web") << "web\n";
    EXPECT_EQ(chown((image / "of-web").c_str(), 4242, 4243), 0);
    EXPECT_EQ(chmod((image / "of-web").c_str(), 0600), 0);
    return image;
  }
  // A volume of a role, as its path.
  fs::path make_volume(LaunchSpec& spec, const std::string& container_path) const {
    const fs::path volume = home_.directory / "work/volumes/roles/r/v";
    fs::create_directories(volume);
    spec.volumes = {{.place = {.base = home_.directory / "work", .directory = "volumes/roles/r/v"},
                     .container_path = container_path}};
    return volume;
  }

  ConfinementSettings config_;
  ContainerInfo asked_;
};

TEST_P(UserNamespaceTest, RootWithinIsAnIdOfItsOwnOutside) {
  const std::string said = output("a",
                                  "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; "
                                  "echo own > own; stat -c %u:%g . own /proc/$$");
  const uint32_t first = first_of("a");
  EXPECT_TRUE(first >= kIds.first && first < kIds.first + kIds.count) << first;
  const std::string map = fmt::format("{:>10} {:>10} {:>10}\n", 0, first, kIdsPerContainer);
  EXPECT_EQ(said, "0\n0\n" + map + map + "0:0\n0:0\n0:0\n");
  // On the disk: the agent reads it.
  for (const char* name : {"own", "stdout", "stderr", ""}) {
    const struct stat status = status_of(life_->sandbox("a") / name);
    EXPECT_EQ(status.st_uid, first) << name;
    EXPECT_EQ(status.st_gid, first) << name;
  }
  EXPECT_EQ(text_of(life_->sandbox("a") / "own"), "own\n");
  life_->destroy_all({"a"});
  EXPECT_TRUE(fs::is_empty(home_.directory / "ids")) << "its ids can be given again";
}

TEST_P(UserNamespaceTest, ReadsNothingThatIsRootsAlone) {
  const std::string secret = home_.directory / "secret";
  std::ofstream(secret) << "secret\n";
  ASSERT_EQ(chmod(secret.c_str(), 0600), 0);
  config_.capabilities = own_capabilities();
  const std::string command = "cat " + secret + " 2>/dev/null || echo refused; ls -n " + secret +
                              " | cut -d' ' -f3; touch " + secret + "-new 2>/dev/null && echo made";
  LaunchSpec spec = mapped("a", command + "; true");
  EXPECT_EQ(output(spec), "refused\n65534\n");
  asked_.user_namespace = false;
  EXPECT_EQ(output("b", command), "secret\n0\nmade\n") << "without, root is root";
}

TEST_P(UserNamespaceTest, CapabilitiesMeanOnlyWhatIsWithin) {
  // All of them, and no filter in their way.
  config_.capabilities = own_capabilities();
  config_.allow_unconfined = true;
  asked_.seccomp = ContainerInfo::Seccomp::kUnconfined;
  asked_.network = ContainerInfo::Network::kLoopback;
  const struct stat disk = status_of(home_.directory);
  const std::string node =
      fmt::format("mknod disk b {} {}", major(disk.st_dev), minor(disk.st_dev));
  EXPECT_EQ(output("a", node + R"( 2>/dev/null || echo no device
    mknod null c 1 3 2>/dev/null || echo no null
    mkdir m; mount -t ext4 /dev/root m 2>/dev/null || echo no disk
    mount -o remount,rw /sys 2>/dev/null || echo nothing more
    umount /proc/sys 2>/dev/null || echo nothing uncovered
    (echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null || echo no settings
    date -s 2000-01-01 >/dev/null 2>&1 || echo no clock
    mount -t tmpfs none m && touch m/x && echo but mounts of its own
    hostname other && hostname)"),
            "no device\nno null\nno disk\nnothing more\nnothing uncovered\nno settings\nno clock\n"
            "but mounts of its own\nother\n");
  EXPECT_TRUE(fs::is_empty(life_->sandbox("a") / "m")) << "which nobody else sees";
}

TEST_P(UserNamespaceTest, NoTwoHaveAnIdInCommon) {
  for (const char* id : {"a", "b"}) {
    life_->containers().launch(mapped(id, "sleep 1000"));
    ASSERT_TRUE(life_->run_until(std::string("launched ") + id));
  }
  std::map<std::string, uint32_t> firsts;
  for (const char* id : {"a", "b"}) {
    std::istringstream map(text_of(fmt::format("/proc/{}/uid_map", life_->owner.pids[id])));
    uint32_t within = 1;
    uint32_t count = 0;
    ASSERT_TRUE(map >> within >> firsts[id] >> count);
    EXPECT_EQ(within, 0u);
    EXPECT_EQ(count, kIdsPerContainer);
    EXPECT_EQ(firsts[id], first_of(id));
  }
  EXPECT_GE(std::max(firsts["a"], firsts["b"]) - std::min(firsts["a"], firsts["b"]),
            kIdsPerContainer);
  for (const char* id : {"a", "b"}) {
    life_->containers().kill({.value = id});
    ASSERT_TRUE(life_->run_until(std::string("exit ") + id));
    EXPECT_EQ(life_->owner.exits[id].signal, SIGKILL);
  }
  life_->destroy_all({"a", "b"});
}

TEST_P(UserNamespaceTest, SeesItsControlGroupAsTheRootAndChangesNone) {
  if (GetParam() != Cgroups::kUsed) GTEST_SKIP() << "there are no control groups";
  config_.capabilities = own_capabilities();
  EXPECT_EQ(
      output("a", "grep '^0:' /proc/self/cgroup; cd " + home_.place.mount_point +
                      "; for f in $(find . -name cgroup.procs); do (echo $$ > $f) 2>/dev/null && "
                      "echo $f; done; find . -name cgroup.procs; mkdir x 2>/dev/null || echo no"),
      "0::/\n./cgroup.procs\nno\n");
}

TEST_P(UserNamespaceTest, HasOtherUsersThanRoot) {
  LaunchSpec spec = mapped("a",
                           "id -u; id -g; grep CapEff /proc/self/status; echo x > x; "
                           "chown 0 x 2>/dev/null || echo no");
  spec.command.user = "1000:1001";
  EXPECT_EQ(output(spec), "1000\n1001\nCapEff:\t0000000000000000\nno\n");
  EXPECT_EQ(status_of(life_->sandbox("a") / "x").st_uid, first_of("a") + 1000);
  EXPECT_EQ(status_of(life_->sandbox("a") / "x").st_gid, first_of("a") + 1001);
  // Root within may become any of them.
  EXPECT_EQ(output("b", "echo x > x; chown 1000:1001 x; stat -c %u:%g x"), "1000:1001\n");
  EXPECT_EQ(status_of(life_->sandbox("b") / "x").st_uid, first_of("b") + 1000);
  LaunchSpec far = mapped("c", "true");
  far.command.user = "65536";
  EXPECT_THAT(life_->run_to_failure(far).message, HasSubstr("has the id 65536, and a user name"));
  life_->destroy_all({"a", "b"});
  EXPECT_TRUE(fs::is_empty(home_.directory / "ids"));
}

TEST_P(UserNamespaceTest, KeepsItsIdsOverARestartOfTheAgent) {
  life_->containers().launch(mapped("a", "sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  const uint32_t first = first_of("a");
  if (GetParam() == Cgroups::kUsed) life_.reset();
  auto next = std::make_unique<Life>(home_, GetParam(), std::set<std::string>{"a"});
  LaunchSpec again = next->spec("a", "");
  again.confinement.namespaces.set(static_cast<size_t>(Isolator::kUserNamespace));
  next->containers().adopt(again);
  ASSERT_TRUE(next->run_until("launched a"));
  EXPECT_EQ(next->ids().take({.value = "a"})->first, first);
  for (int i = 0; i < 15; ++i) {
    EXPECT_NE(next->ids().take({.value = "b" + std::to_string(i)})->first, first);
  }
  EXPECT_FALSE(next->ids().take({.value = "one too many"}).has_value());
  next->containers().kill({.value = "a"});
  ASSERT_TRUE(next->run_until("exit a"));
  next->destroy_all({"a"});
  EXPECT_EQ(next->ids().take({.value = "one too many"})->first, first) << "it is free again";
  if (life_ != nullptr) {
    ASSERT_TRUE(life_->run_until("exit a"));
    life_->destroy_all({"a"});
  }
  life_ = std::move(next);
}

TEST_P(UserNamespaceTest, SharesVolumesWithTasksOfOtherIds) {
  LaunchSpec spec = mapped("a", "");
  const fs::path volume = make_volume(spec, "data");
  std::ofstream(volume / "old") << "old\n";
  spec.command.value = "cat data/old; echo new > data/new; stat -c %u data data/old data/new";
  confine(spec);
  EXPECT_EQ(output(spec), "old\n0\n0\n0\n");
  EXPECT_EQ(status_of(volume / "new").st_uid, 0u) << "on the disk as for every other task";
  // Who is somebody within is the same on the disk.
  LaunchSpec user = mapped("b", "echo x > data/x; stat -c %u data/x");
  ASSERT_EQ(chown(volume.c_str(), 1000, 1000), 0);
  user.volumes = spec.volumes;
  user.command.user = "1000:1000";
  confine(user);
  EXPECT_EQ(output(user), "1000\n");
  EXPECT_EQ(status_of(volume / "x").st_uid, 1000u);
  // The place in the sandbox is its own.
  EXPECT_EQ(status_of(life_->sandbox("b") / "data").st_uid, first_of("b") + 1000);
  asked_.user_namespace = false;
  LaunchSpec plain = mapped("c", "cat data/new data/x");
  plain.volumes = spec.volumes;
  confine(plain);
  EXPECT_EQ(output(plain), "new\nx\n");
}

TEST_P(UserNamespaceTest, GivesANewVolumeToItsUserAsOnTheDisk) {
  LaunchSpec spec = mapped("a", "");
  const fs::path volume = make_volume(spec, "data");
  spec.command.value = "echo x > data/x; stat -c %u:%g data";
  spec.command.user = "1000:1001";
  confine(spec);
  EXPECT_EQ(output(spec), "1000:1001\n");
  EXPECT_EQ(status_of(volume).st_uid, 1000u);
}

TEST_P(UserNamespaceTest, SaysWhereAFileSystemCannotMapIds) {
  LaunchSpec spec = mapped("a", "true");
  const fs::path volume = make_volume(spec, "data");
  ASSERT_EQ(mount("ramfs", volume.c_str(), "ramfs", 0, nullptr), 0);
  confine(spec);
  EXPECT_THAT(life_->run_to_failure(spec).message,
              testing::AllOf(HasSubstr("showing " + volume.string() + " with the ids of a user"),
                             HasSubstr("its file system, or this kernel, cannot do that")));
  umount(volume.c_str());
  EXPECT_TRUE(fs::is_empty(home_.directory / "runtime"));
  EXPECT_TRUE(fs::is_empty(home_.directory / "ids"));
}

TEST_P(UserNamespaceTest, ShowsPathsOfTheMachineAsTheyAre) {
  const std::string shown = home_.directory / "shown";
  fs::create_directories(shown);
  std::ofstream(shown + "/all") << "all\n";
  std::ofstream(shown + "/roots") << "roots\n";
  ASSERT_EQ(chmod((shown + "/roots").c_str(), 0600), 0);
  config_.volume_host_paths = {shown};
  asked_.volumes = {{.container_path = "host", .source_path = shown},
                    {.source = ContainerVolume::Source::kTmpfs, .container_path = "memory"},
                    {.source = ContainerVolume::Source::kSandboxPath,
                     .container_path = "/opt",
                     .source_path = "kept"}};
  EXPECT_EQ(output("a",
                   "cat host/all; cat host/roots 2>/dev/null || echo refused; "
                   "touch host/x 2>/dev/null || echo nor there; "
                   "touch memory/x && echo own > /opt/own && stat -c %u memory/x /opt/own"),
            "all\nrefused\nnor there\n0\n0\n");
  EXPECT_EQ(text_of(life_->sandbox("a") / "kept/own"), "own\n");
}

TEST_P(UserNamespaceTest, HasARootFileSystemOfItsIds) {
  ASSERT_TRUE(fs::exists("/bin/busybox"));
  const fs::path image = make_image();
  asked_.rootfs = RootFilesystem{.path = image};
  LaunchSpec spec = mapped("a",
                           "stat -c %u / /marker /of-web /tmp /dev /dev/shm; cat /of-web; "
                           "echo new > /marker; echo more >> /of-web; mkdir /made; rm /etc/passwd; "
                           "chown 4242 /made; stat -c %u /marker /of-web /made; "
                           "mv /bin/rm /bin/remove; touch /dev/shm/x /tmp/x; "
                           "echo out >> /dev/stdout; ls /dev/pts; pwd");
  spec.command.working_directory = std::string(kSandboxInside);
  spec.environment = {{"PATH", "/bin"}};
  EXPECT_EQ(output(spec),
            "0\n0\n4242\n0\n0\n0\nweb\n0\n4242\n4242\nout\nptmx\n/mnt/mesos/sandbox\n");
  const uint32_t first = first_of("a");
  const fs::path upper = home_.directory / "work/roots/a/upper";
  EXPECT_EQ(status_of(upper).st_uid, first);
  EXPECT_EQ(status_of(upper / "marker").st_uid, first);
  EXPECT_EQ(status_of(upper / "of-web").st_uid, first + 4242) << "copied with its owner";
  EXPECT_EQ(text_of(image / "marker"), "image\n");
  EXPECT_EQ(status_of(image / "of-web").st_uid, 4242u);
  EXPECT_TRUE(fs::exists(image / "etc/passwd"));
  life_->destroy_all({"a"});
  EXPECT_TRUE(fs::is_empty(home_.directory / "work/roots"));
}

TEST_P(UserNamespaceTest, HasLayersAndUsersOfItsRoot) {
  ASSERT_TRUE(fs::exists("/bin/busybox"));
  const fs::path image = make_image();
  const fs::path above = home_.directory / "images/elsewhere/above";
  fs::create_directories(above);
  std::ofstream(above / "marker") << "above\n";
  asked_.rootfs = RootFilesystem{.path = image, .read_only = true};
  LaunchSpec spec = mapped("a",
                           "cat /marker /of-web; id -u; touch /x 2>/dev/null || echo fixed; "
                           "touch x /tmp/x && stat -c %u x");
  spec.confinement.root->layers = {above, image};
  spec.command.working_directory = std::string(kSandboxInside);
  spec.command.user = "web";
  spec.environment = {{"PATH", "/bin"}};
  EXPECT_EQ(output(spec), "above\nweb\n4242\nfixed\n4242\n");
  EXPECT_EQ(status_of(life_->sandbox("a") / "x").st_uid, first_of("a") + 4242);
  life_->destroy_all({"a"});
}

TEST_P(UserNamespaceTest, IsJoinedByACommandBesideIt) {
  life_->containers().launch(mapped("a", "echo own > /dev/shm/file; sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  LaunchSpec beside =
      mapped("b",
             "while [ ! -s /dev/shm/file ]; do sleep 0.01; done; cat /dev/shm/file; "
             "id -u; cat /proc/self/uid_map; echo by > by; cat /proc/1/comm");
  beside.sandbox = life_->spec("a", "").sandbox;
  beside.parent.value = "a";
  beside.confinement.namespaces.reset();
  beside.confinement.steps.clear();
  beside.confinement.joins.value = "a";
  EXPECT_EQ(life_->run(beside).exit_status, 0) << life_->owner.exits["b"].stderr_tail;
  const uint32_t first = first_of("a");
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"),
            fmt::format("own\n0\n{:>10} {:>10} {:>10}\ntepui-init\n", 0, first, kIdsPerContainer));
  EXPECT_EQ(status_of(life_->sandbox("a") / "by").st_uid, first);
  EXPECT_EQ(status_of(life_->sandbox("a")).st_uid, first) << "it is still the task's";
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"b", "a"});
}

TEST_P(UserNamespaceTest, ItsInitIsNothingToAttack) {
  config_.capabilities = own_capabilities();
  EXPECT_EQ(output("a",
                   "cat /proc/1/comm; ls /proc/1/fd 2>/dev/null | wc -l; "
                   "ls /proc/1/root/ >/dev/null 2>&1 || echo no way; grep CapPrm /proc/1/status; "
                   "kill -KILL 1; kill -0 1 && echo lives; "
                   "ls /proc | grep -c '^[0-9]'"),
            "tepui-init\n0\nno way\nCapPrm:\t0000000000000000\nlives\n4\n");
}

TEST_P(UserNamespaceTest, EndsAsItsCommandDoes) {
  EXPECT_EQ(life_->run(mapped("a", "exit 3")).exit_status, 3);
  EXPECT_EQ(life_->run(mapped("b", "kill -TERM $$")).signal, SIGTERM);
  const ExitRecord failed = life_->run(mapped("c", "echo why >&2; exit 1"));
  EXPECT_EQ(failed.stderr_tail, "why");
  life_->containers().launch(mapped("d", "setsid sleep 1000 & setsid sleep 1000 & wait"));
  ASSERT_TRUE(life_->run_until("launched d"));
  life_->containers().signal({.value = "d"}, SIGTERM);
  ASSERT_TRUE(life_->run_until("exit d"));
  EXPECT_EQ(life_->owner.exits["d"].signal, SIGTERM);
  life_->destroy_all({"a", "b", "c", "d"});
}

TEST_P(UserNamespaceTest, HasLimitsThatNobodyWithinCouldSet) {
  if ((own_capabilities() & CapabilitySet{1} << CAP_SYS_RESOURCE) == 0) {
    GTEST_SKIP() << "this test may not raise limits";
  }
  asked_.rlimits = {{.type = RlimitType::kNofile, .soft = 100, .hard = 200},
                    {.type = RlimitType::kMemlock, .soft = {}, .hard = {}}};
  EXPECT_EQ(output("a", "ulimit -Sn; ulimit -Hn; ulimit -l"), "100\n200\nunlimited\n");
}

TEST_P(UserNamespaceTest, EveryStepThatFailsFailsTheLaunchAndLeavesNothing) {
  const size_t steps = mapped("a", "true").confinement.steps.size();
  for (size_t i = 0; i < steps; ++i) {
    LaunchSpec spec = mapped("a" + std::to_string(i), "true");
    ConfinementStep& broken = spec.confinement.steps[i];
    if (broken.optional) continue;
    broken.source = "/nonesuch/source";
    broken.target = "/dev/null/nonesuch";
    broken.type = "nonesuch";
    broken.flags &= ~uint32_t{kRemount};
    EXPECT_THAT(life_->run_to_failure(spec).message, HasSubstr(describe(broken))) << i;
  }
  EXPECT_TRUE(fs::is_empty(home_.directory / "runtime"));
  EXPECT_TRUE(fs::is_empty(home_.directory / "ids"));
}

TEST_P(UserNamespaceTest, ItsOutputIsKeptWithinBoundsByItself) {
  if (GetParam() == Cgroups::kUsed) life_.reset();
  const OutputLimit limit{.file_bytes_max = 4096, .files = 2};
  auto bounded = std::make_unique<Life>(home_, GetParam(), std::set<std::string>{}, nullptr, limit);
  std::swap(life_, bounded);
  EXPECT_EQ(life_->run(mapped("a", "head -c 6000 /dev/zero | tr '\\0' x")).exit_status, 0);
  const fs::path sandbox = life_->sandbox("a");
  EXPECT_EQ(fs::file_size(sandbox / "stdout.1") + fs::file_size(sandbox / "stdout"), 6000u);
  EXPECT_EQ(status_of(sandbox / "stdout").st_uid, first_of("a"));
}

INSTANTIATE_TEST_SUITE_P(Isolation, UserNamespaceTest,
                         testing::Values(Cgroups::kUsed, Cgroups::kNone), [](const auto& param) {
                           return param.param == Cgroups::kUsed ? "WithCgroups" : "Without";
                         });

}  // namespace
}  // namespace tepui
