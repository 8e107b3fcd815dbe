#pragma once
// Quotas as people write them: `cpus:10; mem:64GB`. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/quota.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Plain scalars only. A guarantee of zero says nothing; a limit of zero forbids the resource.
Result<Quantities> parse_guarantees(std::string_view text);
Result<std::map<std::string, int64_t>> parse_limits(std::string_view text);

// `cpus:10; mem:65536`; empty for nothing.
std::string to_text(const Quantities& quantities);
std::string to_text(const std::map<std::string, int64_t>& limits_milli);

}  // namespace tepui
