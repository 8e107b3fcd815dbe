#pragma once
// The mounts of this process as /proc/self/mountinfo lists them. Pure: the text comes in.

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

struct Mount {
  std::string root;   // the part of the file system that is mounted, "/" for all of it
  std::string point;  // where it is mounted
  std::string type;   // "cgroup2", "ext4"
  std::vector<std::string> super_options;
  bool operator==(const Mount&) const = default;
};

// In the order of the text, so that a later mount on the same point hides an earlier one.
Result<std::vector<Mount>> parse_mountinfo(std::string_view text);

}  // namespace tepui
