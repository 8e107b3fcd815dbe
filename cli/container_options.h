#pragma once
// The options of `tepui run` that say what a container looks like from within.

#include <optional>
#include <vector>

#include "cli/commands.h"
#include "common/container_info.h"
#include "common/io/config.h"

namespace tepui::cli {

std::vector<Option> container_options();
// Nothing where none of them is given.
Outcome<std::optional<ContainerInfo>> container_of(const Settings& settings);

}  // namespace tepui::cli
