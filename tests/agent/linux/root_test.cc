// Goal: a command with a root file system of its own sees that and nothing of the machine's,
// changes nothing of what it was made of, and what it wrote is gone with it; no link in it leads
// out. Method: real containers on a small tree of busybox.

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>

#include "agent/linux/confinement_probe.h"
#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class RootTest : public ContainersTest {
 protected:
  void SetUp() override {
    IsolatorSet all;
    all.set();
    const std::vector<MissingIsolator> missing = find_missing_confinement(all);
    if (!missing.empty()) GTEST_SKIP() << missing.front().why;
    if (!fs::exists("/bin/busybox")) GTEST_SKIP() << "there is no /bin/busybox";
    ContainersTest::SetUp();
    if (IsSkipped()) return;
    config_.isolators = parse_isolation({"auto"}).value().wanted;
    if (GetParam() == Cgroups::kUsed) config_.cgroup_mount = home_.place.mount_point;
    config_.private_directories = {home_.directory / "work", home_.directory / "runtime"};
    config_.image_directories = {home_.directory / "images"};
    image_ = home_.directory / "images/one";
    make_image();
    asked_.rootfs = RootFilesystem{.path = image_};
  }

  void make_image() const {
    fs::create_directories(image_ / "bin");
    fs::create_directories(image_ / "etc");
    fs::copy_file("/bin/busybox", image_ / "bin/busybox");
    for (const char* name :
         {"sh", "cat", "ls", "id", "touch", "mkdir", "grep", "wc", "mount", "mknod", "stat",
          "readlink", "df", "tail", "sleep", "echo", "umount"}) {
      fs::create_symlink("busybox", image_ / "bin" / name);
    }
    std::ofstream(image_ / "etc/passwd") << "root:x:0:0::/:/bin/sh\nweb:x:4242:4243::/:/bin/sh\n";
    std::ofstream(image_ / "marker") << "image\n";
  }

  LaunchSpec rooted(const std::string& id, const std::string& command) {
    LaunchSpec spec = life_->spec(id, command);
    spec.environment = {{"PATH", "/bin"}};
    spec.command.working_directory = std::string(kSandboxInside);
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
    return output(rooted(id, command));
  }
  fs::path roots() const { return home_.directory / "work/roots"; }

  ConfinementSettings config_;
  fs::path image_;
  ContainerInfo asked_;
};

TEST_P(RootTest, IsAllThatItSees) {
  EXPECT_EQ(output("a", "pwd; cat /marker; ls /; ls /mnt/mesos"),
            "/mnt/mesos/sandbox\nimage\nbin\ndev\netc\nmarker\nmnt\nproc\nsys\ntmp\nsandbox\n");
  EXPECT_EQ(output("b", "ls " + home_.directory.string() + " 2>/dev/null || echo nothing"),
            "nothing\n");
  EXPECT_EQ(output("c",
                   "cat /proc/1/comm; grep -c / /proc/self/mountinfo >/dev/null && "
                   "grep -c ' /usr' /proc/self/mountinfo"
                   " || true"),
            "tepui-init\n0\n");
}

TEST_P(RootTest, ChangesNothingOfTheImageAndLeavesNothing) {
  EXPECT_EQ(output("a",
                   "echo new > /marker; echo own > /etc/own; echo kept > file; "
                   "cat /marker /etc/own; ls -d /tmp; touch /tmp/x"),
            "new\nown\n/tmp\n");
  EXPECT_EQ(text_of(image_ / "marker"), "image\n");
  EXPECT_FALSE(fs::exists(image_ / "etc/own"));
  EXPECT_FALSE(fs::exists(image_ / "dev")) << "places for mounts were made in the image";
  EXPECT_EQ(text_of(life_->sandbox("a") / "file"), "kept\n");
  EXPECT_EQ(text_of(roots() / "a/upper/marker"), "new\n");
  life_->destroy_all({"a"});
  EXPECT_THAT(fs::is_empty(roots()), true);
}

TEST_P(RootTest, CanBeReadOnly) {
  asked_.rootfs->read_only = true;
  EXPECT_EQ(output("a",
                   "touch /marker 2>/dev/null || echo fixed; touch /tmp/x /run/x file && "
                   "echo writable; cat /marker"),
            "fixed\nwritable\nimage\n");
  EXPECT_TRUE(fs::is_empty(roots()));
  EXPECT_FALSE(fs::exists(image_ / "tmp"));
}

TEST_P(RootTest, HasTheDevicesThatProgramsExpect) {
  EXPECT_EQ(output("a",
                   "ls /dev; echo x > /dev/null; "
                   "readlink /dev/stdout; echo out >> /dev/stdout; ls /dev/pts"),
            "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\n"
            "zero\n/proc/self/fd/1\nout\nptmx\n");
  asked_.shm_bytes = 1 << 20;
  EXPECT_THAT(output("b", "df -k /dev/shm | tail -1"), HasSubstr(" 1024 "));
}

