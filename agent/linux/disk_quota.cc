#include "agent/linux/disk_quota.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <utility>

#include "agent/linux/files.h"

namespace tepui {
namespace {

// As quota of the kernel counts blocks.
constexpr int64_t kBlockBytes = 1024;

// Of the file system that the descriptor is on; no name of a device is needed. 0, or the errno.
int quota_call(int fd, int command, uint32_t id, void* data) {
  const long done = syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data);
  return done == 0 ? 0 : errno;
}

}  // namespace

Result<std::unique_ptr<DiskQuota>> DiskQuota::create(const std::string& work_dir) {
  Fd work = TRY(open_directory_at(AT_FDCWD, work_dir));
  if_dqinfo info{};
  const int problem = quota_call(work.get(), Q_GETINFO, 0, &info);
  if (problem == ENOSYS) return fail("this kernel cannot set quota by descriptor (before 5.14)");
  if (problem == EPERM) return std::unexpected(system_error(problem, "asking for quota"));
  if (problem != 0) {
    return fail(
        fmt::format("the file system of {} has no project quota (ext4 with the feature "
                    "project, or XFS, mounted with prjquota)",
                    work_dir));
  }
  return std::unique_ptr<DiskQuota>(new DiskQuota(std::move(work)));
}

// Nobody keeps a list: the quota of an id shows whether anything has it. Where the search begins
// depends on the name, so it mostly ends there.
Result<uint32_t> DiskQuota::free_id(std::string_view name) const {
  constexpr int kAttempts = 1000;
  constexpr uint32_t kFirst = 1U << 20;  // below are those that people give by hand
  auto id = static_cast<uint32_t>(XXH64(name.data(), name.size(), 0) | kFirst);
  for (int attempt = 0; attempt < kAttempts; ++attempt, ++id) {
    id = (id & INT32_MAX) | kFirst;
    if_dqblk quota{};
    const int problem = quota_call(work_.get(), Q_GETQUOTA, id, &quota);
    if (problem == ENOENT || problem == ESRCH) return id;
    if (problem != 0) return std::unexpected(system_error(problem, "looking for a project id"));
    const bool unused =
        quota.dqb_bhardlimit == 0 && quota.dqb_curspace == 0 && quota.dqb_curinodes == 0;
    if (unused) return id;
  }
  return fail("there is no project id left for the quota");
}

Result<void> DiskQuota::bound(const std::string& directory, int64_t bytes) {
  const Fd made = TRY(make_directories_at(work_.get(), directory, 0755));
  fsxattr attributes{};
  if (ioctl(made.get(), FS_IOC_FSGETXATTR, &attributes) != 0) {
    return std::unexpected(system_error(errno, "reading the project of " + directory));
  }
  const std::lock_guard lock(choosing_);
  if (attributes.fsx_projid == 0) {
    attributes.fsx_projid = TRY(free_id(directory));
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  }
  if_dqblk quota{};
  quota.dqb_bhardlimit = static_cast<uint64_t>((bytes + kBlockBytes - 1) / kBlockBytes);
  quota.dqb_bsoftlimit = quota.dqb_bhardlimit;
  quota.dqb_valid = QIF_BLIMITS;
  // First the quota, so that the id counts as taken.
  if (const int problem = quota_call(work_.get(), Q_SETQUOTA, attributes.fsx_projid, &quota)) {
    return std::unexpected(system_error(problem, "setting the quota of " + directory));
  }
  if (ioctl(made.get(), FS_IOC_FSSETXATTR, &attributes) != 0) {
    return std::unexpected(system_error(errno, "making a project of " + directory));
  }
  return {};
}

Result<void> DiskQuota::count(const std::string& directory, const std::string& bounded) {
  const Fd made = TRY(make_directories_at(work_.get(), directory, 0755));
  const Fd other = TRY(open_directory_at(work_.get(), bounded));
  fsxattr attributes{};
  fsxattr project{};
  if (ioctl(made.get(), FS_IOC_FSGETXATTR, &attributes) != 0 ||
      ioctl(other.get(), FS_IOC_FSGETXATTR, &project) != 0) {
    return std::unexpected(system_error(errno, "reading the project of " + bounded));
  }
  attributes.fsx_projid = project.fsx_projid;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(made.get(), FS_IOC_FSSETXATTR, &attributes) != 0) {
    return std::unexpected(system_error(errno, "giving a project to " + directory));
  }
  return {};
}

}  // namespace tepui
