#include "agent/shell/ground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "agent/linux/cgroup_discovery.h"
#include "agent/linux/confinement_probe.h"
#include "agent/linux/files.h"
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

std::vector<std::string> controllers_of(const IsolatorSet& isolators) {
  std::vector<std::string> controllers;
  for (size_t i = 0; i < kIsolatorCount; ++i) {
    const std::string_view controller = controller_of(static_cast<Isolator>(i));
    if (isolators[i] && !controller.empty()) controllers.emplace_back(controller);
  }
  return controllers;
}

void take_cgroups(Ground& ground, const CgroupFacts& facts, const std::string& name,
                  const std::vector<std::string>& controllers) {
  const auto take = [&]() -> Result<std::unique_ptr<CgroupRoot>> {
    const CgroupPlace place = TRY(choose_cgroup_place(facts));
    ground.isolation.cgroup_mount = place.mount_point;
    return CgroupRoot::create(place, name, controllers);
  };
  Result<std::unique_ptr<CgroupRoot>> cgroups = take();
  if (cgroups) {
    ground.cgroups = std::move(*cgroups);
    ground.controllers = ground.cgroups->controllers();
  } else {
    ground.degraded.push_back("containers have no cgroup: " + cgroups.error().message);
  }
}

// Of the isolators that need a controller those that do not have it.
std::vector<MissingIsolator> find_missing_controllers(const Ground& ground,
                                                      const CgroupFacts& facts,
                                                      const IsolatorSet& wanted) {
  std::vector<MissingIsolator> missing;
  for (size_t i = 0; i < kIsolatorCount; ++i) {
    const auto isolator = static_cast<Isolator>(i);
    const std::string controller(controller_of(isolator));
    if (!wanted[i] || controller.empty()) continue;
    if (std::ranges::find(ground.controllers, controller) != ground.controllers.end()) continue;
    const std::vector<std::string> why =
        explain_missing_controllers(facts.mounts, {controller}, ground.controllers);
    missing.push_back({.isolator = isolator, .why = fmt::format("{}", fmt::join(why, "; "))});
  }
  return missing;
}

// Whether plans can say something of devices, which needs no controller but an eBPF program, and of
// disk, which needs the file system's quota.
std::vector<MissingIsolator> find_means(Ground& ground, const GroundOptions& options,
                                        const IsolatorSet& wanted) {
  std::vector<MissingIsolator> missing;
  if (has(wanted, Isolator::kDevices)) {
    Result<void> usable = ground.cgroups != nullptr ? ground.cgroups->try_devices()
                                                    : fail("containers have no cgroup");
    if (!usable) {
      missing.push_back({.isolator = Isolator::kDevices, .why = std::move(usable.error().message)});
    }
  }
  if (has(wanted, Isolator::kDisk)) {
    Result<std::unique_ptr<DiskQuota>> quota = DiskQuota::create(options.work_dir);
    if (quota) {
      ground.disk_quota = *std::move(quota);
    } else {
      missing.push_back({.isolator = Isolator::kDisk, .why = std::move(quota.error().message)});
    }
  }
  return missing;
}

// What limits depend on beside isolators: disks, sizes of huge pages, single control files.
Result<void> find_facts(Ground& ground, const GroundOptions& options) {
  const IsolatorSet& usable = ground.isolation.isolators;
  IsolationSettings& limits = ground.limits;
  if (has(usable, Isolator::kIo)) {
    Result<std::vector<std::string>> disks = find_io_devices(options.io_devices, options.work_dir);
    if (!disks) return std::unexpected(std::move(disks).error().in("--io-devices"));
    limits.io_devices = *std::move(disks);
    if (limits.io_devices.empty()) {
      ground.degraded.push_back(fmt::format(
          "io is not limited: '{}' is on no disk, and --io-devices names none", options.work_dir));
    }
  }
  if (has(usable, Isolator::kHugetlb)) limits.hugepage_sizes = find_hugepage_sizes();
  for (const std::string& file : optional_files(limits)) {
    const std::string controller = file.substr(0, file.find('.'));
    if (std::ranges::find(ground.controllers, controller) == ground.controllers.end()) continue;
    if (ground.cgroups->has_file(file)) continue;
    limits.missing_files.push_back(file);
    ground.degraded.push_back(fmt::format("{} cannot be set: this kernel does not have it", file));
  }
  std::ranges::sort(limits.missing_files);
  return {};
}

// Those whose plans have no cgroup file.
void add_planners_without_files(Ground& ground) {
  for (const Isolator isolator : {Isolator::kDevices, Isolator::kDisk}) {
    if (!has(ground.isolation.isolators, isolator)) continue;
    ground.controllers.emplace_back(to_text(isolator));
  }
  std::ranges::sort(ground.controllers);
}

// Which isolators there are in the end; refuses if one of the required is not.
Result<void> settle(Ground& ground, const GroundOptions& options, const IsolatorChoice& choice,
                    const CgroupFacts& facts) {
  std::vector<MissingIsolator> missing = find_missing_controllers(ground, facts, choice.wanted);
  std::ranges::move(find_missing_confinement(choice.wanted), std::back_inserter(missing));
  std::ranges::move(find_means(ground, options, choice.wanted), std::back_inserter(missing));
  Result<UsableIsolators> settled = settle_isolation(choice, missing);
  if (!settled) return std::unexpected(std::move(settled).error().in("--isolation"));
  ground.isolation.isolators = settled->usable;
  std::ranges::move(settled->degraded, std::back_inserter(ground.degraded));
  TRY(find_facts(ground, options));
  add_planners_without_files(ground);
  return {};
}

// What a task must not see of others.
std::vector<std::string> private_directories(const GroundOptions& options,
                                             const Resources& resources) {
  std::vector<std::string> directories = {options.work_dir, options.runtime_dir};
  for (const Resource& one : resources.items()) {
    const std::optional<Disk>& disk = one.kind->disk;
    if (!disk || disk->source == Disk::Source::kRoot) continue;
    // Of a PATH disk others may use the rest.
    std::string directory =
        disk->source == Disk::Source::kPath ? disk->source_root + "/volumes" : disk->source_root;
    if (std::ranges::find(directories, directory) == directories.end()) {
      directories.push_back(std::move(directory));
    }
  }
  return directories;
}

}  // namespace

Result<Ground> prepare_ground(const GroundOptions& options) {
  const Result<IsolatorChoice> choice = parse_isolation(options.isolation);
  if (!choice) return std::unexpected(Error(choice.error()).in("--isolation"));
  TRY(make_directories(options.work_dir, 0755));
  TRY(make_directories(options.runtime_dir, 0700));
  Ground ground;
  ground.limits = options.limits;
  ground.machine = TRY(detect_machine(options.work_dir, options.resources));
  ground.boot_id = TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  while (ground.boot_id.ends_with('\n')) ground.boot_id.pop_back();
  const CgroupFacts facts = TRY(read_cgroup_facts());
  take_cgroups(ground, facts, options.cgroup_root, controllers_of(choice->wanted));
  if (Result<void> settled = settle(ground, options, *choice, facts); !settled) {
    if (ground.cgroups != nullptr) ground.cgroups->remove_if_empty();
    return std::unexpected(std::move(settled).error());
  }
  ground.isolation.capabilities = options.capabilities;
  ground.isolation.private_directories = private_directories(options, ground.machine.resources);
  return ground;
}

}  // namespace tepui
