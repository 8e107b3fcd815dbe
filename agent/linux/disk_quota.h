#pragma once
// DiskQuota bounds directories with the project quota of the file system that they are on (ext4 or
// XFS, mounted with prjquota). Each gets a project id of its own, which all that is made in it
// inherits; the bound stays with the directory, whoever writes there, and outlives the agent.
//
// On ext4 processes with CAP_SYS_RESOURCE are not bound.
//
// Threads may share it; its calls may block.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

class DiskQuota {
 public:
  // The error says why directories below this one cannot be bounded.
  static Result<std::unique_ptr<DiskQuota>> create(const std::string& work_dir);

  // Makes a directory below the work directory and bounds it. One that is bounded already, which is
  // no other than that of an earlier life, keeps its id.
  Result<void> bound(const std::string& directory, int64_t bytes);

  // Makes a directory below the work directory; what is in it counts against the bound of another.
  Result<void> count(const std::string& directory, const std::string& bounded);

 private:
  explicit DiskQuota(Fd work) : work_(std::move(work)) {}
  Result<uint32_t> free_id(std::string_view name) const;

  const Fd work_;
  // One id is chosen at a time, so that the next one finds it taken.
  std::mutex choosing_;
};

}  // namespace tepui
