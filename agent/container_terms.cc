#include "agent/container_terms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace tepui {
namespace {

Result<void> need(const ConfinementSettings& config, Isolator isolator, std::string_view what) {
  if (has(config.isolators, isolator)) return {};
  return fail(fmt::format("{} needs the isolator {}, which this agent does not have", what,
                          to_text(isolator)));
}

Result<void> check_capabilities(CapabilitySet wanted, const ConfinementSettings& config) {
  TRY(need(config, Isolator::kCapabilities, "a container's own set of capabilities"));
  const CapabilitySet beyond = wanted & ~config.capabilities;
  if (beyond == 0) return {};
  return fail(fmt::format("the agent does not grant {} (its --capabilities)",
                          fmt::join(to_names(beyond), ", ")));
}

Result<void> check_rootfs(const RootFilesystem& rootfs, const ConfinementSettings& config) {
  TRY(need(config, Isolator::kMountNamespace, "a root file system"));
  if (find_above(config.image_directories, plain_path(rootfs.path)) != nullptr) return {};
  return fail(fmt::format(
      "the agent makes no root file system of '{}': {}", rootfs.path,
      config.image_directories.empty()
          ? "its --image-dir names nothing"
          : fmt::format("its --image-dir is {}", fmt::join(config.image_directories, ", "))));
}

Result<void> check_volume(const ContainerVolume& volume, const ConfinementSettings& config) {
  TRY(need(config, Isolator::kMountNamespace, "a volume"));
  if (volume.source != ContainerVolume::Source::kHostPath ||
      find_above(config.volume_host_paths, plain_path(volume.source_path)) != nullptr) {
    return {};
  }
  return fail(fmt::format("the agent does not show '{}' to tasks: {}", volume.source_path,
                          config.volume_host_paths.empty()
                              ? "its --volume-host-paths names nothing"
                              : fmt::format("its --volume-host-paths are {}",
                                            fmt::join(config.volume_host_paths, ", "))));
}

bool looks_at_ports(const CheckInfo& check) { return check.type != CheckInfo::Type::kCommand; }

}  // namespace

Result<void> check_container(const ContainerInfo& container, const ConfinementSettings& config) {
  if (container.rootfs) TRY(check_rootfs(*container.rootfs, config));
  for (const ContainerVolume& volume : container.volumes) TRY(check_volume(volume, config));
  if (container.capabilities) TRY(check_capabilities(*container.capabilities, config));
  if (container.seccomp == ContainerInfo::Seccomp::kUnconfined && !config.allow_unconfined &&
      has(config.isolators, Isolator::kSeccomp)) {
    return fail("the agent runs nothing without its filter of system calls (--allow-unconfined)");
  }
  if (!container.hostname.empty()) TRY(need(config, Isolator::kUtsNamespace, "a host name"));
  if (container.network == ContainerInfo::Network::kLoopback) {
    TRY(need(config, Isolator::kNetNamespace, "a network of its own"));
  }
  if (container.user_namespace) {
    TRY(need(config, Isolator::kUserNamespace, "a user namespace"));
    // What is shown to others, too, has their ids.
    TRY(need(config, Isolator::kMountNamespace, "a user namespace"));
  }
  return {};
}

Result<void> check_container(const TaskSpec& task, const ConfinementSettings& config) {
  if (!task.container) return {};
  TRY(check_container(*task.container, config));
  const bool ports = (task.check && looks_at_ports(*task.check)) ||
                     (task.health_check && looks_at_ports(task.health_check->check));
  if (ports && task.container->network == ContainerInfo::Network::kLoopback) {
    return fail("the agent cannot look at ports of a network of the task's own; use a command");
  }
  return {};
}

Result<void> check_container(const ExecutorInfo& executor, const ConfinementSettings& config) {
  return executor.container ? check_container(*executor.container, config) : Result<void>{};
}

}  // namespace tepui
