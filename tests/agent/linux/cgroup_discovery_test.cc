#include "agent/linux/cgroup_discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Mount mount(std::string type, std::string point, std::string root = "/",
            std::vector<std::string> options = {"rw"}) {
  return Mount{.root = std::move(root),
               .point = std::move(point),
               .type = std::move(type),
               .super_options = std::move(options)};
}

CgroupFacts unified(std::string own) {
  return CgroupFacts{.mounts = {mount("cgroup2", "/sys/fs/cgroup")}, .own_cgroup = std::move(own)};
}

TEST(CgroupDiscovery, FindsTheV2MountWhereverItIs) {
  std::vector<Mount> hybrid = {mount("tmpfs", "/sys/fs/cgroup"),
                               mount("cgroup", "/sys/fs/cgroup/cpu", "/", {"rw", "cpu"}),
                               mount("cgroup2", "/sys/fs/cgroup/unified")};
  ASSERT_NE(find_cgroup2(hybrid), nullptr);
  EXPECT_EQ(find_cgroup2(hybrid)->point, "/sys/fs/cgroup/unified");
}

TEST(CgroupDiscovery, DoesNotTakeAMountThatAnotherOneCovers) {
  std::vector<Mount> covered = {mount("cgroup2", "/cg"), mount("tmpfs", "/cg")};
  EXPECT_EQ(find_cgroup2(covered), nullptr);
  std::vector<Mount> again = {mount("cgroup2", "/cg", "/old"), mount("cgroup2", "/cg", "/new")};
  ASSERT_NE(find_cgroup2(again), nullptr);
  EXPECT_EQ(find_cgroup2(again)->root, "/new");
  std::vector<Mount> from_above = {mount("tmpfs", "/cg"), mount("cgroup2", "/cg/unified"),
                                   mount("cgroup2", "/cg")};
  ASSERT_NE(find_cgroup2(from_above), nullptr);
  EXPECT_EQ(find_cgroup2(from_above)->point, "/cg");
  std::vector<Mount> beside = {mount("cgroup2", "/cg"), mount("tmpfs", "/cg2")};
  EXPECT_NE(find_cgroup2(beside), nullptr);
  std::vector<Mount> root_later = {mount("cgroup2", "/cg"), mount("ext4", "/")};
  EXPECT_NE(find_cgroup2(root_later), nullptr);
}

TEST(CgroupDiscovery, LocatesTheOwnCgroupThroughTheMount) {
  struct Case {
    const char* root;
    const char* text;
    const char* expected;
  };
  for (const Case& c : {Case{"/", "0::/\n", "/cg"}, Case{"/", "0::/a/b\n", "/cg/a/b"},
                        Case{"/", "3:cpu:/x\n0::/a\n", "/cg/a"}, Case{"/a", "0::/a/b\n", "/cg/b"},
                        Case{"/a", "0::/a\n", "/cg"},
                        // Only a part of the hierarchy is mounted, and not ours.
                        Case{"/a", "0::/ab\n", "/cg"}}) {
    auto own = own_cgroup_directory(mount("cgroup2", "/cg", c.root), c.text);
    ASSERT_TRUE(own.has_value()) << c.text;
    EXPECT_EQ(*own, c.expected) << c.root << " " << c.text;
  }
}

TEST(CgroupDiscovery, RefusesACgroupThatCannotBeReached) {
  for (const char* text : {"", "3:cpu:/x\n", "0::/a (deleted)\n", "0::/../b\n", "0::x"}) {
    EXPECT_FALSE(own_cgroup_directory(mount("cgroup2", "/cg"), text).has_value()) << text;
  }
}

TEST(CgroupDiscovery, UsesTheRootOfTheHierarchyWhereNobodyOwnsIt) {
  auto place = choose_cgroup_place(unified("0::/\n"));
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(*place, (CgroupPlace{.mount_point = "/sys/fs/cgroup", .base = "/sys/fs/cgroup"}));
  EXPECT_EQ(choose_cgroup_place(unified("0::/some/job\n"))->base, "/sys/fs/cgroup");
}

TEST(CgroupDiscovery, StaysInsideOfADelegatedCgroup) {
  CgroupFacts facts = unified("0::/system.slice/tepui.service\n");
  facts.has_systemd = true;
  facts.is_delegated = true;
  auto place = choose_cgroup_place(facts);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->base, "/sys/fs/cgroup/system.slice/tepui.service");
  EXPECT_TRUE(place->base_is_own);
}

TEST(CgroupDiscovery, NeverWritesBesideSystemd) {
  for (const char* own : {"0::/\n", "0::/user.slice/session-1.scope\n"}) {
    CgroupFacts facts = unified(own);
    facts.has_systemd = true;
    auto place = choose_cgroup_place(facts);
    ASSERT_FALSE(place.has_value()) << own;
    EXPECT_THAT(place.error().message, HasSubstr("Delegate=yes"));
  }
}

TEST(CgroupDiscovery, SaysThatNothingIsMounted) {
  auto place = choose_cgroup_place(CgroupFacts{.mounts = {}, .own_cgroup = "0::/\n"});
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().message, "no cgroup v2 file system is mounted");
}

TEST(CgroupDiscovery, ExplainsWhereAMissingControllerIs) {
  std::vector<Mount> mounts = {mount("cgroup", "/cg/cpu", "/", {"rw", "cpu", "cpuacct"}),
                               mount("cgroup2", "/cg/unified")};
  EXPECT_THAT(
      explain_missing_controllers(mounts, {"cpu", "memory", "pids"}, {"pids"}),
      ElementsAre(
          "the cpu controller cannot be used: it is bound to the cgroup v1 mount at /cg/cpu",
          HasSubstr("the memory controller cannot be used: the cgroup v2 hierarchy")));
  EXPECT_TRUE(explain_missing_controllers(mounts, {"pids"}, {"pids"}).empty());
}

}  // namespace
}  // namespace tepui
