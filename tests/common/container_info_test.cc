#include "common/container_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/executors.h"
#include "common/tasks.h"

namespace tepui {
namespace {

using testing::HasSubstr;

std::string why(const ContainerInfo& container) {
  const Result<void> valid = validate(container);
  return valid.has_value() ? "" : valid.error().message;
}

ContainerVolume host(std::string at, std::string source) {
  return {.container_path = std::move(at), .source_path = std::move(source)};
}

TEST(ContainerInfo, IsValidWithoutAnything) { EXPECT_EQ(why({}), ""); }

TEST(ContainerInfo, TakesWhatPeopleWrite) {
  EXPECT_EQ(why({.rootfs = RootFilesystem{.type = RootFilesystem::Type::kOciLayout,
                                          .path = "/srv/images/debian",
                                          .reference = "12"},
                 .volumes = {host("/data", "/srv/data"),
                             host("cache", "/var/cache"),
                             {.source = ContainerVolume::Source::kSandboxPath,
                              .container_path = "/out",
                              .source_path = "out"},
                             {.source = ContainerVolume::Source::kTmpfs,
                              .container_path = "/scratch",
                              .size_bytes = 1 << 20}},
                 .rlimits = {{.type = RlimitType::kNofile, .soft = 1024, .hard = 4096},
                             {.type = RlimitType::kCore}},
                 .capabilities = kDefaultCapabilities,
                 .hostname = "web-1.example"}),
            "");
}

TEST(ContainerInfo, RefusesPathsThatLeadElsewhere) {
  const auto rootfs = [](std::string path) {
    return why({.rootfs = RootFilesystem{.path = std::move(path)}});
  };
  EXPECT_THAT(rootfs(""), HasSubstr("is missing"));
  EXPECT_THAT(rootfs("images/debian"), HasSubstr("must be absolute"));
  EXPECT_THAT(rootfs("/srv/../etc"), HasSubstr("must not contain '..'"));
  EXPECT_THAT(rootfs(std::string("/a\0b", 4)), HasSubstr("zero byte"));
  EXPECT_EQ(rootfs("/srv/..images"), "");

  EXPECT_THAT(why({.volumes = {host("/data", "data")}}), HasSubstr("must be absolute"));
  EXPECT_THAT(why({.volumes = {host("../data", "/data")}}), HasSubstr("must not contain '..'"));
  EXPECT_THAT(why({.volumes = {host("/", "/data")}}), HasSubstr("would hide everything"));
  EXPECT_THAT(why({.volumes = {host("./", "/data")}}), HasSubstr("would hide everything"));
  ContainerVolume sandbox = host("/out", "/etc");
  sandbox.source = ContainerVolume::Source::kSandboxPath;
  EXPECT_THAT(why({.volumes = {sandbox}}), HasSubstr("must be below the sandbox"));
}

TEST(ContainerInfo, RefusesVolumesThatSayTwoThings) {
  EXPECT_THAT(why({.volumes = {host("/a", "/b"), host("/a", "/c")}}),
              HasSubstr("two volumes at '/a'"));
  ContainerVolume memory{.source = ContainerVolume::Source::kTmpfs, .container_path = "/m"};
  EXPECT_EQ(why({.volumes = {memory}}), "");
  memory.source_path = "/data";
  EXPECT_THAT(why({.volumes = {memory}}), HasSubstr("has no source path"));
  memory.source_path.clear();
  memory.read_only = true;
  EXPECT_THAT(why({.volumes = {memory}}), HasSubstr("cannot be read-only"));
  ContainerVolume sized = host("/a", "/b");
  sized.size_bytes = 1;
  EXPECT_THAT(why({.volumes = {sized}}), HasSubstr("which only memory has"));
  EXPECT_THAT(why({.volumes = std::vector<ContainerVolume>(65, memory)}),
              HasSubstr("65 volumes, at most 64"));
}

TEST(ContainerInfo, RefusesAReferenceIntoADirectory) {
  EXPECT_THAT(why({.rootfs = RootFilesystem{.path = "/srv/tree", .reference = "12"}}),
              HasSubstr("no image reference, as '12'"));
}

TEST(ContainerInfo, RefusesLimitsThatContradict) {
  const auto nofile = [](std::optional<uint64_t> soft, std::optional<uint64_t> hard) {
    return why({.rlimits = {{.type = RlimitType::kNofile, .soft = soft, .hard = hard}}});
  };
  EXPECT_EQ(nofile(1, 1), "");
  EXPECT_EQ(nofile(1, std::nullopt), "");
  EXPECT_EQ(nofile(std::nullopt, std::nullopt), "");
  EXPECT_THAT(nofile(2, 1), HasSubstr("nofile: the soft limit is above the hard one of 1"));
  EXPECT_THAT(nofile(std::nullopt, 1), HasSubstr("above the hard one"));
  EXPECT_THAT(why({.rlimits = {{.type = RlimitType::kCpu}, {.type = RlimitType::kCpu}}}),
              HasSubstr("rlimit cpu is twice"));
  EXPECT_THAT(why({.rlimits = {{.type = static_cast<RlimitType>(99)}}}),
              HasSubstr("unknown rlimit 99"));
}

TEST(ContainerInfo, RefusesHostnamesThatTheKernelOrTheNetDoesNotTake) {
  for (const char* bad : {"-a", "a-", ".a", "a.", "a_b", "a b"}) {
    EXPECT_THAT(why({.hostname = bad}), HasSubstr("hostname")) << bad;
  }
  EXPECT_THAT(why({.hostname = std::string(65, 'a')}), HasSubstr("at most 64"));
  EXPECT_EQ(why({.hostname = std::string(64, 'a')}), "");
}

TEST(ContainerInfo, RefusesCapabilitiesThatDoNotExist) {
  EXPECT_THAT(why({.capabilities = CapabilitySet{1} << kCapabilityCount}),
              HasSubstr("do not exist"));
}

TEST(ContainerInfo, NamesLimitsAsTheFieldDoes) {
  for (const char* name : {"nofile", "NOFILE", "RLIMIT_NOFILE", "RLMT_NOFILE"}) {
    EXPECT_EQ(parse_rlimit_type(name), RlimitType::kNofile) << name;
  }
  for (int i = 1; i < kRlimitTypeCount; ++i) {
    const auto type = static_cast<RlimitType>(i);
    EXPECT_EQ(parse_rlimit_type(to_text(type)), type);
  }
  const Result<RlimitType> bad = parse_rlimit_type("nofiles");
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("expected one of as core cpu"));
  EXPECT_FALSE(parse_rlimit_type("").has_value());
}

TEST(ContainerInfo, BelongsToWhoRunsTheCommand) {
  const Resources cpus = Resources::parse("cpus:1").value();
  TaskSpec spec{.resources = cpus, .command = {.value = "true"}, .container = ContainerInfo{}};
  const auto outcome = [](TaskSpec of) {
    const Result<void> valid =
        validate(TaskInfo{.id = {"t"}, .spec = std::make_shared<TaskSpec>(std::move(of))});
    return valid.has_value() ? std::string() : valid.error().message;
  };
  EXPECT_EQ(outcome(spec), "");
  spec.container->hostname = "-";
  EXPECT_THAT(outcome(spec), HasSubstr("container: hostname '-'"));

  ExecutorInfo executor{.id = {"e"}, .command = {.value = "run"}, .container = ContainerInfo{}};
  EXPECT_TRUE(validate(executor).has_value());
  TaskSpec inside{.resources = cpus, .executor = std::make_shared<ExecutorInfo>(executor)};
  EXPECT_EQ(outcome(inside), "");
  inside.container = ContainerInfo{};
  EXPECT_THAT(outcome(inside), HasSubstr("runs in that of its executor"));
  executor.container->hostname = "-";
  EXPECT_FALSE(validate(executor).has_value());
  executor.resources = Resources::parse("cpus:1;mem:64;disk:1").value();
  executor.type = ExecutorInfo::Type::kDefault;
  executor.command = {};
  executor.container = ContainerInfo{};
  EXPECT_THAT(validate(executor).error().message, HasSubstr("each of its tasks says"));
}

}  // namespace
}  // namespace tepui
