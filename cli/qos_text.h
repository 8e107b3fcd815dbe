#pragma once
// What agents say of their QoS controllers and estimators (GET /qos), as people read it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "cli/usage.h"
#include "common/io/document.h"
#include "common/result.h"

namespace tepui::cli {

struct AgentQos {
  AgentPlace agent;
  Document said;
};

// An agent a row.
TextTable qos_table(const std::vector<AgentQos>& agents);
// The last `count` decisions of all, the newest last; of one task, if it is given.
TextTable qos_log(const std::vector<AgentQos>& agents, const std::string& task, size_t count);
// What is held against a task, why and until when, and whether it suffers itself; nothing if no
// agent knows anything of it.
std::optional<std::string> qos_explanation(const std::vector<AgentQos>& agents,
                                           const std::string& task);

}  // namespace tepui::cli
