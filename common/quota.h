#pragma once
// Quota of a role: what it can count on (guarantees) and what it may not exceed (limits), both for
// the role with everything below it.
//
// A resource without a guarantee is guaranteed nothing; one without a limit is not limited; a limit
// of zero forbids it.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Sorted by name, each name once, amounts from zero on.
using QuotaLimits = std::vector<Quantities::Item>;

struct Quota {
  Quantities guarantees;
  QuotaLimits limits;
  bool operator==(const Quota&) const = default;

  // Says nothing: as if the role had no quota.
  bool is_default() const { return guarantees.empty() && limits.empty(); }
};

std::optional<int64_t> limit_of(const QuotaLimits& limits, std::string_view name);
// Sorts; refuses a name that comes twice and amounts that are negative or too large.
Result<QuotaLimits> make_limits(std::vector<Quantities::Item> items);

// `cpus:10;mem:64GB`, plain scalars only; in limits an amount may be zero.
Result<Quantities> parse_quantities(std::string_view text);
Result<QuotaLimits> parse_limits(std::string_view text);
std::string to_text(const Quantities& quantities);
std::string to_text(const QuotaLimits& limits);

}  // namespace tepui
