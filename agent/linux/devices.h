#pragma once
// DevicePrograms makes the eBPF programs that say which devices the processes of a cgroup may use,
// one for each list of rules, and puts them on cgroups. A program stays on its cgroup without us.
//
// Threads may share it.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

class DevicePrograms {
 public:
  // Denies all that no rule allows, there and below.
  Result<void> attach(int cgroup, const std::vector<std::string>& rules);
  // Tries it on a cgroup, and takes it off again.
  Result<void> probe(int cgroup);

 private:
  Result<int> program(const std::vector<std::string>& rules);

  std::mutex mutex_;
  std::map<std::vector<std::string>, Fd> programs_;
};

}  // namespace tepui
