#include "common/container_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

namespace tepui {

namespace {

constexpr std::array<std::string_view, kRlimitTypeCount> kRlimitNames = {
    "",     "as",     "core",  "cpu", "data",   "fsize",  "locks",      "memlock", "msgqueue",
    "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// Whether a part of the path is "..".
bool climbs(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return false;
}

Result<void> check_path(std::string_view path, std::string_view what) {
  if (path.empty()) return fail(fmt::format("{} is missing", what));
  if (has_nul(path)) return fail(fmt::format("{} contains a zero byte", what));
  if (climbs(path)) return fail(fmt::format("{} '{}' must not contain '..'", what, path));
  return {};
}

Result<void> check_absolute(std::string_view path, std::string_view what) {
  TRY(check_path(path, what));
  if (path.front() != '/') return fail(fmt::format("{} '{}' must be absolute", what, path));
  return {};
}

Result<void> check_rootfs(const RootFilesystem& rootfs) {
  TRY(check_absolute(rootfs.path, "the root file system's path"));
  if (has_nul(rootfs.reference)) return fail("the image's reference contains a zero byte");
  if (rootfs.type == RootFilesystem::Type::kDirectory && !rootfs.reference.empty()) {
    return fail(fmt::format("a directory has no image reference, as '{}'", rootfs.reference));
  }
  return {};
}

Result<void> check_volume(const ContainerVolume& volume) {
  TRY(check_path(volume.container_path, "a volume's container path"));
  const auto fail_at = [&volume](std::string_view why) {
    return fail(fmt::format("the volume at '{}' {}", volume.container_path, why));
  };
  if (volume.container_path.find_first_not_of("/.") == std::string::npos) {
    return fail_at("would hide everything");
  }
  if (volume.source == ContainerVolume::Source::kTmpfs) {
    if (!volume.source_path.empty()) return fail_at("is memory and has no source path");
    if (volume.read_only) return fail_at("is empty memory, which cannot be read-only");
    return {};
  }
  if (volume.size_bytes != 0) return fail_at("has a size, which only memory has");
  const std::string what = fmt::format("the source of the volume at '{}'", volume.container_path);
  if (volume.source == ContainerVolume::Source::kHostPath) {
    return check_absolute(volume.source_path, what);
  }
  TRY(check_path(volume.source_path, what));
  if (volume.source_path.front() == '/') {
    return fail(fmt::format("{} is '{}', and must be below the sandbox", what, volume.source_path));
  }
  return {};
}

Result<void> check_volumes(const std::vector<ContainerVolume>& volumes) {
  if (volumes.size() > kContainerVolumesMax) {
    return fail(fmt::format("{} volumes, at most {}", volumes.size(), kContainerVolumesMax));
  }
  std::set<std::string_view> places;
  for (const ContainerVolume& volume : volumes) {
    TRY(check_volume(volume));
    if (!places.insert(volume.container_path).second) {
      return fail(fmt::format("two volumes at '{}'", volume.container_path));
    }
  }
  return {};
}

Result<void> check_rlimits(const std::vector<Rlimit>& rlimits) {
  std::set<RlimitType> seen;
  for (const Rlimit& limit : rlimits) {
    const std::string_view name = to_text(limit.type);
    if (name.empty()) {
      return fail(fmt::format("unknown rlimit {}", static_cast<int>(limit.type)));
    }
    if (!seen.insert(limit.type).second) return fail(fmt::format("rlimit {} is twice", name));
    if (!limit.hard) continue;
    if (!limit.soft || *limit.soft > *limit.hard) {
      return fail(
          fmt::format("rlimit {}: the soft limit is above the hard one of {}", name, *limit.hard));
    }
  }
  return {};
}

Result<void> check_hostname(std::string_view name) {
  if (name.empty()) return {};
  const auto plain = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; };
  if (name.size() > kHostnameBytesMax || !std::ranges::all_of(name, plain) || name.front() == '-' ||
      name.front() == '.' || name.back() == '-' || name.back() == '.') {
    return fail(
        fmt::format("hostname '{}': at most {} letters, digits, '-' and '.', the last two "
                    "neither first nor last",
                    name, kHostnameBytesMax));
  }
  return {};
}

}  // namespace

std::string_view to_text(RlimitType type) {
  const auto index = static_cast<size_t>(type);
  return index < kRlimitNames.size() ? kRlimitNames[index] : std::string_view();
}

Result<RlimitType> parse_rlimit_type(std::string_view text) {
  std::string name(text);
  std::ranges::transform(name, name.begin(), to_lower);
  std::string_view bare = name;
  for (const std::string_view prefix : {"rlimit_", "rlmt_"}) {
    if (bare.starts_with(prefix)) bare.remove_prefix(prefix.size());
  }
  for (size_t i = 1; i < kRlimitNames.size(); ++i) {
    if (kRlimitNames[i] == bare) return static_cast<RlimitType>(i);
  }
  return fail(
      fmt::format("unknown rlimit '{}', expected one of{}", text, fmt::join(kRlimitNames, " ")));
}

Result<void> validate(const ContainerInfo& container) {
  if (container.rootfs) TRY(check_rootfs(*container.rootfs));
  TRY(check_volumes(container.volumes));
  TRY(check_rlimits(container.rlimits));
  if (container.capabilities && (*container.capabilities & ~kAllCapabilities) != 0) {
    return fail("capabilities name some that do not exist");
  }
  return check_hostname(container.hostname);
}

}  // namespace tepui
