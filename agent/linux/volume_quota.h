#pragma once
// VolumeQuota bounds persistent volumes by their size, with the project quota of the file systems
// that they are on (agent/linux/disk_quota.h). A volume that is all of a MOUNT disk needs none.
//
// What was in a volume before it was first bounded does not count.
//
// Used by one thread at a time; its calls may block.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/linux/disk_quota.h"
#include "agent/volumes.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

class VolumeQuota {
 public:
  // For the work directory, and the PATH disks among the resources. Where one has no quota, notes()
  // says why, and its volumes are not bounded.
  VolumeQuota(const std::string& work_dir, const Resources& resources);

  const std::vector<std::string>& notes() const { return notes_; }
  // Every volume of these, whose directories exist, gets its size as its bound.
  Result<void> bound(const Resources& total);

 private:
  void add(const std::string& base);

  const std::string work_dir_;
  std::map<std::string, std::unique_ptr<DiskQuota>> quotas_;  // by base
  std::map<VolumePlace, int64_t> bounds_;                     // as they are, in bytes
  std::vector<std::string> notes_;
};

}  // namespace tepui
