#pragma once
// What an operator commands of a master. Each is answered by RequestDone with the same number: the
// command is done, and what it says is durable, or an error says why nothing was changed. Explain
// is answered by an Explanation.
//
// Part of common/messages.h. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/maintenance.h"
#include "common/quota.h"
#include "common/resources.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

// Kills a task in the name of an operator.
struct OperatorKill {
  uint32_t request = 0;
  FrameworkId framework_id;
  TaskId task_id;
  std::optional<KillPolicy> kill_policy;
};

// All of these or none. A quota that says nothing removes the role's.
struct UpdateQuota {
  struct Item {
    std::string role;
    Quota quota;
  };
  uint32_t request = 0;
  std::vector<Item> quotas;
  // Also more guarantees than the agents have, and limits below what is used.
  bool force = false;
};

struct UpdateWeights {
  struct Item {
    std::string role;
    int64_t weight_milli = 1000;
  };
  uint32_t request = 0;
  std::vector<Item> weights;
};

// Reservations and volumes in the name of an operator. Offers are rescinded as far as needed.
struct OperateResources {
  enum class Type : uint8_t {
    kReserve = 0,    // resources: as they shall be, with the reservation
    kUnreserve = 1,  // resources: as they are
    kCreate = 2,     // resources: the volumes
    kDestroy = 3,
    kGrow = 4,    // resources: the volume; change: the disk that is added
    kShrink = 5,  // resources: the volume; change: a scalar `disk`, how much is taken off
  };
  uint32_t request = 0;
  Type type = Type::kReserve;
  AgentId agent_id;
  Resources resources;
  Resources change;
};
inline constexpr int kOperateResourcesTypeCount = 6;

// Replaces the whole schedule.
struct UpdateMaintenanceSchedule {
  uint32_t request = 0;
  std::vector<MaintenanceWindow> windows;
};

// Scheduled machines go down (their agents are removed and may not come back), or up again.
struct OperateMachines {
  enum class Action : uint8_t { kStart = 0, kStop = 1 };
  uint32_t request = 0;
  Action action = Action::kStart;
  std::vector<std::string> hostnames;
};
inline constexpr int kMachinesActionCount = 2;

struct OperateAgent {
  enum class Action : uint8_t {
    kDrain = 0,       // no more offers, and its tasks are killed
    kDeactivate = 1,  // no more offers
    kReactivate = 2,
    kGone = 3,  // for good: its tasks are dead and its id may never come back
  };
  uint32_t request = 0;
  AgentId agent_id;
  Action action = Action::kDrain;
  std::optional<Duration> max_grace;  // kDrain: no task gets more time than this
  bool mark_gone = false;             // kDrain: as soon as it is drained
};
inline constexpr int kAgentActionCount = 4;

struct TeardownFramework {
  uint32_t request = 0;
  FrameworkId framework_id;
};

// Why does this framework get no offers?
struct Explain {
  uint32_t request = 0;
  FrameworkId framework_id;
  std::string role;  // empty: all its roles
};

// How many agents were not offered in the last round, by cause; one agent has one cause.
struct Explanation {
  struct Cause {
    std::string name;
    uint32_t agents = 0;
    std::string advice;  // what would change it for these agents, one sentence
  };
  struct Role {
    std::string role;
    bool active = false;      // connected, and reading fast enough
    bool suppressed = false;  // it wants none
    std::string advice;       // what to do first, one sentence
    std::vector<Cause> causes;
    bool paused = false;  // after an election nothing is offered yet, to nobody
  };
  uint32_t request = 0;
  std::vector<Role> roles;
};

using OperatorRequest = std::variant<OperatorKill, UpdateQuota, UpdateWeights, OperateResources,
                                     UpdateMaintenanceSchedule, OperateMachines, OperateAgent,
                                     TeardownFramework, Explain>;
inline uint32_t request_of(const OperatorRequest& request) {
  return std::visit([](const auto& one) { return one.request; }, request);
}

// A machine of the maintenance schedule.
struct MaintenanceRow {
  // What a framework said last when it was asked to leave an agent there.
  struct Answer {
    AgentId agent_id;
    FrameworkId framework_id;
    bool accepted = false;
    WallTime at{};
    bool operator==(const Answer&) const = default;
  };
  std::string hostname;
  std::string mode;  // "scheduled", "down"
  Unavailability unavailability;
  bool drain = false;
  std::vector<Answer> answers;  // by agent, then framework
};

}  // namespace tepui
