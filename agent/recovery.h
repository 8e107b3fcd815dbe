#pragma once
// What an agent that starts makes of what an earlier life remembered: RecoveredAgent from the
// records, and whether it may go on as that agent.
//
// Pure.

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "agent/reconfiguration.h"
#include "agent/records.h"
#include "common/result.h"

namespace tepui {

struct RecoveredTask {
  record::Task accepted;
  record::Course course;
  std::vector<record::Status> waiting;  // for their acknowledgement, oldest first
};

struct RecoveredAgent {
  std::optional<record::Identity> identity;   // none: it never was registered
  std::vector<record::Framework> frameworks;  // by number
  std::vector<RecoveredTask> tasks;           // by number
  std::vector<record::Executor> executors;    // by number
};

// From the records that were not replaced or taken away, by kind and number. Refuses records that
// do not fit together, which no crash can cause.
Result<RecoveredAgent> recall(std::span<const AgentRecord> records);

enum class RecoveryKind : uint8_t {
  kResume,    // the same agent, whose containers may run
  kRebooted,  // the same agent, whose containers are dead
  kAnew,      // it is nobody yet, or somebody else now
};

struct RecoveryTerms {
  ReconfigurationPolicy policy = ReconfigurationPolicy::kEqual;
  // Everything ends now: what the agent is configured to be does not matter.
  bool cleanup = false;
};

// An error: it must not go on, and says what changed and what is allowed.
Result<RecoveryKind> judge_recovery(const RecoveredAgent& memory, const AgentInfo& configured,
                                    const AgentGround& ground, const RecoveryTerms& terms);

// The containers of an earlier life that the agent will ask for; all others are nobody's, those of
// tasks too whose last status was remembered: only the removal of what they left was cut off.
std::set<ContainerId> containers_to_adopt(const RecoveredAgent& memory, RecoveryKind kind);

}  // namespace tepui