TEST_P(RootTest, ChangesNothingOfTheMachine) {
  EXPECT_EQ(
      output("a", R"(
    mount -t tmpfs none /mnt 2>/dev/null || echo no mounts
    umount /proc 2>/dev/null || echo no unmounts
    mknod null c 1 3 2>/dev/null || echo no devices
    mknod /null c 1 3 2>/dev/null || echo nor there
    echo 1 2>/dev/null > /proc/sys/vm/drop_caches || echo no settings
    echo b 2>/dev/null > /proc/sysrq-trigger || echo no sysrq
    mkdir /sys/fs/cgroup/x 2>/dev/null || echo no cgroups
    cat /proc/kcore 2>/dev/null | wc -c)"),
      "no mounts\nno unmounts\nno devices\nnor there\nno settings\nno sysrq\nno cgroups\n0\n");
}

TEST_P(RootTest, ItsDeviceNodesDoNothing) {
  ASSERT_EQ(mknod((image_ / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  EXPECT_EQ(output("a", "cat /null 2>/dev/null || echo refused"), "refused\n");
}

TEST_P(RootTest, ShowsVolumesWhereverTheyAreWanted) {
  fs::create_directories(home_.directory / "shown");
  fs::create_directories(home_.directory / "work/volumes/roles/r/v");
  std::ofstream(home_.directory / "shown/file") << "shown\n";
  config_.volume_host_paths = {home_.directory / "shown"};
  using Source = ContainerVolume::Source;
  asked_.volumes = {
      {.container_path = "/made/here", .source_path = home_.directory / "shown"},
      {.container_path = "/etc/app.conf", .source_path = home_.directory / "shown/file"},
      {.source = Source::kSandboxPath, .container_path = "/var/own", .source_path = "own"},
      {.source = Source::kTmpfs, .container_path = "/var/memory", .size_bytes = 1 << 20}};
  LaunchSpec spec = rooted("a",
                           "cat /made/here/file /etc/app.conf; echo o > /var/own/o; cat own/o; "
                           "df -k /var/memory | tail -1; echo d > /data/d; echo r > rel/r");
  spec.volumes = {{.place = {.base = home_.directory / "work", .directory = "volumes/roles/r/v"},
                   .container_path = "/data"},
                  {.place = {.base = home_.directory / "work", .directory = "volumes/roles/r/v"},
                   .container_path = "rel"}};
  confine(spec);
  EXPECT_THAT(output(spec), testing::AllOf(HasSubstr("shown\nshown\no\n"), HasSubstr(" 1024 ")));
  EXPECT_EQ(text_of(home_.directory / "work/volumes/roles/r/v/d"), "d\n");
  EXPECT_EQ(text_of(home_.directory / "work/volumes/roles/r/v/r"), "r\n");
}

TEST_P(RootTest, ItsLinksDoNotLeadOut) {
  const fs::path outside = home_.directory / "outside";
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, image_ / "absolute");
  fs::create_directory_symlink("../../../../../../../../.." + outside.string(),
                               image_ / "climbing");
  fs::create_directory_symlink("/etc", image_ / "inside");
  using Source = ContainerVolume::Source;
  asked_.volumes = {{.source = Source::kTmpfs, .container_path = "/inside"}};
  EXPECT_EQ(output("a", "touch /inside/x; ls /etc"), "x\n");
  EXPECT_FALSE(fs::exists("/etc/x"));
  life_->destroy_all({"a"});
  for (const char* path : {"/absolute/new", "/climbing/new"}) {
    const std::string id = path == std::string("/absolute/new") ? "b" : "c";
    asked_.volumes[0].container_path = path;
    // The directory is not there inside, and a link is not replaced.
    EXPECT_EQ(life_->run_to_failure(rooted(id, "true")).code, EEXIST) << path;
  }
  EXPECT_TRUE(fs::is_empty(outside));
  // A descriptor of the shim's is no way out either.
  fs::create_directory_symlink("/proc/self/fd/5", image_ / "magic");
  asked_.volumes[0].container_path = "/magic/new";
  EXPECT_EQ(life_->run_to_failure(rooted("d", "true")).code, ELOOP);
  EXPECT_TRUE(fs::is_empty(home_.directory / "runtime"));
}

TEST_P(RootTest, IsNotMadeOfWhatALinkLeadsTo) {
  fs::create_directory_symlink("/", home_.directory / "images/machine");
  asked_.rootfs->path = home_.directory / "images/machine";
  EXPECT_EQ(life_->run_to_failure(rooted("a", "true")).code, EXDEV);
  asked_.rootfs->path = home_.directory / "images/nonesuch";
  EXPECT_EQ(life_->run_to_failure(rooted("b", "true")).code, ENOENT);
  EXPECT_TRUE(fs::is_empty(roots()));
}

TEST_P(RootTest, KnowsItsOwnUsers) {
  LaunchSpec spec = rooted("a", "id -u; id -g; touch file; touch /x 2>/dev/null || echo no");
  spec.command.user = "web";
  EXPECT_EQ(output(spec), "4242\n4243\nno\n");
  LaunchSpec unknown = rooted("b", "true");
  unknown.command.user = "nobody";
  EXPECT_THAT(life_->run_to_failure(unknown).message, HasSubstr("no user \"nobody\" in the cont"));
  LaunchSpec number = rooted("c", "id -u; id -g");
  number.command.user = "77:78";
  EXPECT_EQ(output(number), "77\n78\n");
}

TEST_P(RootTest, ResolvesNamesAsTheMachineDoesOrAsItsNetworkDoes) {
  // A link that leads nowhere is in many images.
  fs::create_symlink("../run/nonesuch/resolv.conf", image_ / "etc/resolv.conf");
  EXPECT_EQ(output("a", "cat /etc/resolv.conf"), text_of("/etc/resolv.conf"));
  asked_.hostname = "web-1";
  asked_.network = ContainerInfo::Network::kLoopback;
  EXPECT_EQ(output("b", "cat /etc/hostname; cat /etc/hosts"),
            "web-1\n127.0.0.1 localhost\n::1 localhost\n127.0.1.1 web-1\n");
}

TEST_P(RootTest, MayHaveManyLayers) {
  const fs::path upper = home_.directory / "images/upper,with:signs";
  fs::create_directories(upper);
  std::ofstream(upper / "marker") << "upper\n";
  LaunchSpec spec = rooted("a", "cat /marker; ls /bin/sh");
  spec.confinement.root->layers = {upper, image_};
  EXPECT_EQ(output(spec), "upper\n/bin/sh\n");
  // Not beside each other.
  const fs::path elsewhere = home_.directory / "images/deep/er";
  fs::create_directories(elsewhere);
  std::ofstream(elsewhere / "marker") << "deep\n";
  LaunchSpec other = rooted("b", "cat /marker");
  other.confinement.root->layers = {elsewhere, upper, image_};
  EXPECT_EQ(output(other), "deep\n");
  LaunchSpec none = rooted("c", "true");
  none.confinement.root->layers.clear();
  EXPECT_THAT(life_->run_to_failure(none).message, HasSubstr("not a single layer"));
  LaunchSpec many = rooted("d", "true");
  many.confinement.root->layers.assign(1000, image_);
  EXPECT_THAT(life_->run_to_failure(many).message, HasSubstr("1000 layers"));
}

TEST_P(RootTest, IsWhereCommandsBesideItAre) {
  life_->containers().launch(rooted("a",
                                    "echo w:x:4242:0::: >> /etc/passwd; echo x > /dev/shm/x; "
                                    "sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  LaunchSpec beside = rooted("b", "while [ ! -s /dev/shm/x ]; do :; done; cat /marker; pwd; id -u");
  beside.sandbox = life_->spec("a", "").sandbox;
  beside.parent.value = "a";
  beside.command.user = "web";
  beside.confinement.namespaces.reset();
  beside.confinement.steps.clear();
  beside.confinement.directories.clear();
  beside.confinement.root->upper.clear();
  beside.confinement.joins.value = "a";
  EXPECT_EQ(life_->run(beside).exit_status, 0) << life_->owner.exits["b"].stderr_tail;
  EXPECT_EQ(text_of(life_->sandbox("a") / "stdout"), "image\n/mnt/mesos/sandbox\n4242\n");
  life_->containers().kill({.value = "a"});
  ASSERT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"b", "a"});
  EXPECT_TRUE(fs::is_empty(roots()));
}

TEST_P(RootTest, WhatIsLeftOfAnUnknownOneIsRemoved) {
  life_->containers().launch(rooted("a", "mkdir -p /deep/er; echo x > /deep/er/file; sleep 1000"));
  ASSERT_TRUE(life_->run_until("launched a"));
  if (GetParam() == Cgroups::kUsed) life_.reset();
  auto next = std::make_unique<Life>(home_, GetParam());
  EXPECT_EQ(next->unknown_ended, 1);
  EXPECT_TRUE(fs::is_empty(roots()));
  if (life_ != nullptr) {
    ASSERT_TRUE(life_->run_until("exit a"));
    life_->destroy_all({"a"});
  }
  life_ = std::move(next);
}

TEST_P(RootTest, EveryStepThatFailsFailsTheLaunchAndLeavesNothing) {
  const size_t steps = rooted("a", "true").confinement.steps.size();
  for (size_t i = 0; i < steps; ++i) {
    LaunchSpec spec = rooted("a" + std::to_string(i), "true");
    ConfinementStep& broken = spec.confinement.steps[i];
    if (broken.optional) continue;
    broken.source = "/nonesuch/source";
    broken.target = "/dev/null/nonesuch";
    broken.type = "nonesuch";
    broken.slot = 191;  // nothing was opened there
    broken.flags &= ~uint32_t{kRemount};
    EXPECT_FALSE(life_->run_to_failure(spec).message.empty()) << i;
  }
  EXPECT_TRUE(fs::is_empty(home_.directory / "runtime"));
  EXPECT_TRUE(fs::is_empty(roots()));
}

INSTANTIATE_TEST_SUITE_P(Isolation, RootTest, testing::Values(Cgroups::kUsed, Cgroups::kNone),
                         [](const auto& param) {
                           return param.param == Cgroups::kUsed ? "WithCgroups" : "Without";
                         });

}  // namespace
}  // namespace tepui
