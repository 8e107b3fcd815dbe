#pragma once
// BareRoot is the least that the kernel must do for a command with a root file system of its own:
// clone3 into pid, mount, ipc and uts namespaces and into a fresh cgroup, the root bound and
// entered, proc mounted, the program executed; then the cgroup is removed. No record, no
// supervisor, no output, nothing restricted.
//
// For benchmarks only: what goes wrong ends the program. One thread.

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "common/io/fd.h"

namespace tepui::perf {

class BareRoot {
 public:
  // Runs `program` of `root`. Cgroups are made below `cgroups`, wherever that is seen later; empty:
  // none are.
  BareRoot(const std::filesystem::path& root, std::string program, const std::string& cgroups);

  double commands_per_second(int count, int in_flight);
  // From the start to the end of one.
  double measure_one_ms();

 private:
  struct Running {
    pid_t pid = -1;
    std::string cgroup;
  };
  Running start();
  void finish(const Running& one) const;

  const std::string root_;
  const std::string program_;
  Fd cgroups_;
  Fd null_;
  int count_ = 0;
};

}  // namespace tepui::perf
