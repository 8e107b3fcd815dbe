#pragma once
// What agents answer over HTTP to one question, each: which agents there are, the leader says.

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/usage.h"
#include "common/result.h"

namespace tepui::cli {

struct AgentAnswer {
  AgentPlace agent;
  Result<std::string> body;  // of a 200, or why there is none
};

// Of all agents, or of the one with that id or hostname; those that the leader has lost are among
// them. Blocks.
Outcome<std::vector<AgentAnswer>> ask_agents(const Common& common, const std::string& agent,
                                             const std::string& target);

}  // namespace tepui::cli
