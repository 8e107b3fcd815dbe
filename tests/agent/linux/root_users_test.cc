#include "agent/linux/root_users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RootUsers : public testing::Test {
 protected:
  RootUsers() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tepui-test-XXXXXX").string();
    top_ = mkdtemp(pattern.data());
  }
  ~RootUsers() override { std::filesystem::remove_all(top_); }

  std::string layer(const std::string& name, const std::string& passwd, const std::string& group) {
    const std::filesystem::path etc = top_ / name / "etc";
    std::filesystem::create_directories(etc);
    if (!passwd.empty()) std::ofstream(etc / "passwd") << passwd;
    if (!group.empty()) std::ofstream(etc / "group") << group;
    return top_ / name;
  }

  std::filesystem::path top_;
};

constexpr const char* kPasswd = "root:x:0:0::/:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
constexpr const char* kGroup = "web:x:34:\nlog:x:4:other,web\nno:x:5:webber\n";

TEST_F(RootUsers, AreThoseOfTheFiles) {
  const std::vector<std::string> layers = {layer("a", kPasswd, kGroup)};
  const UserIds web = **user_in_root(layers, "web");
  EXPECT_EQ(web.uid, 33u);
  EXPECT_EQ(web.gid, 34u);
  EXPECT_THAT(web.groups, ElementsAre(4, 34));
  EXPECT_EQ(**user_in_root(layers, "33"), web);
  EXPECT_EQ(**user_in_root(layers, "web:log"), (UserIds{.uid = 33, .gid = 4, .groups = {4}}));
  EXPECT_THAT(user_in_root(layers, "daemon").error().message, HasSubstr("no user \"daemon\""));
  EXPECT_THAT(user_in_root(layers, "web:wheel").error().message, HasSubstr("no group \"wheel\""));
  EXPECT_FALSE(user_in_root(layers, "")->has_value());
}

TEST_F(RootUsers, MayBeNumbersThatNobodyKnows) {
  EXPECT_EQ(**user_in_root({layer("a", kPasswd, kGroup)}, "1000:7"),
            (UserIds{.uid = 1000, .gid = 7, .groups = {7}}));
  EXPECT_EQ(**user_in_root({layer("b", "", "")}, "1000"),
            (UserIds{.uid = 1000, .gid = 0, .groups = {0}}));
}

TEST_F(RootUsers, AreThoseOfTheUppermostLayerThatHasThem) {
  const std::vector<std::string> layers = {layer("top", "", ""),
                                           layer("middle", "web:x:99:99:::\n", ""),
                                           layer("bottom", kPasswd, kGroup)};
  EXPECT_EQ((*user_in_root(layers, "web"))->uid, 99u);
}

TEST_F(RootUsers, AreNotThoseThatALayerAboveHides) {
  const std::string bottom = layer("bottom", "own:x:4321:4321:::\n", "");
  const std::string top = layer("top", "", "");
  ASSERT_EQ((*user_in_root({top, bottom}, "own"))->uid, 4321u);
  if (setxattr((top + "/etc").c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
    GTEST_SKIP() << "only root hides";
  }
  EXPECT_FALSE(user_in_root({top, bottom}, "own").has_value());
  std::filesystem::remove_all(top + "/etc");
  ASSERT_EQ((*user_in_root({top, bottom}, "own"))->uid, 4321u);
  ASSERT_EQ(mknod((top + "/etc").c_str(), S_IFCHR, 0), 0);
  EXPECT_FALSE(user_in_root({top, bottom}, "own").has_value());
}

TEST_F(RootUsers, AreThoseOfTheMachineWhereThereAreNone) {
  EXPECT_EQ((*user_in_root({layer("a", "", "")}, "root"))->uid, 0u);
  EXPECT_NE((*user_in_root({layer("a", "", "")}, "nobody"))->uid, 0u);
  EXPECT_FALSE(user_in_root({layer("a", "", "")}, "no-such-user").has_value());
}

TEST_F(RootUsers, AreNotReadThroughLinksThatLeadOut) {
  const std::string root = layer("a", "", "");
  std::ofstream(top_ / "passwd") << "web:x:77:77:::\n";
  std::filesystem::create_symlink("../../passwd", root + "/etc/passwd");
  // The link leads to the root's own /passwd, which is not there.
  EXPECT_THAT(user_in_root({root}, "web").error().message, HasSubstr("no user \"web\""));
  std::filesystem::remove(root + "/etc/passwd");
  ASSERT_EQ(mkfifo((root + "/etc/passwd").c_str(), 0600), 0);
  EXPECT_THAT(user_in_root({root}, "web").error().message, HasSubstr("is no file"));
}

}  // namespace
}  // namespace tepui
