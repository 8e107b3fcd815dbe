#include "agent/configured.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "common/operations.h"

namespace tepui {

namespace {

bool is_at_or_below(std::string_view path, std::string_view of) {
  return path.starts_with(of) && (path.size() == of.size() || path[of.size()] == '/');
}

Result<void> check_root(std::string_view root) {
  const bool is_plain = root.size() > 1 && root.front() == '/' && root.back() != '/' &&
                        root.find("//") == std::string_view::npos &&
                        (std::string(root) + "/").find("/./") == std::string::npos &&
                        (std::string(root) + "/").find("/../") == std::string::npos;
  if (is_plain) return {};
  return fail(
      fmt::format("the disk at '{}' needs an absolute path below '/', without '.', '..' or "
                  "an empty part",
                  root));
}

Result<void> check_item(const Resource& item) {
  const ResourceKind& kind = *item.kind;
  if (is_volume(item)) {
    return fail(
        fmt::format("'disk' is the volume '{}'; volumes are created by frameworks and "
                    "operators, not configured",
                    kind.disk->persistence_id));
  }
  if (kind.disk && !kind.disk->container_path.empty()) {
    return fail("'disk' has a volume without persistence, which nothing could use");
  }
  if (kind.revocable) {
    return fail(fmt::format("'{}' is revocable, which only what an agent lends is", kind.name));
  }
  for (const Reservation& reservation : kind.reservations) {
    if (reservation.type == Reservation::Type::kStatic) continue;
    return fail(
        fmt::format("'{}' is reserved dynamically to '{}'; only static reservations are "
                    "configured, RESERVE makes the others",
                    kind.name, reservation.role));
  }
  if (kind.disk && kind.disk->source != Disk::Source::kRoot)
    TRY(check_root(kind.disk->source_root));
  return {};
}

}  // namespace

Result<void> check_configured(const Resources& resources, std::string_view work_dir) {
  std::map<std::string_view, Disk::Source> disks;  // by root
  for (const Resource& item : resources.items()) {
    TRY(check_item(item));
    if (!item.kind->disk || item.kind->disk->source == Disk::Source::kRoot) continue;
    const Disk& disk = *item.kind->disk;
    const auto [known, added] = disks.emplace(disk.source_root, disk.source);
    const bool is_same_path = known->second == disk.source && disk.source == Disk::Source::kPath;
    if (added || is_same_path) continue;
    return fail(fmt::format("the disk at '{}' is given twice{}", disk.source_root,
                            known->second == disk.source ? "; a mounted disk goes only as a whole"
                                                         : ", as PATH and as MOUNT"));
  }
  for (const auto& [root, source] : disks) {
    if (source != Disk::Source::kMount) continue;
    if (is_at_or_below(work_dir, root)) {
      return fail(
          fmt::format("the work directory '{}' is on the disk mounted at '{}', which a "
                      "volume takes whole",
                      work_dir, root));
    }
    for (const auto& [other, kind] : disks) {
      if (other == root || !is_at_or_below(other, root)) continue;
      return fail(
          fmt::format("the disk at '{}' is on the disk mounted at '{}', which a volume "
                      "takes whole",
                      other, root));
    }
  }
  return {};
}

}  // namespace tepui
