#include "agent/shell/ground.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GroundTest : public testing::Test {
 protected:
  GroundTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tepui-test-XXXXXX").string();
    top_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(top_ / "images");
    std::filesystem::create_directory_symlink(top_, top_ / "images/link");
    options_.work_dir = top_ / "work";
    options_.runtime_dir = top_ / "run";
    options_.resources = "cpus:1;mem:64;disk:64";
    options_.isolators = {"none"};
  }
  ~GroundTest() override { std::filesystem::remove_all(top_); }

  std::string problem() const {
    const Result<Ground> ground = prepare_ground(options_);
    return ground ? "no problem" : ground.error().message;
  }

  std::filesystem::path top_;
  GroundOptions options_;
};

TEST_F(GroundTest, ShowsTasksWhatTheOperatorNames) {
  options_.image_directories = {top_.string() + "//images/"};
  options_.volume_host_paths = {top_ / "images"};
  const Result<Ground> ground = prepare_ground(options_);
  ASSERT_TRUE(ground) << ground.error().message;
  EXPECT_THAT(ground->confinement.image_directories, ElementsAre(top_ / "images"));
  EXPECT_THAT(ground->confinement.volume_host_paths, ElementsAre(top_ / "images"));
}

TEST_F(GroundTest, ShowsNobodyWhatIsOfOthers) {
  // Above it, in it, it, and all of that by a link.
  for (const char* path : {"", "/work/x", "/work", "/run", "/images/link"}) {
    std::filesystem::create_directories(top_ / "work/x");
    options_.image_directories = {top_.string() + path};
    EXPECT_THAT(problem(), HasSubstr("which tasks must not see")) << path;
    EXPECT_THAT(problem(), HasSubstr("--image-dir: ")) << path;
    std::swap(options_.image_directories, options_.volume_host_paths);
    EXPECT_THAT(problem(), HasSubstr("--volume-host-paths: ")) << path;
    options_.volume_host_paths.clear();
  }
}

TEST_F(GroundTest, RefusesWhatIsNoDirectory) {
  options_.image_directories = {"images"};
  EXPECT_THAT(problem(), HasSubstr("'images' is not the absolute path of a directory"));
  options_.image_directories = {top_ / "nonesuch"};
  EXPECT_THAT(problem(), HasSubstr("nonesuch' is not the absolute path of a directory"));
}

}  // namespace
}  // namespace tepui
