#pragma once
// What a container is on this machine between its launch and its removal: its sandbox, its runtime
// directory, its cgroup, its shim. Each function is one step of that life, and may block: they run
// on a worker's thread, several at once.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "agent/effects.h"
#include "agent/linux/cgroup.h"
#include "common/io/fd.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// Where containers live; outlives them.
struct ContainerPlaces {
  std::string work_dir;  // absolute
  Fd work;
  Fd runtime;                           // one directory per container, readable to us alone
  std::string shim;                     // the program
  const CgroupRoot* cgroups = nullptr;  // null: processes are killed by the shim, not by a cgroup
};

struct StartedShim {
  Fd pidfd;
  Fd report;                  // where its ShimReport comes
  uint64_t stderr_inode = 0;  // so that a task cannot pass off another file as its own
};

// Makes directories and cgroup, and starts the shim. Leaves nothing but the sandbox on failure.
Result<StartedShim> start_container(const ContainerPlaces& places, const LaunchSpec& spec);

// After the shim has ended: reaps it and reads what there is to know.
ExitRecord end_container(const ContainerPlaces& places, const LaunchSpec& spec,
                         const StartedShim& shim);

// Kills what is left and removes cgroup and runtime files. False: something still dies, try again.
Result<bool> remove_container(const ContainerPlaces& places, const ContainerId& id,
                              Duration patience);

// Kills all that shims of an earlier life still watch over, and removes their runtime files.
Result<void> end_earlier_shims(const ContainerPlaces& places, Duration patience);

// The sentence for a launch that failed in the shim.
Error launch_error(const LaunchSpec& spec, uint32_t stage, int code);

}  // namespace tepui
