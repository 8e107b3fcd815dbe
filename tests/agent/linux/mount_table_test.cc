#include "agent/linux/mount_table.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

TEST(MountTable, ReadsMountsWithAndWithoutOptionalFields) {
  auto mounts = parse_mountinfo(
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
      "41 31 0:38 /below /sys/fs/cgroup/unified rw shared:5 master:2 - cgroup2 cgroup2 "
      "rw,nsdelegate\n");
  ASSERT_TRUE(mounts.has_value()) << mounts.error().message;
  ASSERT_EQ(mounts->size(), 2u);
  EXPECT_EQ((*mounts)[0], (Mount{.root = "/",
                                 .point = "/sys/fs/cgroup",
                                 .type = "tmpfs",
                                 .super_options = {"rw", "mode=755"}}));
  EXPECT_EQ((*mounts)[1], (Mount{.root = "/below",
                                 .point = "/sys/fs/cgroup/unified",
                                 .type = "cgroup2",
                                 .super_options = {"rw", "nsdelegate"}}));
}

TEST(MountTable, UndoesTheKernelsEscapes) {
  auto mounts = parse_mountinfo("1 2 0:1 / /a\\040b\\134c\\1 rw - ext4 /dev/x rw\n");
  ASSERT_TRUE(mounts.has_value());
  EXPECT_EQ((*mounts)[0].point, "/a b\\c\\1");
}

TEST(MountTable, UndoesAnEscapeAtTheVeryEnd) {
  auto mounts = parse_mountinfo("1 2 0:1 / /a\\040 rw - ext4 /dev/x rw\n");
  ASSERT_TRUE(mounts.has_value());
  EXPECT_EQ((*mounts)[0].point, "/a ");
}

TEST(MountTable, RefusesALineThatIsCutShort) {
  for (const char* text : {"31 23 0:28 / /sys", "31 23 0:28 / /sys rw - tmpfs", "31 - a b c"}) {
    auto mounts = parse_mountinfo(text);
    ASSERT_FALSE(mounts.has_value()) << text;
    EXPECT_NE(mounts.error().message.find("line 1 of mountinfo"), std::string::npos);
  }
}

TEST(MountTable, OfNothingIsEmpty) {
  auto mounts = parse_mountinfo("");
  ASSERT_TRUE(mounts.has_value());
  EXPECT_TRUE(mounts->empty());
}

}  // namespace
}  // namespace tepui
