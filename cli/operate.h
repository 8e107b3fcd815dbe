#pragma once
// What the commands of operators share: a command to the master, and what became of it. The
// commands themselves are in operate.cc, machines.cc and why.cc.

#include <memory>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/commands.h"

namespace tepui::cli {

Outcome<std::unique_ptr<Client>> connect(const Common& common);
// Done, or the master's reason for its refusal.
Outcome<int> command(Client& client, const OperatorRequest& request);
Outcome<int> command(const Common& common, const OperatorRequest& request);
// The rows of a table, printed as they are listed.
Outcome<int> show(const Common& common, Table table, const std::string& key);
// An agent by its id or, where only one has it, by its hostname.
Outcome<AgentRow> find_agent(Client& client, const std::string& name);

// The one task with the id at TASK, of the framework in --framework or of any.
Outcome<Task> find_task(Client& client, const Settings& settings);

std::unexpected<Failure> usage(std::string message);
std::string first(const std::vector<std::string>& texts);

}  // namespace tepui::cli
