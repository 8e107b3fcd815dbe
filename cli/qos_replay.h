#pragma once
// What settings would have lent and done on a recording: `tepui qos replay`.

#include "cli/commands.h"

namespace tepui::cli {

Outcome<int> replay_qos(const Settings& settings, const std::string& recording);

}  // namespace tepui::cli
