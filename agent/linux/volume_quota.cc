#include "agent/linux/volume_quota.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "agent/isolators/megabytes.h"

namespace tepui {

VolumeQuota::VolumeQuota(const std::string& work_dir, const Resources& resources)
    : work_dir_(work_dir) {
  add(work_dir);
  for (const Resource& item : resources.items()) {
    const std::optional<Disk>& disk = item.kind->disk;
    if (disk && disk->source == Disk::Source::kPath) add(disk->source_root);
  }
}

void VolumeQuota::add(const std::string& base) {
  if (quotas_.contains(base)) return;
  Result<std::unique_ptr<DiskQuota>> quota = DiskQuota::create(base);
  if (!quota) {
    notes_.push_back(fmt::format("volumes on {} are not bounded: {}", base, quota.error().message));
  }
  quotas_.emplace(base, quota ? *std::move(quota) : nullptr);
}

Result<void> VolumeQuota::bound(const Resources& total) {
  std::map<VolumePlace, int64_t> bounds;
  for (const Resource& item : total.items()) {
    if (!is_volume(*item.kind)) continue;
    const VolumePlace place = volume_place(*item.kind, work_dir_);
    const auto quota = quotas_.find(place.base);
    if (place.directory.empty() || quota == quotas_.end() || quota->second == nullptr) continue;
    const int64_t bytes = paged_bytes_of(item.scalar_milli());
    bounds.emplace(place, bytes);
    const auto before = bounds_.find(place);
    if (before != bounds_.end() && before->second == bytes) continue;
    TRY(quota->second->bound(place.directory, bytes));
  }
  bounds_ = std::move(bounds);
  return {};
}

}  // namespace tepui
