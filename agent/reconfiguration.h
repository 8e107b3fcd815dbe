#pragma once
// What of an agent may change from one life to the next without losing its tasks. An agent that
// recovers compares what it is now with what it last registered as.
//
// Pure.

#include <cstdint>

#include "common/frameworks.h"
#include "common/result.h"

namespace tepui {

enum class ReconfigurationPolicy : uint8_t {
  kEqual,     // nothing
  kAdditive,  // resources and attributes may be added and grow, and a domain may be given
};

// Ids and what no task depends on (version, controllers, what is lacking) may differ. The error
// says what changed and what is allowed.
Result<void> check_reconfiguration(ReconfigurationPolicy policy, const AgentInfo& before,
                                   const AgentInfo& after);

}  // namespace tepui
