#pragma once
// Where this machine lets the agent make cgroups, and what it lacks there, in sentences for people.
//
// The v2 hierarchy is found in the mount table, wherever it is. Below it the agent writes under the
// cgroup it was started in when that was delegated to it, else under the root of the hierarchy,
// but never beside systemd, who owns all that it did not delegate.
//
// The choice is pure; read_cgroup_facts() asks the machine.

#include <string>
#include <string_view>
#include <vector>

#include "agent/linux/mount_table.h"
#include "common/result.h"

namespace tepui {

struct CgroupFacts {
  std::vector<Mount> mounts;
  std::string own_cgroup;     // the text of /proc/self/cgroup
  bool has_systemd = false;   // systemd is the machine's init
  bool is_delegated = false;  // the cgroup of this process is marked as delegated
};

struct CgroupPlace {
  std::string mount_point;
  std::string base;          // absolute directory below which the agent makes its subtree
  bool base_is_own = false;  // the agent's own, non-root cgroup: it must first move into a leaf
  bool operator==(const CgroupPlace&) const = default;
};

// The cgroup2 mount that a path lookup would reach, or null.
const Mount* find_cgroup2(const std::vector<Mount>& mounts);

// The absolute directory of this process's v2 cgroup, as seen through `mount`.
Result<std::string> own_cgroup_directory(const Mount& mount, std::string_view own_cgroup);

Result<CgroupPlace> choose_cgroup_place(const CgroupFacts& facts);

// One sentence for each controller of `wanted` that is not in `usable`, saying where it is if it is
// bound to a v1 mount.
std::vector<std::string> explain_missing_controllers(const std::vector<Mount>& mounts,
                                                     const std::vector<std::string>& wanted,
                                                     const std::vector<std::string>& usable);

Result<CgroupFacts> read_cgroup_facts();

}  // namespace tepui
