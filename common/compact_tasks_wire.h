#pragma once
// The tasks of a compact re-registration: what some of them have in common is written once, the
// rest of each is a fixed struct, and nothing is lost.
//
// Part of the agent's conversation (common/agent_wire.cc). Pure.

#include <vector>

#include "common/values_wire.h"
#include "schemas/agent_generated.h"

namespace tepui {

struct CompactTasks {
  TableVector<wire::TaskKind> kinds;
  StructVector<wire::CompactTask> tasks;
  TableVector<wire::OtherStatus> other_statuses;
};

CompactTasks write_compactly(WireWriter& out, const std::vector<Task>& tasks, const AgentId& agent);
std::vector<Task> read_compactly(WireReader& in, const wire::ReregisterCompactly& message,
                                 const AgentId& agent, const WirePath& at);

}  // namespace tepui
