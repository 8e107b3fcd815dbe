#include "agent/shell/ground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "agent/linux/cgroup_discovery.h"
#include "agent/linux/confinement_probe.h"
#include "agent/linux/files.h"
#include "agent/linux/id_ranges.h"
#include "agent/linux/isolation_facts.h"

namespace tepui {

namespace {

// The directory and those above it.
Result<void> make_directories(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    // What is missing here fails below, with the whole path in the message.
    (void)mkdir(path.substr(0, end).c_str(), 0755);
  }
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return fail(fmt::format("cannot create the directory '{}': {}", path, std::strerror(errno)),
              errno);
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

// What the isolators that can be used lack, and need to know, on this machine.
Result<void> find_means(const GroundOptions& options, Ground& ground) {
  IsolationSettings& isolation = ground.isolation;
  if (contains(ground.controllers, "io")) {
    Result<std::vector<std::string>> disks = find_io_devices(options.io_devices, options.work_dir);
    if (!disks) return std::unexpected(std::move(disks).error().in("--io-devices"));
    isolation.io_devices = *std::move(disks);
    if (isolation.io_devices.empty()) {
      ground.degraded.push_back(fmt::format(
          "io is not limited: '{}' is on no disk, and --io-devices names none", options.work_dir));
    }
  }
  if (contains(ground.controllers, "hugetlb")) isolation.hugepage_sizes = find_hugepage_sizes();
  if (ground.cgroups == nullptr) return {};
  for (const std::string& file : optional_files(isolation)) {
    const std::string controller = file.substr(0, file.find('.'));
    if (!contains(ground.controllers, controller) || ground.cgroups->has_file(file)) continue;
    isolation.missing_files.push_back(file);
    ground.degraded.push_back(fmt::format("{} cannot be set: this kernel does not have it", file));
  }
  std::ranges::sort(isolation.missing_files);
  return {};
}

std::vector<std::string> controllers_of(const IsolatorSet& isolators) {
  std::vector<std::string> controllers;
  for (size_t i = 0; i < kIsolatorCount; ++i) {
    const auto isolator = static_cast<Isolator>(i);
    if (isolators[i] && needs_controller(isolator)) controllers.emplace_back(to_text(isolator));
  }
  return controllers;
}

void take_cgroups(const CgroupFacts& facts, const GroundOptions& options, const IsolatorSet& wanted,
                  Ground& ground) {
  const auto take = [&]() -> Result<std::unique_ptr<CgroupRoot>> {
    const CgroupPlace place = TRY(choose_cgroup_place(facts));
    ground.confinement.cgroup_mount = place.mount_point;
    return CgroupRoot::create(place, options.cgroup_root, controllers_of(wanted));
  };
  Result<std::unique_ptr<CgroupRoot>> cgroups = take();
  if (cgroups) {
    ground.cgroups = *std::move(cgroups);
    ground.controllers = ground.cgroups->controllers();
  } else {
    ground.degraded.push_back("containers have no cgroup: " + cgroups.error().message);
  }
}

// The isolator for devices needs no controller but an eBPF program.
Result<void> find_devices(Ground& ground) {
  if (ground.cgroups == nullptr) return fail("containers have no cgroup");
  TRY(ground.cgroups->try_devices());
  ground.controllers.emplace_back(to_text(Isolator::kDevices));
  return {};
}

// Likewise.
Result<void> find_network(Isolator isolator, Ground& ground) {
  if (ground.cgroups == nullptr) return fail("containers have no cgroup");
  TRY(ground.cgroups->try_network(to_text(isolator)));
  ground.controllers.emplace_back(to_text(isolator));
  return {};
}

Result<void> find_disk_quota(const std::string& work_dir, Ground& ground) {
  ground.disk_quota = TRY(DiskQuota::create(work_dir));
  ground.volume_quota = std::make_unique<VolumeQuota>(work_dir, ground.machine.resources);
  std::ranges::copy(ground.volume_quota->notes(), std::back_inserter(ground.degraded));
  ground.controllers.emplace_back(to_text(Isolator::kDisk));
  return {};
}

Result<void> find_disk_images(const std::string& work_dir, Ground& ground) {
  ground.disk_images = TRY(DiskImages::create(work_dir));
  ground.controllers.emplace_back(to_text(Isolator::kDiskImage));
  return {};
}

// Tries everything that is wanted; what is missing, and why.
std::vector<MissingIsolator> find_missing(const CgroupFacts& facts, const GroundOptions& options,
                                          const IsolatorSet& wanted, Ground& ground) {
  std::vector<MissingIsolator> missing;
  for (const std::string& controller : controllers_of(wanted)) {
    if (contains(ground.controllers, controller)) continue;
    const std::vector<std::string> why =
        explain_missing_controllers(facts.mounts, {controller}, ground.controllers);
    missing.push_back(
        {.isolator = *find_isolator(controller), .why = fmt::format("{}", fmt::join(why, "; "))});
  }
  const auto look = [&](Isolator isolator, const Result<void>& found) {
    if (!found) missing.push_back({.isolator = isolator, .why = found.error().message});
  };
  if (has(wanted, Isolator::kDevices)) look(Isolator::kDevices, find_devices(ground));
  if (has(wanted, Isolator::kDisk)) {
    look(Isolator::kDisk, find_disk_quota(options.work_dir, ground));
  }
  if (has(wanted, Isolator::kDiskImage)) {
    look(Isolator::kDiskImage, find_disk_images(options.work_dir, ground));
  }
  for (const Isolator isolator : {Isolator::kEgress, Isolator::kPorts}) {
    if (has(wanted, isolator)) look(isolator, find_network(isolator, ground));
  }
  std::ranges::move(find_missing_confinement(wanted), std::back_inserter(missing));
  if (has(wanted, Isolator::kUserNamespace)) {
    look(Isolator::kUserNamespace, IdRanges::check(options.ids));
  }
  std::ranges::sort(ground.controllers);
  return missing;
}

// What a task must not see of others.
std::vector<std::string> private_directories(const GroundOptions& options,
                                             const Resources& resources) {
  std::vector<std::string> directories = {options.work_dir, options.runtime_dir};
  for (const std::string& store : options.stores) {
    if (!store.starts_with(options.work_dir + "/")) directories.push_back(store);
  }
  for (const Resource& one : resources.items()) {
    const std::optional<Disk>& disk = one.kind->disk;
    if (!disk || disk->source == Disk::Source::kRoot) continue;
    // Of a PATH disk others may use the rest.
    std::string directory =
        disk->source == Disk::Source::kPath ? disk->source_root + "/volumes" : disk->source_root;
    if (!contains(directories, directory)) directories.push_back(std::move(directory));
  }
  return directories;
}

// Without links; as it is if it is not there.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  return real == nullptr ? path : real.get();
}

// Directories that an option shows to tasks, which hold nothing of other tasks or of the agent.
Result<std::vector<std::string>> check_shown(const std::vector<std::string>& paths,
                                             const std::vector<std::string>& private_directories) {
  std::vector<std::string> shown;
  for (const std::string& path : paths) {
    struct stat status{};
    if (!path.starts_with('/') || stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      return fail(fmt::format("'{}' is not the absolute path of a directory", path));
    }
    const std::string real = real_path(path);
    for (const std::string& one : private_directories) {
      const std::string hidden = real_path(one);
      if (find_above({real}, hidden) == nullptr && find_above({hidden}, real) == nullptr) continue;
      return fail(
          fmt::format("'{}' and '{}', which tasks must not see, are one in the other", path, one));
    }
    shown.push_back(plain_path(path));
  }
  return shown;
}

// Nobody gives what he does not have: every launch would fail.
void limit_capabilities(Ground& ground) {
  CapabilitySet& wanted = ground.confinement.capabilities;
  const CapabilitySet lacking = wanted & ~own_capabilities();
  if (lacking == 0) return;
  ground.degraded.push_back(fmt::format("tasks cannot have {}: the agent has not either",
                                        fmt::join(to_names(lacking), ", ")));
  wanted &= ~lacking;
}

Result<void> settle(const IsolatorChoice& choice, const CgroupFacts& facts,
                    const GroundOptions& options, Ground& ground) {
  take_cgroups(facts, options, choice.wanted, ground);
  const std::vector<MissingIsolator> missing = find_missing(facts, options, choice.wanted, ground);
  Result<UsableIsolators> settled = settle_isolation(choice, missing);
  if (!settled) return std::unexpected(std::move(settled).error().in("--isolation"));
  ground.confinement.isolators = settled->usable;
  if (has(settled->usable, Isolator::kCapabilities)) limit_capabilities(ground);
  std::ranges::move(settled->degraded, std::back_inserter(ground.degraded));
  // Containers of an earlier life may have images that this one would not make.
  if (ground.disk_images == nullptr) ground.disk_images = DiskImages::left_in(options.work_dir);
  return find_means(options, ground);
}

}  // namespace

