// Goal: a sandbox in an image holds no more than it may, comes back after its agent, and leaves
// neither a mount nor a loop device nor a file. Method: real images below a directory of this test.
// Skips where this machine cannot mount one.

#include "agent/linux/disk_image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/linux/files.h"

namespace tepui {
namespace {

using testing::HasSubstr;

constexpr int64_t kMb = 1 << 20;

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class DiskImageTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/tepui-image-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    work_dir_ = name;
    Result<std::unique_ptr<DiskImages>> images = DiskImages::create(work_dir_);
    if (!images) GTEST_SKIP() << images.error().message;
    images_ = *std::move(images);
  }
  void TearDown() override {
    EXPECT_FALSE(is_mounted()) << "something is still mounted";
    while (is_mounted() && umount2(sandbox().c_str(), MNT_DETACH) == 0) {
    }
    std::filesystem::remove_all(work_dir_);
  }
  std::string sandbox() const { return work_dir_ + "/agents/one"; }
  bool is_mounted() const { return slurp("/proc/mounts").find(sandbox()) != std::string::npos; }
  bool has_image() const { return std::filesystem::exists(work_dir_ + "/disks/one"); }
  void mount(int64_t bytes) {
    const Result<void> mounted = images_->mount("one", "agents/one", bytes);
    ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
  }
  void release(const DiskImages& images) {
    const Result<void> released = images.release("one");
    ASSERT_TRUE(released.has_value()) << released.error().message;
  }
  // How much of so much could be written.
  int64_t write_file(const std::string& name, int64_t bytes) const {
    const Fd file(open((sandbox() + "/" + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    const std::string part(64 << 10, 'x');
    int64_t written = 0;
    while (written < bytes) {
      const ssize_t wrote = ::write(file.get(), part.data(), part.size());
      if (wrote <= 0) break;
      written += wrote;
    }
    return written;
  }

  std::string work_dir_;
  std::unique_ptr<DiskImages> images_;
};

TEST_F(DiskImageTest, ASandboxHoldsNoMoreThanItsImage) {
  mount(16 * kMb);
  EXPECT_TRUE(std::filesystem::is_empty(sandbox()));
  struct statvfs facts{};
  ASSERT_EQ(statvfs(sandbox().c_str(), &facts), 0);
  EXPECT_TRUE((facts.f_flag & ST_NOSUID) != 0);
  EXPECT_TRUE((facts.f_flag & ST_NODEV) != 0);
  const int64_t written = write_file("filler", 32 * kMb);
  EXPECT_GT(written, 12 * kMb);
  EXPECT_LT(written, 16 * kMb);
  struct stat image{};
  ASSERT_EQ(stat((work_dir_ + "/disks/one/ext4").c_str(), &image), 0);
  EXPECT_EQ(image.st_size, 16 * kMb);
  release(*images_);
}

TEST_F(DiskImageTest, AnImageIsSparseAndEmptyAgainWhenItIsReleased) {
  mount(1024 * kMb);
  struct stat image{};
  ASSERT_EQ(stat((work_dir_ + "/disks/one/ext4").c_str(), &image), 0);
  EXPECT_EQ(image.st_size, 1024 * kMb);
  EXPECT_LT(image.st_blocks * 512, 16 * kMb);
  // As whoever has the mount in a namespace of his own keeps the file.
  const Fd held(open((work_dir_ + "/disks/one/ext4").c_str(), O_RDONLY | O_CLOEXEC));
  write_file("filler", 8 * kMb);
  release(*images_);
  ASSERT_EQ(fstat(held.get(), &image), 0);
  EXPECT_EQ(image.st_nlink, 0u);
  EXPECT_EQ(image.st_size, 0);
}

TEST_F(DiskImageTest, NothingIsLeftButTheEndOfTheOutput) {
  mount(8 * kMb);
  struct stat status{};
  ASSERT_EQ(stat(sandbox().c_str(), &status), 0);
  const std::string device = "/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" +
                             std::to_string(minor(status.st_dev)) + "/loop/backing_file";
  EXPECT_THAT(slurp(device), HasSubstr("/disks/one/ext4"));
  std::ofstream(sandbox() + "/stdout") << std::string(3 * kMb, 'a') << "the end";
  std::ofstream(sandbox() + "/stderr") << "what went wrong";
  std::ofstream(sandbox() + "/other") << "gone";
  release(*images_);
  EXPECT_FALSE(is_mounted());
  EXPECT_FALSE(has_image());
  EXPECT_THAT(slurp(device), testing::Not(HasSubstr("/disks/one/ext4")));
  EXPECT_EQ(slurp(sandbox() + "/stderr"), "what went wrong");
  const std::string kept = slurp(sandbox() + "/stdout");
  EXPECT_EQ(kept.size(), size_t{DiskImages::kKeptBytes});
  EXPECT_TRUE(kept.ends_with("the end"));
  EXPECT_FALSE(std::filesystem::exists(sandbox() + "/other"));
  release(*images_);
}

TEST_F(DiskImageTest, OutputThatIsALinkIsNotFollowed) {
  mount(8 * kMb);
  std::ofstream(work_dir_ + "/secret") << "secret";
  ASSERT_EQ(symlink((work_dir_ + "/secret").c_str(), (sandbox() + "/stdout").c_str()), 0);
  release(*images_);
  EXPECT_FALSE(std::filesystem::exists(sandbox() + "/stdout"));
}

TEST_F(DiskImageTest, ANextLifeReleasesWhatNobodyKnows) {
  mount(8 * kMb);
  images_.reset();
  EXPECT_TRUE(is_mounted()) << "an image outlives its agent";
  const std::unique_ptr<DiskImages> next = DiskImages::left_in(work_dir_);
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->release_unknown({"one"}).value(), 0);
  EXPECT_TRUE(is_mounted());
  EXPECT_EQ(next->release_unknown({"another"}).value(), 1);
  EXPECT_FALSE(is_mounted());
  EXPECT_FALSE(has_image());
  EXPECT_EQ(DiskImages::left_in(work_dir_), nullptr);
}

TEST_F(DiskImageTest, AfterARebootAnImageIsAFile) {
  mount(8 * kMb);
  ASSERT_EQ(umount(sandbox().c_str()), 0);
  EXPECT_TRUE(has_image());
  EXPECT_EQ(images_->release_unknown({}).value(), 1);
  EXPECT_FALSE(has_image());
}

TEST_F(DiskImageTest, ALaunchThatBeginsAnewGetsAnEmptyImage) {
  mount(8 * kMb);
  std::ofstream(sandbox() + "/early") << "x";
  mount(8 * kMb);
  EXPECT_FALSE(std::filesystem::exists(sandbox() + "/early"));
  release(*images_);
  EXPECT_FALSE(is_mounted()) << "only one is mounted";
}

TEST_F(DiskImageTest, WhatCannotBeMountedLeavesNothing) {
  std::filesystem::create_directories(work_dir_ + "/agents");
  std::ofstream(sandbox()) << "a file in its place";
  const Result<void> mounted = images_->mount("one", "agents/one", 8 * kMb);
  ASSERT_FALSE(mounted.has_value());
  EXPECT_FALSE(has_image());
}

}  // namespace
}  // namespace tepui
