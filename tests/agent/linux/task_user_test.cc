#include "agent/linux/task_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr IdRange kRange{.first = 100'000, .count = 65'536};

class TaskUserTest : public testing::Test {
 protected:
  TaskUserTest() {
    std::string pattern = (fs::temp_directory_path() / "tepui-test-XXXXXX").string();
    top_ = mkdtemp(pattern.data());
    fs::create_directories(top_ / "layer/etc");
    std::ofstream(top_ / "layer/etc/passwd") << "web:x:33:34:::\nfar:x:70000:34:::\n";
    std::ofstream(top_ / "layer/etc/group") << "data:x:5:web\n";
  }
  ~TaskUserTest() override { fs::remove_all(top_); }

  LaunchSpec imaged(const std::string& user) const {
    LaunchSpec spec;
    spec.command.user = user;
    spec.confinement.root = ContainerRoot{.layers = {top_ / "layer"}, .upper = {}};
    spec.image = RootFilesystem{
        .type = RootFilesystem::Type::kOciLayout, .path = "/images/app", .reference = "v1"};
    return spec;
  }

  fs::path top_;
};

TEST_F(TaskUserTest, IsTheImagesByName) {
  const TaskUser web = find_task_user(imaged("web"), "", std::nullopt).value();
  EXPECT_EQ(web.within, (UserIds{.uid = 33, .gid = 34, .groups = {5, 34}}));
  EXPECT_EQ(web.outside, web.within);
  EXPECT_EQ(find_task_user(imaged("web:data"), "", std::nullopt)->within->gid, 5u);
}

TEST_F(TaskUserTest, IsNamedWithItsImageWhereThatDoesNotKnowIt) {
  EXPECT_EQ(
      find_task_user(imaged("db"), "", std::nullopt).error().message,
      "the image /images/app:v1: there is no user \"db\" in the container's root file system");
  EXPECT_THAT(find_task_user(imaged("web:wheel"), "", std::nullopt).error().message,
              testing::AllOf(HasSubstr("/images/app:v1"), HasSubstr("\"wheel\"")));
}

TEST_F(TaskUserTest, IsAnotherOutsideOfAUserNamespace) {
  const TaskUser web = find_task_user(imaged("web"), "", kRange).value();
  EXPECT_EQ(web.within->uid, 33u);
  EXPECT_EQ(web.outside->uid, 100'033u);
  EXPECT_EQ(web.outside->gid, 100'034u);
  EXPECT_THAT(web.outside->groups, ElementsAre(100'005, 100'034));
  EXPECT_EQ(find_task_user(imaged("far"), "", kRange).error().message,
            "the user \"far\" has the id 70000, and a user namespace only 65536");
}

TEST_F(TaskUserTest, IsRootOfTheUserNamespaceWhereNobodyIsNamed) {
  LaunchSpec spec;
  EXPECT_FALSE(find_task_user(spec, "", std::nullopt)->within.has_value());
  const TaskUser root = find_task_user(spec, "", kRange).value();
  EXPECT_EQ(root.within, (UserIds{.uid = 0, .gid = 0, .groups = {0}}));
  EXPECT_EQ(root.outside->uid, 100'000u);
}

TEST_F(TaskUserTest, IsLookedUpWhereTheContainerRuns) {
  fs::create_directories(top_ / "merged/etc");
  std::ofstream(top_ / "merged/etc/passwd") << "web:x:77:78:::\n";
  EXPECT_EQ(find_task_user(imaged("web"), top_ / "merged", std::nullopt)->within->uid, 77u);
}

}  // namespace
}  // namespace tepui
