// Goal: a volume holds at most its size, as it grows and shrinks. Method: real volumes on the disk
// with project quota of the virtual machine, filled by a process that quota binds. Elsewhere only
// what is said where there is no quota.

#include "agent/linux/volume_quota.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "agent/linux/volumes.h"
#include "common/check.h"
#include "common/io/fd.h"

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMb = 1 << 20;

Resources volume(int64_t megabytes) {
  ResourceKind kind{.name = "disk",
                    .reservations = {{.role = "r"}},
                    .disk = Disk{.persistence_id = "v", .container_path = "data"}};
  return Resources::create({{.kind = make_kind(std::move(kind)), .amount = megabytes * 1000}})
      .value();
}

TEST(VolumeQuota, SaysWhichDisksHaveNone) {
  ResourceKind kind{.name = "disk",
                    .disk = Disk{.source = Disk::Source::kPath, .source_root = "/proc"}};
  const Resources resources =
      Resources::create({{.kind = make_kind(std::move(kind)), .amount = int64_t{1000}}}).value();
  VolumeQuota quota("/dev", resources);
  EXPECT_THAT(quota.notes(), ElementsAre(HasSubstr("volumes on /dev are not bounded: "),
                                         HasSubstr("volumes on /proc are not bounded: ")));
  EXPECT_TRUE(quota.bound(volume(1)).has_value()) << "they are used all the same";
}

class VolumesOnADisk : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/run/disk/tepui-quota-XXXXXX";
    if (mkdtemp(name) == nullptr) GTEST_SKIP() << "no disk with quota here";
    work_dir_ = name;
    chmod(name, 0755);
    quota_ = std::make_unique<VolumeQuota>(work_dir_, Resources());
    if (!quota_->notes().empty()) GTEST_SKIP() << quota_->notes()[0];
    ASSERT_TRUE(create_volume(place_of_volume()).has_value());
    chmod(directory().c_str(), 0777);
  }
  void TearDown() override {
    if (!work_dir_.empty()) std::filesystem::remove_all(work_dir_);
  }
  VolumePlace place_of_volume() const {
    const Resources one = volume(1);
    return volume_place(*one.items()[0].kind, work_dir_);
  }
  std::string directory() const { return work_dir_ + "/" + place_of_volume().directory; }
  void bound(int64_t megabytes) {
    const Result<void> bounded = quota_->bound(volume(megabytes));
    ASSERT_TRUE(bounded.has_value()) << bounded.error().message;
  }
  // What of so much nobody could write into the file.
  int64_t write_file(const std::string& name, int64_t megabytes) const {
    const pid_t child = fork();
    if (child == 0) {
      constexpr uid_t kNobody = 65534;
      if (setuid(kNobody) != 0) _exit(255);
      const Fd file(open((directory() + "/" + name).c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644));
      const std::string part(kMb, 'x');
      int written = 0;
      while (written < megabytes && write(file.get(), part.data(), part.size()) == kMb) ++written;
      _exit(written);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
  }

  std::string work_dir_;
  std::unique_ptr<VolumeQuota> quota_;
};

TEST_F(VolumesOnADisk, HoldNoMoreThanTheirSize) {
  bound(8);
  EXPECT_LE(write_file("one", 20), 8);
  bound(16);
  EXPECT_GE(write_file("two", 4), 4) << "it has grown";
  EXPECT_LE(write_file("two", 20), 6);
  bound(4);
  EXPECT_EQ(write_file("three", 1), 0) << "it has shrunk below what is in it";
  VolumeQuota next(work_dir_, Resources());
  ASSERT_TRUE(next.bound(volume(4)).has_value());
  EXPECT_EQ(write_file("three", 1), 0) << "a next life bounds it the same";
}

TEST_F(VolumesOnADisk, AreDestroyedWithWhatWasInThemBefore) {
  std::filesystem::create_directories(directory() + "/early/deep");
  bound(8);
  std::filesystem::create_directories(directory() + "/late/deep");
  const Result<void> destroyed = destroy_volume(place_of_volume());
  EXPECT_TRUE(destroyed.has_value()) << destroyed.error().message;
  EXPECT_FALSE(std::filesystem::exists(directory()));
}

}  // namespace
}  // namespace tepui
