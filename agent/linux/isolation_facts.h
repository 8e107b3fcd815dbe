#pragma once
// What isolators need to know of this machine beside its controllers: the disks that limits of io
// apply to, and the sizes of its huge pages.
//
// These calls read sysfs: not for the loop.

#include <string>
#include <vector>

#include "common/result.h"

namespace tepui {

// Whole disks as the io controller names them, "254:0", sorted: those that `paths` are (a device,
// or a partition of one) or are on; if there are none, the one that the work directory is on, or
// nothing where that is no disk. The error names the path.
Result<std::vector<std::string>> find_io_devices(const std::vector<std::string>& paths,
                                                 const std::string& work_dir);

// "2MB", "1GB", as the hugetlb controller names them; sorted.
std::vector<std::string> find_hugepage_sizes();

}  // namespace tepui
