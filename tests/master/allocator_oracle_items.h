#pragma once
// What the files of the oracle share: paths of roles, and what counts in quota.

#include <string>

#include "common/resources.h"

namespace tepui {

inline bool is_below(const std::string& ancestor, const std::string& path) {
  return path.size() > ancestor.size() + 1 && path.starts_with(ancestor + "/");
}
inline bool is_within(const std::string& above, const std::string& role) {
  return role == above || is_below(above, role);
}

inline bool counts(const Resource& item) {
  return item.is_scalar() && !item.kind->is_reserved() && !item.kind->revocable &&
         !item.kind->shared;
}

}  // namespace tepui
