#pragma once
// Quota is what a role is promised and what it may have at most, with everything below it in the
// tree of roles. Only scalars; reservations count, revocable resources do not.
//
// An absent limit is no limit; a limit of 0 is one. The default Quota promises and forbids nothing.
//
// Pure.

#include <cstdint>
#include <map>
#include <string>

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

struct Quota {
  Quantities guarantees;
  std::map<std::string, int64_t> limits_milli;

  bool is_default() const { return guarantees.empty() && limits_milli.empty(); }
  bool operator==(const Quota&) const = default;
};

// Names that a Quota may speak of: shares know no more of them.
inline constexpr size_t kQuotaNamesMax = 64;

// Refuses names that no resource can have, negative and oversized amounts, more than
// kQuotaNamesMax names, and a guarantee above the limit of the same name.
Result<void> validate(const Quota& quota);

// `guarantees cpus:4; mem:1024, limits cpus:8`; "none" for the default.
std::string to_text(const Quota& quota);

}  // namespace tepui
