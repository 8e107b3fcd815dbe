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

Result<std::unique_ptr<CgroupRoot>> take_cgroups(const CgroupFacts& facts,
                                                 const std::string& name) {
  const CgroupPlace place = TRY(choose_cgroup_place(facts));
  return CgroupRoot::create(place, name, planned_controllers());
}

Result<void> check_required(const Ground& ground, const std::vector<std::string>& required) {
  for (const std::string& controller : required) {
    if (std::ranges::find(ground.controllers, controller) != ground.controllers.end()) continue;
    std::string why =
        fmt::format("the cgroup v2 controller '{}' is required, but not usable here", controller);
    for (const std::string& sentence : ground.degraded) why += "; " + sentence;
    return fail(std::move(why));
  }
  return {};
}

}  // namespace

const std::vector<std::string>& planned_controllers() {
  static const std::vector<std::string> kControllers = {"cpu", "memory", "pids"};
  return kControllers;
}

Result<Ground> prepare_ground(const GroundOptions& options) {
  TRY(make_directories(options.work_dir, 0755));
  TRY(make_directories(options.runtime_dir, 0700));
  Ground ground;
  ground.machine = TRY(detect_machine(options.work_dir, options.resources));
  ground.boot_id = TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  while (ground.boot_id.ends_with('\n')) ground.boot_id.pop_back();
  const CgroupFacts facts = TRY(read_cgroup_facts());
  Result<std::unique_ptr<CgroupRoot>> cgroups = take_cgroups(facts, options.cgroup_root);
  if (cgroups) {
    ground.cgroups = std::move(*cgroups);
    ground.controllers = ground.cgroups->controllers();
  } else {
    ground.degraded.push_back("containers have no cgroup: " + cgroups.error().message);
  }
  for (std::string& sentence :
       explain_missing_controllers(facts.mounts, planned_controllers(), ground.controllers)) {
    ground.degraded.push_back(std::move(sentence));
  }
  if (Result<void> met = check_required(ground, options.controllers_required); !met) {
    if (ground.cgroups != nullptr) ground.cgroups->remove_if_empty();
    return std::unexpected(std::move(met).error());
  }
  return ground;
}

}  // namespace tepui
