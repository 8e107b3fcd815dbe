#pragma once
// The options of tepui-agent that say what tasks may fetch, and which images they may run in.

#include <string>
#include <vector>

#include "agent/shell/shell.h"
#include "common/io/config.h"
#include "common/result.h"

namespace tepui {

std::vector<Option> fetch_options();

// After the ground's directories were read. The error names the option.
Result<void> read_fetching(const Settings& settings, AgentShellConfig& config);

}  // namespace tepui