Result<Ground> prepare_ground(const GroundOptions& options) {
  const Result<IsolatorChoice> choice = parse_isolation(options.isolators);
  if (!choice) return std::unexpected(Error(choice.error()).in("--isolation"));
  TRY(make_directories(options.work_dir, 0755));
  TRY(make_directories(options.runtime_dir, 0700));
  Ground ground;
  ground.isolation = options.isolation;
  ground.confinement.capabilities = options.capabilities;
  ground.confinement.allow_unconfined = options.allow_unconfined;
  ground.machine = TRY(detect_machine(options.work_dir, options.resources));
  ground.confinement.private_directories = private_directories(options, ground.machine.resources);
  auto shown = check_shown(options.volume_host_paths, ground.confinement.private_directories);
  if (!shown) return std::unexpected(std::move(shown).error().in("--volume-host-paths"));
  ground.confinement.volume_host_paths = *std::move(shown);
  auto images = check_shown(options.image_directories, ground.confinement.private_directories);
  if (!images) return std::unexpected(std::move(images).error().in("--image-dir"));
  ground.confinement.image_directories = *std::move(images);
  ground.boot_id = TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  while (ground.boot_id.ends_with('\n')) ground.boot_id.pop_back();
  const CgroupFacts facts = TRY(read_cgroup_facts());
  if (Result<void> settled = settle(*choice, facts, options, ground); !settled) {
    if (ground.cgroups != nullptr) ground.cgroups->remove_if_empty();
    return std::unexpected(std::move(settled).error());
  }
  return ground;
}

}  // namespace tepui
