#pragma once
// Who a task runs as in a root file system of its own: its etc/passwd and etc/group say, and no
// link in it leads out. May block: not for the loop.

#include <optional>
#include <string>
#include <vector>

#include "agent/linux/shim_spec.h"
#include "common/result.h"

namespace tepui {

// USER or USER:GROUP, names or numbers. A number need not be known there. Of the layers, the
// uppermost first, the first that has such a file counts; where none has users at all, those of the
// machine count. Nothing if `name` is empty.
Result<std::optional<UserIds>> user_in_root(const std::vector<std::string>& layers,
                                            const std::string& name);

}  // namespace tepui
