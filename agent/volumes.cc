#include "agent/volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

namespace {

std::string as_file_name(std::string_view role) {
  std::string name;
  for (const char c : role) {
    if (c == '/') {
      name += "%2F";
    } else if (c == '%') {
      name += "%25";
    } else {
      name += c;
    }
  }
  return name;
}

// "a//b/./c/" as "a/b/c"; absolute where that is possible.
Result<std::string> inside_container(const Disk& disk, bool has_root) {
  const std::string_view path = disk.container_path;
  const auto refuse = [&](std::string_view why) {
    return fail(
        fmt::format("container path '{}' of volume '{}' {}", path, disk.persistence_id, why));
  };
  if (path.starts_with('/') && !has_root) {
    return refuse(
        "is absolute; without a root file system of its own a task sees volumes below "
        "its sandbox");
  }
  std::string clean;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse("leaves the sandbox");
    if (!clean.empty() || path.starts_with('/')) clean += '/';
    clean += part;
  }
  if (clean.empty()) return refuse("names no directory below the sandbox");
  if (clean == "stdout" || clean == "stderr") return refuse("is where the output of the task goes");
  return clean;
}

bool is_at_or_below(std::string_view path, std::string_view of) {
  return path.starts_with(of) && (path.size() == of.size() || path[of.size()] == '/');
}

}  // namespace

bool is_volume(const ResourceKind& kind) { return kind.disk && !kind.disk->persistence_id.empty(); }

VolumePlace volume_place(const ResourceKind& kind, std::string_view work_dir) {
  CHECK(is_volume(kind));
  const Disk& disk = *kind.disk;
  if (disk.source == Disk::Source::kMount) return {.base = disk.source_root, .directory = {}};
  return {.base = disk.source == Disk::Source::kPath ? disk.source_root : std::string(work_dir),
          .directory = fmt::format("volumes/roles/{}/{}", as_file_name(kind.reservation_role()),
                                   disk.persistence_id)};
}

Result<std::vector<VolumeMount>> volume_mounts(const Resources& resources,
                                               std::string_view work_dir,
                                               const std::optional<ContainerInfo>& container) {
  const bool has_root = container && container->rootfs;
  std::vector<VolumeMount> mounts;
  for (const Resource& item : resources.items()) {
    if (!is_volume(*item.kind)) continue;
    const Disk& disk = *item.kind->disk;
    std::string path = TRY(inside_container(disk, has_root));
    for (const VolumeMount& other : mounts) {
      if (!is_at_or_below(path, other.container_path) &&
          !is_at_or_below(other.container_path, path)) {
        continue;
      }
      return fail(fmt::format("volume '{}' at '{}' and another at '{}' are in each other's way",
                              disk.persistence_id, path, other.container_path));
    }
    if (container) {
      for (const ContainerVolume& other : container->volumes) {
        if (other.container_path != path) continue;
        return fail(fmt::format("volume '{}' is at '{}', and another of the container too",
                                disk.persistence_id, path));
      }
    }
    mounts.push_back({.place = volume_place(*item.kind, work_dir),
                      .container_path = std::move(path),
                      .read_only = disk.read_only});
  }
  return mounts;
}

}  // namespace tepui
