#pragma once
// What an agent may be configured to have.
//
// Pure.

#include <string_view>

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Of these, operations make all the rest: so no dynamic reservations, no volumes, nothing shared or
// revocable. The roots of disks are absolute and plain; a mounted disk is there once and as a
// whole, and neither the work directory nor another disk is inside it: a volume on it takes all of
// it, and destroying that empties it.
Result<void> check_configured(const Resources& resources, std::string_view work_dir);

}  // namespace tepui
