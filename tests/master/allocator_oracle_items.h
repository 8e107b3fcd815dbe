#pragma once
// What the files of the oracle share: paths of roles, and what counts in quota.

#include <cstdint>
#include <map>
#include <string>

#include "common/resources.h"

namespace tepui {

inline bool is_below(const std::string& ancestor, const std::string& path) {
  return path.size() > ancestor.size() + 1 && path.starts_with(ancestor + "/");
}
inline bool is_within(const std::string& above, const std::string& role) {
  return role == above || is_below(above, role);
}

// Up to `most` of each name, whole where it cannot be cut.
Resources cut(const Resources& from, std::map<std::string, int64_t> most, bool keep_unnamed);

inline bool counts(const Resource& item) {
  return item.is_scalar() && !item.kind->is_reserved() && !item.kind->revocable &&
         !item.kind->shared;
}

}  // namespace tepui
