#include "agent/linux/shim_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>

#include "agent/linux/shim_protocol.h"

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ShimSpec, RunsAShellCommandByTheShell) {
  ShimSpec spec = make_shim_spec(CommandInfo{.shell = true, .value = "a | b"}, {}, "/box");
  EXPECT_EQ(spec.program, "/bin/sh");
  EXPECT_THAT(spec.arguments, ElementsAre("sh", "-c", "a | b"));
  EXPECT_EQ(spec.directory, "/box");
}

TEST(ShimSpec, RunsAProgramWithItsArguments) {
  ShimSpec bare = make_shim_spec(CommandInfo{.shell = false, .value = "true"}, {}, "/box");
  EXPECT_EQ(bare.program, "true");
  EXPECT_THAT(bare.arguments, ElementsAre("true"));
  ShimSpec named = make_shim_spec(
      CommandInfo{.shell = false, .value = "/bin/busybox", .arguments = {"ls", "-l"}}, {}, "/box");
  EXPECT_EQ(named.program, "/bin/busybox");
  EXPECT_THAT(named.arguments, ElementsAre("ls", "-l"));
}

TEST(ShimSpec, PutsARelativeWorkingDirectoryBelowTheSandbox) {
  CommandInfo command{.value = "x", .working_directory = "sub/dir"};
  EXPECT_EQ(make_shim_spec(command, {}, "/box").directory, "/box/sub/dir");
  command.working_directory = "/srv";
  EXPECT_EQ(make_shim_spec(command, {}, "/box").directory, "/srv");
}

TEST(ShimSpec, IsLaidOutAsTheShimReadsIt) {
  auto bytes = encode_shim_spec(ShimSpec{.program = "/p",
                                         .arguments = {"p", "-x"},
                                         .directory = "/d",
                                         .environment = {{"A", "1"}, {"B", ""}},
                                         .user = UserIds{.uid = 5, .gid = 6, .groups = {7, 8}}});
  ASSERT_TRUE(bytes.has_value());
  ShimSpecHeader header;
  std::memcpy(&header, bytes->data(), sizeof header);
  EXPECT_EQ(header.magic, kShimSpecMagic);
  EXPECT_EQ(header.bytes, bytes->size());
  EXPECT_EQ(header.switch_user, 1u);
  EXPECT_EQ(header.uid, 5u);
  EXPECT_EQ(header.gid, 6u);
  EXPECT_EQ(header.group_count, 2u);
  using namespace std::string_view_literals;
  EXPECT_EQ(std::string_view(*bytes).substr(sizeof header + 8), "/p\0/d\0p\0-x\0A=1\0B=\0"sv);
}

TEST(ShimSpec, NamesLimitsAsTheKernelDoes) {
  ShimSpec spec{.program = "/p", .directory = "/"};
  spec.confinement.rlimits = {{.type = RlimitType::kNofile, .soft = 3, .hard = 4},
                              {.type = RlimitType::kStack, .soft = {}, .hard = {}}};
  auto bytes = encode_shim_spec(spec);
  ASSERT_TRUE(bytes.has_value());
  ShimSpecHeader header;
  std::memcpy(&header, bytes->data(), sizeof header);
  ASSERT_EQ(header.rlimit_count, 2u);
  ShimRlimit limits[2];
  std::memcpy(limits, bytes->data() + sizeof header, sizeof limits);
  EXPECT_EQ(limits[0].resource, static_cast<uint32_t>(RLIMIT_NOFILE));
  EXPECT_EQ(limits[0].soft, 3u);
  EXPECT_EQ(limits[0].hard, 4u);
  EXPECT_EQ(limits[1].resource, static_cast<uint32_t>(RLIMIT_STACK));
  EXPECT_EQ(limits[1].soft, RLIM_INFINITY);
  EXPECT_EQ(limits[1].hard, RLIM_INFINITY);
}

