#include "agent/shell/ground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/linux/cgroup_discovery.h"
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

Result<std::unique_ptr<CgroupRoot>> take_cgroups(const CgroupFacts& facts, const std::string& name,
                                                 const std::vector<std::string>& controllers) {
  const CgroupPlace place = TRY(choose_cgroup_place(facts));
  return CgroupRoot::create(place, name, controllers);
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

// The isolator for devices needs no controller but an eBPF program.
void find_devices(Ground& ground) {
  if (ground.cgroups == nullptr) return;
  if (Result<void> usable = ground.cgroups->try_devices(); !usable) {
    ground.degraded.push_back("devices are not denied: " + usable.error().message);
    return;
  }
  ground.controllers.emplace_back("devices");
  std::ranges::sort(ground.controllers);
}

Result<void> check_required(const Ground& ground, const std::vector<std::string>& required) {
  for (const std::string& controller : required) {
    if (contains(ground.controllers, controller)) continue;
    std::string why = fmt::format("the isolator '{}' is required, but not usable here", controller);
    for (const std::string& sentence : ground.degraded) why += "; " + sentence;
    return fail(std::move(why));
  }
  return {};
}

void find_disk_quota(const std::string& work_dir, Ground& ground) {
  Result<std::unique_ptr<DiskQuota>> quota = DiskQuota::create(work_dir);
  if (!quota) {
    ground.degraded.push_back("disk is not limited: " + quota.error().message);
    return;
  }
  ground.disk_quota = *std::move(quota);
  ground.controllers.emplace_back("disk");
  std::ranges::sort(ground.controllers);
}

}  // namespace

Result<Ground> prepare_ground(const GroundOptions& options) {
  TRY(make_directories(options.work_dir, 0755));
  TRY(make_directories(options.runtime_dir, 0700));
  Ground ground;
  ground.isolation = options.isolation;
  ground.machine = TRY(detect_machine(options.work_dir, options.resources));
  ground.boot_id = TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  while (ground.boot_id.ends_with('\n')) ground.boot_id.pop_back();
  const CgroupFacts facts = TRY(read_cgroup_facts());
  std::vector<std::string> controllers = options.isolators;
  for (const char* own : {"devices", "disk"}) std::erase(controllers, own);
  Result<std::unique_ptr<CgroupRoot>> cgroups =
      take_cgroups(facts, options.cgroup_root, controllers);
  if (cgroups) {
    ground.cgroups = std::move(*cgroups);
    ground.controllers = ground.cgroups->controllers();
  } else {
    ground.degraded.push_back("containers have no cgroup: " + cgroups.error().message);
  }
  for (std::string& sentence :
       explain_missing_controllers(facts.mounts, controllers, ground.controllers)) {
    ground.degraded.push_back(std::move(sentence));
  }
  if (contains(options.isolators, "devices")) find_devices(ground);
  if (contains(options.isolators, "disk")) find_disk_quota(options.work_dir, ground);
  Result<void> met = find_means(options, ground);
  if (met) met = check_required(ground, options.controllers_required);
  if (!met) {
    if (ground.cgroups != nullptr) ground.cgroups->remove_if_empty();
    return std::unexpected(std::move(met).error());
  }
  return ground;
}

}  // namespace tepui
