#include "agent/linux/volumes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/io/fd.h"

// Goal: a volume's data is there until it is destroyed, then gone, and nothing beside it ever
// changes. Method: real directories.

namespace tepui {
namespace {

namespace fs = std::filesystem;

struct VolumesTest : ::testing::Test {
  fs::path base;
  VolumePlace place;

  VolumesTest() {
    std::string name = (fs::temp_directory_path() / "tepui-volumes-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    base = name;
    place = {.base = base, .directory = "volumes/roles/r/v"};
  }
  ~VolumesTest() override { fs::remove_all(base); }

  fs::path directory() const { return base / place.directory; }
  static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

std::string problem(const Result<void>& result) { return result ? "" : result.error().message; }

TEST_F(VolumesTest, AreMadeOnceAndKeepTheirData) {
  ASSERT_EQ(problem(create_volume(place)), "");
  EXPECT_TRUE(fs::is_empty(directory()));
  write(directory() / "file", "data");
  EXPECT_EQ(problem(create_volume(place)), "");
  EXPECT_EQ(read(directory() / "file"), "data");
}

TEST_F(VolumesTest, AreGoneWithAllTheyHoldAndNothingElse) {
  ASSERT_EQ(problem(create_volume(place)), "");
  const VolumePlace other{.base = base, .directory = "volumes/roles/r/other"};
  ASSERT_EQ(problem(create_volume(other)), "");
  write(base / "outside", "kept");
  fs::create_directories(directory() / "a" / "b" / "a" / ".removing-0");
  write(directory() / "a" / "b" / "deep", "gone");
  fs::create_symlink(base, directory() / "a" / "to-outside");
  fs::create_symlink(base / other.directory, directory() / "to-other");
  write(base / other.directory / "file", "kept too");
  fs::permissions(directory() / "a", fs::perms::none);
  ASSERT_EQ(problem(destroy_volume(place)), "");
  EXPECT_FALSE(fs::exists(directory()));
  EXPECT_EQ(read(base / "outside"), "kept");
  EXPECT_EQ(read(base / other.directory / "file"), "kept too");
  EXPECT_EQ(problem(destroy_volume(place)), "") << "gone already";
  EXPECT_EQ(problem(destroy_volume({.base = base, .directory = "never/was"})), "");
}

TEST_F(VolumesTest, AreGoneHoweverDeepTheyAre) {
  ASSERT_EQ(problem(create_volume(place)), "");
  Fd at(open(directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int depth = 0; depth < 5000; ++depth) {
    ASSERT_EQ(mkdirat(at.get(), "down", 0755), 0);
    at = Fd(openat(at.get(), "down", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  at.reset();
  EXPECT_EQ(problem(destroy_volume(place)), "");
  EXPECT_FALSE(fs::exists(directory()));
}

TEST_F(VolumesTest, AWholeDiskIsOnlyEmptied) {
  const VolumePlace disk{.base = base / "disk", .directory = ""};
  fs::create_directory(disk.base);
  EXPECT_NE(problem(create_volume(disk)).find("nothing is mounted there"), std::string::npos);
  EXPECT_NE(problem(destroy_volume(disk)), "") << "or it would empty what is below";
  ASSERT_EQ(mount("tmpfs", disk.base.c_str(), "tmpfs", 0, "size=1m"), 0) << "needs root";
  EXPECT_EQ(problem(create_volume(disk)), "");
  write(fs::path(disk.base) / "file", "data");
  EXPECT_EQ(problem(destroy_volume(disk)), "");
  EXPECT_TRUE(fs::is_empty(disk.base));
  EXPECT_EQ(umount(disk.base.c_str()), 0);
}

TEST_F(VolumesTest, DisksMustBeThereAndMountedOnesMounted) {
  const auto disk = [this](Disk::Source source, const char* root) {
    return check_disk({.source = source, .source_root = base / root});
  };
  fs::create_directories(base / "a" / "inside");
  fs::create_directory(base / "b");
  EXPECT_EQ(problem(disk(Disk::Source::kPath, "a")), "");
  EXPECT_NE(problem(disk(Disk::Source::kPath, "none")).find("the PATH disk at '"),
            std::string::npos);
  EXPECT_NE(problem(disk(Disk::Source::kMount, "none")).find("ENOENT"), std::string::npos);
  EXPECT_NE(problem(disk(Disk::Source::kMount, "b")).find("nothing is mounted there"),
            std::string::npos);
  EXPECT_EQ(problem(check_disk({})), "") << "the agent's own";
  EXPECT_NE(problem(check_disk({.source = Disk::Source::kMount, .source_root = "/"})), "");
  // Also what is of the same file system.
  ASSERT_EQ(mount((base / "a").c_str(), (base / "b").c_str(), "", MS_BIND, ""), 0) << "needs root";
  EXPECT_EQ(problem(disk(Disk::Source::kMount, "b")), "");
  EXPECT_EQ(umount((base / "b").c_str()), 0);
}

TEST_F(VolumesTest, WhatIsMountedInsideIsLeftAlone) {
  ASSERT_EQ(problem(create_volume(place)), "");
  fs::create_directory(base / "outside");
  write(base / "outside" / "file", "kept");
  fs::create_directories(directory() / "a" / "b");
  const std::string inside = directory() / "a" / "b";
  ASSERT_EQ(mount((base / "outside").c_str(), inside.c_str(), "", MS_BIND, ""), 0) << "needs root";
  EXPECT_NE(problem(destroy_volume(place)), "");
  EXPECT_EQ(read(base / "outside" / "file"), "kept");
  // Wherever it was moved to meanwhile.
  for (const char* where : {"a/b", ".removing-0", ".removing-1"}) {
    if (umount((directory() / where).c_str()) == 0) break;
  }
  EXPECT_EQ(problem(destroy_volume(place)), "") << "again, when nothing is in the way";
  EXPECT_FALSE(fs::exists(directory()));
}

TEST_F(VolumesTest, OnAPathDiskAreBesideWhatElseIsThere) {
  write(base / "theirs", "kept");
  const VolumePlace other{.base = base, .directory = "volumes/roles/r%2Fx/v"};
  ASSERT_EQ(problem(create_volume(place)), "");
  ASSERT_EQ(problem(create_volume(other)), "");
  write(directory() / "file", "data");
  EXPECT_EQ(problem(destroy_volume(place)), "");
  EXPECT_FALSE(fs::exists(directory()));
  EXPECT_TRUE(fs::is_directory(base / other.directory));
  EXPECT_EQ(read(base / "theirs"), "kept");
}

TEST_F(VolumesTest, NeedTheirDisk) {
  place.base = base / "missing";
  EXPECT_NE(problem(create_volume(place)).find("missing: ENOENT"), std::string::npos);
}

TEST_F(VolumesTest, ShowInASandbox) {
  ASSERT_EQ(problem(create_volume(place)), "");
  write(directory() / "file", "data");
  const fs::path sandbox = base / "sandbox";
  fs::create_directory(sandbox);
  const Fd fd(open(sandbox.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const VolumeMount mount{.place = place, .container_path = "a/b/data"};
  ASSERT_EQ(problem(link_volume(fd.get(), mount, std::nullopt)), "");
  EXPECT_EQ(read(sandbox / "a/b/data/file"), "data");
  EXPECT_EQ(problem(link_volume(fd.get(), mount, std::nullopt)), "") << "it is there";
  write(sandbox / "taken", "");
  EXPECT_EQ(problem(link_volume(fd.get(), {.place = place, .container_path = "taken"}, {})),
            "taken is in the way of a volume");
  fs::create_symlink(base, sandbox / "out");
  EXPECT_NE(problem(link_volume(fd.get(), {.place = place, .container_path = "out/x"}, {})), "");
  EXPECT_FALSE(fs::exists(fs::symlink_status(base / "x")));
  EXPECT_NE(
      problem(link_volume(
          fd.get(), {.place = {.base = base, .directory = "none"}, .container_path = "b"}, {})),
      "");
}

}  // namespace
}  // namespace tepui
