#pragma once
// Removes the cgroups that a failed test left behind, killing what lives in them.

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "agent/linux/cgroup.h"
#include "agent/linux/files.h"

namespace tepui {

inline void sweep_cgroup(const std::string& path) {
  Result<Fd> directory = open_directory_at(AT_FDCWD, path);
  if (!directory.has_value()) return;
  (void)write_control_at(directory->get(), "cgroup.kill", "1").has_value();
  (void)wait_until_empty(directory->get(), std::chrono::seconds(5)).has_value();
  Result<std::vector<std::string>> below = list_directories(directory->get());
  if (below.has_value()) {
    for (const std::string& name : *below) sweep_cgroup(path + "/" + name);
  }
  rmdir(path.c_str());
}

}  // namespace tepui
