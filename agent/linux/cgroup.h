#pragma once
// CgroupRoot is the agent's own subtree of the cgroup v2 hierarchy: one fresh cgroup per container,
// one for all shims, and nothing that anybody else made.
//
//   <base>/<name>/              held by a lock for the life of the agent
//                 shims-N/      where the shims of one life of the agent are born, so that killing
//                               a container spares them
//                 container-ID/
//                   container-ID/   of a container inside another, which is named by both ids
//
// What it holds outlives the agent: a next one takes the subtree up as it is.
//
// Invariants: one living agent per subtree; a cgroup is never reused, not even for shims (kernels
// up to 6.18 at least kill at once what is cloned into or out of a cgroup that was once killed).
//
// The subtree as a whole is protected from reclaim (memory.low), so that what its containers are
// guaranteed counts: a protection reaches no further than that of the cgroup above.
//
// Workers may call the const methods side by side. They may block: not for the loop.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/isolation_plan.h"
#include "agent/isolators/cpuset.h"
#include "agent/linux/cgroup_discovery.h"
#include "agent/linux/devices.h"
#include "agent/linux/network.h"
#include "common/io/fd.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// Where the cgroup of a container is, below the agent's subtree. Pure.
std::string container_directory(const std::string& id);

// What the kernel counted for a container, as far as its controllers can say.
struct CgroupMemory {
  bool oom_killed = false;
  int64_t peak_bytes = 0;   // 0: not known
  int64_t usage_bytes = 0;  // now
};

// True once no process lives in the cgroup or below it; false when `patience` ran out first.
Result<bool> wait_until_empty(int cgroup, Duration patience);

class CgroupRoot {
 public:
  // Takes the subtree `name` (a relative path such as "tepui/agent") below the place, with what an
  // earlier life left in it, and enables those controllers of `wanted` that are there. Refuses
  // while another agent lives in the subtree.
  static Result<std::unique_ptr<CgroupRoot>> create(const CgroupPlace& place, std::string_view name,
                                                    const std::vector<std::string>& wanted);

  // Enabled for containers, sorted.
  const std::vector<std::string>& controllers() const { return controllers_; }
  // Whether cgroups of containers have this control file.
  bool has_file(const std::string& file) const;
  // Whether programs for devices can be put on cgroups; the error says why not.
  Result<void> try_devices() const;
  // The same of network/egress and network/ports.
  Result<void> try_network(std::string_view isolator) const;
  int shims() const { return shims_.get(); }
  // Absolute.
  const std::string& path() const { return path_; }
  // The ids of those that have a cgroup.
  Result<std::vector<std::string>> containers() const;

  // Ids of containers that are inside others are paths: "outer/inner".

  // Makes the cgroup of a container and writes its plan; leaves nothing behind on failure.
  Result<Fd> create_container(const std::string& id, const IsolationPlan& plan) const;
  // Makes sure that there is a cgroup for containers to be inside of, with limits of their own.
  Result<void> create_parent(const std::string& id) const;
  // Removes one that nothing is inside of any more.
  void remove_parent(const std::string& id) const;
  // Writes another plan, as far as it goes; the first error. Where a container runs and what
  // devices it has was decided when it was made.
  Result<void> update_container(const std::string& id, const IsolationPlan& plan) const;
  // A control file of a container, for writing.
  Result<Fd> open_control(const std::string& id, std::string_view file) const;
  Result<void> kill_container(const std::string& id) const;
  // Kills what is left in it and removes it with all that it made below itself. False when
  // processes outlived `patience` (they sleep in the kernel): call again.
  Result<bool> remove_container(const std::string& id, Duration patience) const;
  Result<CgroupMemory> memory_of(const std::string& id) const;

  // Ends the subtree: kills and removes everything. Afterwards only destruction is permitted.
  Result<void> kill_all_and_remove();
  // Removes the subtree if nothing is in it. Likewise.
  void remove_if_empty();

 private:
  CgroupRoot(Fd base, std::string name, std::string path, Fd directory);
  Result<void> clear();
  Result<void> make_shims();
  void remove_unused_shims();
  Result<void> remove_directory();
  void enable(const CgroupPlace& place, const std::vector<std::string>& wanted);
  void protect() const;
  bool has_controller(std::string_view name) const;
  Result<void> write_fresh(int cgroup, const IsolationPlan& plan) const;
  Result<void> update(const std::string& name, const ControlWrite& write) const;
  Result<std::string> cpus_for(const std::string& value) const;
  Result<void> place_on_node(int cgroup, int64_t request_milli) const;
  Result<std::vector<NumaNode>> weigh_nodes() const;

  const Fd base_;
  const std::string name_;
  const std::string path_;
  const Fd directory_;  // locked
  Fd shims_;
  std::vector<std::string> controllers_;
  mutable DevicePrograms devices_;
  mutable NetworkPrograms network_;
  // One is placed at a time, so that the next one sees it.
  mutable std::mutex placing_;
};

// A value of a flat keyed file such as memory.events; absent is zero. Pure.
int64_t flat_keyed_value(std::string_view text, std::string_view key);

}  // namespace tepui
