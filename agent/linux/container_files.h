#pragma once
// What a container is on this machine between its launch and its removal: its sandbox, its runtime
// directory, its cgroup, its shim. Each function is one step of that life, and may block: they run
// on a worker's thread, several at once.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/effects.h"
#include "agent/id_range.h"
#include "agent/linux/cgroup.h"
#include "agent/linux/id_ranges.h"
#include "agent/linux/seccomp_profile.h"
#include "agent/linux/shim_spec.h"
#include "common/io/fd.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// Where containers live; outlives them.
struct ContainerPlaces {
  std::string work_dir;  // absolute
  Fd work;
  Fd roots;                             // what containers write to their own root file systems
  Fd runtime;                           // one directory per container, readable to us alone
  std::string shim;                     // the program
  const CgroupRoot* cgroups = nullptr;  // null: processes are killed by the shim, not by a cgroup
  IdRanges* ids = nullptr;              // null: there are no user namespaces
  OutputLimit output;
  std::unique_ptr<SeccompProfiles> profiles = std::make_unique<SeccompProfiles>();
};

struct StartedShim {
  Fd pidfd;
  Fd report;                  // where its ShimReport comes
  uint64_t stderr_inode = 0;  // so that a task cannot pass off another file; 0: it is rotated
};

// Where a container of an earlier life has got to.
struct FoundContainer {
  enum class State : uint8_t {
    kAbsent,   // it never began, and nothing of it is left
    kFailed,   // its launch did, as the report says
    kRunning,  // with its shim, whose pidfd is there
    kEnded,    // the shim is gone; whether its command ever ran shows the pid
  };
  State state = State::kAbsent;
  StartedShim shim;
  uint32_t stage = 0;  // of a launch that failed, with
  int code = 0;
  pid_t pid = 0;  // of the command; 0: it is not known to have begun
};

// By what name its cgroup goes.
std::string cgroup_of(const LaunchSpec& spec);

// Makes directories and cgroup, and starts the shim. Leaves nothing but the sandbox on failure.
Result<StartedShim> start_container(const ContainerPlaces& places, const LaunchSpec& spec);

// After the shim has ended: reaps it and reads what there is to know.
ExitRecord end_container(const ContainerPlaces& places, const LaunchSpec& spec,
                         const StartedShim& shim);

// Kills what is left and removes cgroup and runtime files. False: something still dies, try again.
Result<bool> remove_container(const ContainerPlaces& places, const LaunchSpec& spec,
                              Duration patience);

// Waits for a shim that is just beginning. An error: it cannot be told.
Result<FoundContainer> find_container(const ContainerPlaces& places, const LaunchSpec& spec,
                                      Duration patience);

// Whether the shim, which has ended, came so far that the command may have run.
bool may_have_begun(const ContainerPlaces& places, const ContainerId& id);

// Kills what a container that cannot be watched still runs; its files stay.
void abandon_container(const ContainerPlaces& places, const LaunchSpec& spec, Duration patience);

// Kills all that is not in `known`: what shims of an earlier life still watch over, cgroups and
// runtime files that nobody owns. How many containers that were.
Result<int> end_unknown_containers(const ContainerPlaces& places,
                                   const std::set<std::string>& known, Duration patience);

// The namespaces that a running container has for itself, held by the pidfd of its command.
struct Namespaces {
  Fd process;
  pid_t pid = 0;
  IsolatorSet isolators;
  std::optional<IdRange> ids;  // of the one of users
};
// An empty id: none. An error: the container does not run (any more).
Result<Namespaces> find_namespaces(const ContainerPlaces& places, const ContainerId& id);

// The sentence for a launch that failed in the shim.
Error launch_error(const LaunchSpec& spec, uint32_t stage, int code);

}  // namespace tepui
