#include "agent/linux/cgroup_discovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/linux/files.h"

namespace tepui {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

std::string join(std::string_view directory, std::string_view below) {
  std::string path(directory == "/" ? "" : directory);
  path.append(below == "/" ? "" : below);
  return path.empty() ? "/" : path;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_marked_delegated(const std::string& directory) {
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    char value[8] = {};
    ssize_t bytes = getxattr(directory.c_str(), name, value, sizeof value);
    if (bytes == 1 && value[0] == '1') return true;
  }
  return false;
}

}  // namespace

const Mount* find_cgroup2(const std::vector<Mount>& mounts) {
  const Mount* found = nullptr;
  for (const Mount& mount : mounts) {
    // A later mount covers what was mounted on its point or below it. Only the root comes late and
    // covers nothing: where an initramfs mounted /sys first and moved it.
    const bool covers =
        found != nullptr && mount.point != "/" && is_at_or_below(found->point, mount.point);
    if (covers) found = nullptr;
    if (found == nullptr && mount.type == "cgroup2") found = &mount;
  }
  return found;
}

Result<std::string> own_cgroup_directory(const Mount& mount, std::string_view own_cgroup) {
  constexpr std::string_view kPrefix = "0::";
  size_t start = own_cgroup.starts_with(kPrefix) ? 0 : own_cgroup.find("\n0::");
  if (start == std::string_view::npos) {
    return fail("/proc/self/cgroup has no \"0::\" line, so this process is in no v2 cgroup");
  }
  start = own_cgroup.find(kPrefix, start) + kPrefix.size();
  std::string_view path = own_cgroup.substr(start, own_cgroup.find('\n', start) - start);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted) || !path.starts_with('/')) {
    return fail(fmt::format("the v2 cgroup of this process, \"{}\", cannot be reached", path));
  }
  if (mount.root != "/") {
    const bool below = is_at_or_below(path, mount.root);
    // What is mounted is another part of the hierarchy: only its own root can be used.
    path = below ? path.substr(mount.root.size()) : std::string_view("/");
    if (path.empty()) path = "/";
  }
  if (path.starts_with("/..")) {
    return fail(fmt::format("the v2 cgroup of this process, \"{}\", is outside of the mount at {}",
                            path, mount.point));
  }
  return join(mount.point, path);
}

Result<CgroupPlace> choose_cgroup_place(const CgroupFacts& facts) {
  const Mount* mount = find_cgroup2(facts.mounts);
  if (mount == nullptr) return fail("no cgroup v2 file system is mounted");
  std::string own = TRY(own_cgroup_directory(*mount, facts.own_cgroup));
  if (own == mount->point) {
    if (facts.has_systemd && !facts.is_delegated) {
      return fail(
          "systemd owns the root of the cgroup hierarchy; start the agent in a delegated unit "
          "(systemd-run --scope -p Delegate=yes)");
    }
    return CgroupPlace{.mount_point = mount->point, .base = own, .base_is_own = false};
  }
  if (facts.is_delegated) {
    return CgroupPlace{.mount_point = mount->point, .base = own, .base_is_own = true};
  }
  if (facts.has_systemd) {
    return fail(
        fmt::format("systemd has not delegated the cgroup of this process ({}); start the agent in "
                    "a delegated unit (systemd-run --scope -p Delegate=yes)",
                    own));
  }
  return CgroupPlace{.mount_point = mount->point, .base = mount->point, .base_is_own = false};
}

std::vector<std::string> explain_missing_controllers(const std::vector<Mount>& mounts,
                                                     const std::vector<std::string>& wanted,
                                                     const std::vector<std::string>& usable) {
  std::vector<std::string> sentences;
  for (const std::string& controller : wanted) {
    if (contains(usable, controller)) continue;
    auto version1 = std::ranges::find_if(mounts, [&controller](const Mount& mount) {
      return mount.type == "cgroup" && contains(mount.super_options, controller);
    });
    if (version1 != mounts.end()) {
      sentences.push_back(
          fmt::format("the {} controller cannot be used: it is bound to the cgroup v1 mount at {}",
                      controller, version1->point));
    } else {
      sentences.push_back(fmt::format(
          "the {} controller cannot be used: the cgroup v2 hierarchy does not offer it here",
          controller));
    }
  }
  return sentences;
}

Result<CgroupFacts> read_cgroup_facts() {
  CgroupFacts facts;
  facts.mounts = TRY(parse_mountinfo(TRY(read_file_at(AT_FDCWD, "/proc/self/mountinfo"))));
  facts.own_cgroup = TRY(read_file_at(AT_FDCWD, "/proc/self/cgroup"));
  // What sd_booted(3) documents as the test.
  facts.has_systemd = access("/run/systemd/system", F_OK) == 0;
  if (const Mount* mount = find_cgroup2(facts.mounts)) {
    Result<std::string> own = own_cgroup_directory(*mount, facts.own_cgroup);
    facts.is_delegated = own.has_value() && is_marked_delegated(*own);
  }
  return facts;
}

}  // namespace tepui
