// Goal: directories are made as deep as wanted, and only where the path itself leads. Method: a
// folder with links in it.

#include "agent/linux/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tepui {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tepui-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directories(folder_ / "here");
    fs::create_directories(folder_ / "elsewhere");
    directory_ = *open_directory_at(AT_FDCWD, (folder_ / "here").string());
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<Fd> make(std::string_view path) {
    return make_directories_at(directory_.get(), path, 0750);
  }
  // Whether the descriptor is the one of this path.
  bool is_at(const Result<Fd>& made, const fs::path& path) {
    struct stat held{};
    struct stat named{};
    return made.has_value() && fstat(made->get(), &held) == 0 &&
           stat((folder_ / path).c_str(), &named) == 0 && held.st_ino == named.st_ino;
  }

  fs::path folder_;
  Fd directory_;
};

TEST_F(FilesTest, DirectoriesAreMadeWhereTheyAreMissing) {
  EXPECT_TRUE(is_at(make("a"), "here/a"));
  EXPECT_TRUE(is_at(make("a/b/c"), "here/a/b/c"));
  EXPECT_TRUE(is_at(make("a/b/d/e/f"), "here/a/b/d/e/f"));
  EXPECT_TRUE(is_at(make("a/b/d"), "here/a/b/d"));
  EXPECT_TRUE(is_at(make("a/b/d/e/f"), "here/a/b/d/e/f")) << "again";
  for (const char* path : {"a", "a/b", "a/b/d/e/f"}) {
    struct stat status{};
    ASSERT_EQ(stat((folder_ / "here" / path).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0750u) << path;
  }
}

TEST_F(FilesTest, DirectoriesAreNotMadeThroughALink) {
  fs::create_directories(folder_ / "here/a");
  for (const char* link : {"link", "a/link"}) {
    fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "here" / link);
    EXPECT_FALSE(make(link).has_value());
    EXPECT_FALSE(make(std::string(link) + "/x").has_value());
    EXPECT_FALSE(make(std::string(link) + "/x/y").has_value());
  }
  fs::create_directories(folder_ / "elsewhere/x");
  EXPECT_FALSE(make("link/x").has_value());
  EXPECT_FALSE(make("a/link/x/y").has_value());
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere/x"));
}

TEST_F(FilesTest, DirectoriesAreNotMadeOutside) {
  fs::create_directories(folder_ / "here/a");
  for (const char* path : {"", ".", "..", "../elsewhere", "a/..", "a/../b", "a//b", "/a", "./a"}) {
    EXPECT_FALSE(make(path).has_value()) << path;
  }
  EXPECT_FALSE(fs::exists(folder_ / "here/b"));
}

TEST_F(FilesTest, AFileInTheWayIsSaid) {
  std::ofstream(folder_ / "here/file") << "x";
  const Result<Fd> made = make("file/a");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ENOTDIR) << made.error().message;
}

}  // namespace
}  // namespace tepui