TEST(ShimSpec, PutsARootTogetherOfItsLayers) {
  Confinement confinement;
  confinement.steps = {{.kind = StepKind::kRoot, .target = "/box"}};
  confinement.root = ContainerRoot{.layers = {"/store/b", "/store/a,1"}, .upper = "/up"};
  std::vector<ConfinementStep> steps = complete_steps(confinement);
  ASSERT_EQ(steps.size(), 5u);
  EXPECT_EQ(steps[0].target, "/up/upper");
  EXPECT_EQ(steps[1].target, "/up/work");
  EXPECT_EQ(steps[2].target, "/store");
  EXPECT_EQ(steps[3].target, "/box");
  EXPECT_EQ(steps[3].data, "lowerdir=b:a\\,1,upperdir=/up/upper,workdir=/up/work,volatile");
  EXPECT_EQ(steps[4].kind, StepKind::kPivot);
  // Not beside each other; and nothing is written to a disk.
  confinement.root = ContainerRoot{.layers = {"/store/b", "/a"}, .read_only = true};
  steps = complete_steps(confinement);
  ASSERT_EQ(steps.size(), 6u);
  EXPECT_EQ(steps[0].type, "tmpfs");
  EXPECT_EQ(steps[3].target, "/");
  EXPECT_EQ(steps[4].data, "lowerdir=/store/b:/a,upperdir=/box/upper,workdir=/box/work,volatile");
}

TEST(ShimSpec, MapsTheIdsOfLayersForAUserNamespace) {
  Confinement confinement;
  put(confinement.namespaces, Isolator::kUserNamespace);
  confinement.steps = {{.kind = StepKind::kRoot, .target = "/box"}};
  confinement.root = ContainerRoot{.layers = {"/store/b", "/a"}, .upper = "/up"};
  const std::vector<ConfinementStep> steps = complete_steps(confinement);
  ASSERT_EQ(steps.size(), 12u);
  EXPECT_EQ(steps[0].type, "tmpfs");
  EXPECT_EQ(steps[3].source, "/store/b");
  EXPECT_EQ(steps[3].flags, uint32_t{kReadOnly} | kMapIds);
  EXPECT_EQ(steps[5].target, "/box/0");
  EXPECT_EQ(steps[6].source, "/a");
  EXPECT_EQ(steps[8].target, "/box/1");
  EXPECT_EQ(steps[9].target, "/box");
  EXPECT_EQ(steps[10].data, "lowerdir=0:1,upperdir=/up/upper,workdir=/up/work,volatile");
}

TEST(ShimSpec, SaysWhichIdsAreWhoseInAUserNamespace) {
  ShimSpec spec{.program = "/p", .directory = "/", .ids = IdRange{.first = 70'000, .count = 9}};
  put(spec.confinement.namespaces, Isolator::kUserNamespace);
  spec.confinement.steps = {
      {.kind = StepKind::kMount, .target = "/t", .type = "tmpfs", .data = "x,gid=5"},
      {.kind = StepKind::kMount, .target = "/d", .type = "devpts", .data = "x,gid=5"}};
  const std::string bytes = encode_shim_spec(spec).value();
  ShimSpecHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ(header.ids_first, 70'000u);
  EXPECT_EQ(header.ids_count, 9u);
  using namespace std::string_view_literals;
  EXPECT_TRUE(bytes.ends_with("\0/t\0tmpfs\0x,gid=5\0\0/d\0devpts\0x,gid=70005\0"sv));
  spec.ids.reset();
  EXPECT_TRUE(encode_shim_spec(spec)->ends_with("devpts\0x,gid=5\0"sv));
}

TEST(ShimSpec, RefusesWhatNoProgramCouldReceive) {
  const std::string zero("a\0b", 3);
  EXPECT_FALSE(encode_shim_spec(ShimSpec{.program = ""}).has_value());
  EXPECT_FALSE(encode_shim_spec(ShimSpec{.program = zero}).has_value());
  EXPECT_FALSE(encode_shim_spec(ShimSpec{.program = "p", .arguments = {zero}}).has_value());
  EXPECT_FALSE(encode_shim_spec(ShimSpec{.program = "p", .directory = zero}).has_value());
  auto named = encode_shim_spec(ShimSpec{.program = "p", .environment = {{"A=B", "c"}}});
  ASSERT_FALSE(named.has_value());
  EXPECT_THAT(named.error().message, HasSubstr("\"A=B\""));
  EXPECT_FALSE(encode_shim_spec(ShimSpec{.program = "p", .environment = {{"", "c"}}}).has_value());
  EXPECT_FALSE(
      encode_shim_spec(ShimSpec{.program = "p", .environment = {{"A", zero}}}).has_value());
}

}  // namespace
}  // namespace tepui
