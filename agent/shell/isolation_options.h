#pragma once
// The options of tepui-agent that say how containers are kept apart.

#include <vector>

#include "agent/shell/ground.h"
#include "common/io/config.h"
#include "common/result.h"

namespace tepui {

std::vector<Option> isolation_options();

// The error names the option.
Result<void> read_isolation(const Settings& settings, GroundOptions& ground);

}  // namespace tepui
