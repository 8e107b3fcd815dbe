#pragma once
// Ground is what an agent stands on: its directories, the machine's resources, its cgroup subtree,
// and what is missing there, a sentence each.
//
// Preparing it may block, so it comes before the loop. What an earlier life left in the subtree
// stays.

#include <memory>
#include <string>
#include <vector>

#include "agent/confinement.h"
#include "agent/id_range.h"
#include "agent/isolation_settings.h"
#include "agent/linux/cgroup.h"
#include "agent/linux/disk_image.h"
#include "agent/linux/disk_quota.h"
#include "agent/linux/machine.h"
#include "agent/linux/volume_quota.h"
#include "common/result.h"

namespace tepui {

struct GroundOptions {
  std::string work_dir;
  std::string runtime_dir;
  std::string cgroup_root;              // below the place that the machine permits
  std::string resources;                // empty: what is detected
  std::vector<std::string> isolators;   // words of --isolation
  std::vector<std::string> io_devices;  // paths; none: the disk of the work directory
  IsolationSettings isolation;          // as it is configured
  CapabilitySet capabilities = kDefaultCapabilities;
  std::vector<std::string> image_directories;  // of what tasks may ask for as roots
  std::vector<std::string> volume_host_paths;  // what tasks may ask for as volumes
  bool allow_unconfined = false;               // a container may ask for no filter of system calls
  IdRange ids = kDefaultIds;                   // divided among user namespaces
  std::vector<std::string> stores;  // absolute directories of the agent's own, made by others
};

struct Ground {
  Machine machine;
  std::string boot_id;                        // of the kernel that runs
  std::unique_ptr<CgroupRoot> cgroups;        // null: none can be had
  std::unique_ptr<DiskQuota> disk_quota;      // null: none can be had, or none is wanted
  std::unique_ptr<VolumeQuota> volume_quota;  // likewise
  std::unique_ptr<DiskImages> disk_images;    // likewise
  std::vector<std::string> controllers;       // the isolators that write a plan, sorted
  IsolationSettings isolation;                // with what was found out about the machine
  ConfinementSettings confinement;
  std::vector<std::string> degraded;
};

// The error is fit for the user: a directory that cannot be made, bad resources, an isolator that
// was required and is not usable here.
Result<Ground> prepare_ground(const GroundOptions& options);

}  // namespace tepui
