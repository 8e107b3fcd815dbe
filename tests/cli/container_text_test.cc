#include "cli/container_text.h"

#include <gtest/gtest.h>

// Goal: what people write of a container is what is asked for, or the error says what is wrong.

namespace tepui::cli {
namespace {

using Source = ContainerVolume::Source;

ContainerInfo parse(const ContainerTexts& texts) {
  const auto container = parse_container(texts);
  EXPECT_TRUE(container) << container.error().message;
  return container->value_or(ContainerInfo{});
}
std::string problem(const ContainerTexts& texts) {
  const auto container = parse_container(texts);
  return container ? "no problem" : container.error().message;
}

TEST(ContainerText, NothingAsksForNothing) {
  EXPECT_FALSE(parse_container({})->has_value());
  EXPECT_EQ(parse({.network = "host", .seccomp = "default"}), ContainerInfo{});
}

TEST(ContainerText, VolumesComeFromTheMachineTheSandboxOrMemory) {
  const ContainerInfo container =
      parse({.volumes = {"/srv/a:/a", "/srv/b:b:ro", "out:/c:rw"}, .tmpfs = {"/d", "/e:2MB"}});
  ASSERT_EQ(container.volumes.size(), 5u);
  EXPECT_EQ(container.volumes[0],
            (ContainerVolume{
                .source = Source::kHostPath, .container_path = "/a", .source_path = "/srv/a"}));
  EXPECT_EQ(container.volumes[1], (ContainerVolume{.source = Source::kHostPath,
                                                   .container_path = "b",
                                                   .source_path = "/srv/b",
                                                   .read_only = true}));
  EXPECT_EQ(container.volumes[2],
            (ContainerVolume{
                .source = Source::kSandboxPath, .container_path = "/c", .source_path = "out"}));
  EXPECT_EQ(container.volumes[3],
            (ContainerVolume{.source = Source::kTmpfs, .container_path = "/d"}));
  EXPECT_EQ(container.volumes[4].size_bytes, 2u << 20);
  EXPECT_EQ(problem({.volumes = {"/srv/a"}}),
            "volume: '/srv/a' is not SOURCE:CONTAINER or SOURCE:CONTAINER:ro");
  EXPECT_NE(problem({.volumes = {"/a:/b:/c"}}), "no problem");
  EXPECT_NE(problem({.volumes = {":/c"}}), "no problem");
  EXPECT_NE(problem({.tmpfs = {"/d:much"}}), "no problem");
  EXPECT_NE(problem({.tmpfs = {"/d:0"}}), "no problem");
  EXPECT_NE(problem({.volumes = {"/srv/../etc:/a"}}), "no problem");
}

TEST(ContainerText, LimitsHaveOneNumberOrTwo) {
  const ContainerInfo container =
      parse({.rlimits = {"nofile=10:20", "core=0", "RLIMIT_MEMLOCK=unlimited", "cpu=5:unlimited"}});
  EXPECT_EQ(container.rlimits[0], (Rlimit{.type = RlimitType::kNofile, .soft = 10, .hard = 20}));
  EXPECT_EQ(container.rlimits[1], (Rlimit{.type = RlimitType::kCore, .soft = 0, .hard = 0}));
  EXPECT_EQ(container.rlimits[2], (Rlimit{.type = RlimitType::kMemlock, .soft = {}, .hard = {}}));
  EXPECT_EQ(container.rlimits[3], (Rlimit{.type = RlimitType::kCpu, .soft = 5, .hard = {}}));
  EXPECT_EQ(problem({.rlimits = {"nofile"}}),
            "rlimit: 'nofile' is not NAME=SOFT:HARD or NAME=BOTH");
  EXPECT_EQ(problem({.rlimits = {"nofile=x"}}), "rlimit: 'x' is neither a number nor unlimited");
  EXPECT_NE(problem({.rlimits = {"nofile=20:10"}}), "no problem");
}

TEST(ContainerText, TheRestIsTakenAsItIs) {
  const ContainerInfo container = parse({.rootfs = "/images/x",
                                         .read_only_rootfs = true,
                                         .capabilities = {"chown", "CAP_KILL"},
                                         .hostname = "web",
                                         .network = "loopback",
                                         .seccomp = "unconfined",
                                         .user_namespace = true,
                                         .shm_size = "1MB"});
  EXPECT_EQ(container.rootfs->path, "/images/x");
  EXPECT_TRUE(container.rootfs->read_only);
  EXPECT_EQ(container.capabilities, CapabilitySet{0b100001});
  EXPECT_EQ(container.hostname, "web");
  EXPECT_EQ(container.network, ContainerInfo::Network::kLoopback);
  EXPECT_EQ(container.seccomp, ContainerInfo::Seccomp::kUnconfined);
  EXPECT_TRUE(container.user_namespace);
  EXPECT_EQ(container.shm_bytes, 1u << 20);
  EXPECT_NE(problem({.network = "bridge"}), "no problem");
  EXPECT_NE(problem({.seccomp = "none"}), "no problem");
  EXPECT_NE(problem({.capabilities = {"fly"}}), "no problem");
  EXPECT_NE(problem({.rootfs = "relative"}), "no problem");
}

}  // namespace
}  // namespace tepui::cli
