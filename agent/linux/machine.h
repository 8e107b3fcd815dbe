#pragma once
// What this machine offers: processors, memory, disk and ports as resources, its name, and the id
// of its boot. Amounts follow what operators know from Mesos: some memory and disk stay with the
// system.
//
// detect_machine() asks the machine and may block; the rest is pure.

#include <cstdint>
#include <string>

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

struct Machine {
  Resources resources;
  std::string hostname;
  std::string boot_id;
};

// In MB. Of memory, all but 1 GB, and of disk, all but 5 GB, or half where there is too little.
int64_t offered_memory_mb(int64_t total_mb);
int64_t offered_disk_mb(int64_t total_mb);

// `given`, and of `detected` what no resource of the same name was given for.
Resources override_resources(const Resources& detected, const Resources& given);

// `resources_flag` as read_resources takes it; empty gives what is detected. The disk is that of
// `work_dir`, which must exist. So must the roots of disks that are given, and those of MOUNT disks
// must be mount points.
Result<Machine> detect_machine(const std::string& work_dir, const std::string& resources_flag);

}  // namespace tepui
