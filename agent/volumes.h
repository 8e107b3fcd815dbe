#pragma once
// Where the data of persistent volumes is, and where tasks see it.
//
//   ROOT   <work_dir>/volumes/roles/<role>/<id>
//   PATH   <root of the disk>/volumes/roles/<role>/<id>
//   MOUNT  <root of the disk>: the volume is the whole file system
//
// A hierarchical role is one directory ("eng/web" as "eng%2Fweb"), so that no volume of a role can
// lie inside one of another. Follows the layout of Apache Mesos otherwise.
//
// Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/container_info.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Of an agent: a role's volumes have distinct ids.
struct VolumePlace {
  std::string base;       // absolute; must exist, except below the work directory
  std::string directory;  // relative to base; empty: the base itself
  auto operator<=>(const VolumePlace&) const = default;
};

// A volume that a task uses.
struct VolumeMount {
  VolumePlace place;
  std::string container_path;  // relative to the sandbox; absolute in a root of the task's own
  bool read_only = false;
  bool operator==(const VolumeMount&) const = default;
};

bool is_volume(const ResourceKind& kind);
// Of a persistent volume only (CHECK).
VolumePlace volume_place(const ResourceKind& kind, std::string_view work_dir);
// All volumes among these. Refuses two of one container path, one inside the other, one where the
// container has another, and paths that a task without a root file system of its own cannot have:
// absolute ones, and those with "..".
Result<std::vector<VolumeMount>> volume_mounts(
    const Resources& resources, std::string_view work_dir,
    const std::optional<ContainerInfo>& container = std::nullopt);

}  // namespace tepui
