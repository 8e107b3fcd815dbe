#pragma once
// What a framework says of itself when it subscribes, and what an agent says of its machine.
// Follow FrameworkInfo and AgentInfo of Apache Mesos' v1 API. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/offer_constraints.h"
#include "common/resources.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// Bits of FrameworkInfo::capabilities, numbered as in Mesos' v1 API.
enum class FrameworkCapability : uint8_t {
  kRevocableResources = 1,
  kTaskKillingState = 2,
  kGpuResources = 3,
  kSharedResources = 4,
  kPartitionAware = 5,
  kMultiRole = 6,
  kReservationRefinement = 7,
  kRegionAware = 8,
};
constexpr uint32_t bit(FrameworkCapability c) { return uint32_t{1} << static_cast<int>(c); }

// What is worth an offer to a framework under one role, instead of the master's own minimum: any
// one of the sets. None: everything is.
struct RoleMinimum {
  std::string role;
  std::vector<Quantities> sets;
  bool operator==(const RoleMinimum&) const = default;
};

struct FrameworkInfo {
  FrameworkId id;  // empty: a new framework
  std::string name;
  std::string user;  // default user of its tasks; empty: the agent's own
  std::string principal;
  std::string hostname;
  std::string webui_url;
  std::vector<std::string> roles;             // sorted, unique, at least one
  std::vector<std::string> suppressed_roles;  // a subset of roles
  uint32_t capabilities = 0;                  // bit(FrameworkCapability)
  Duration failover_timeout{};                // 0: torn down as soon as it disconnects
  bool checkpoint = true;
  Labels labels;
  std::vector<RoleConstraints> offer_constraints;  // by role, sorted, unique; absent: every agent
  std::vector<RoleMinimum> min_allocatable;        // by role, sorted, unique

  bool has(FrameworkCapability c) const { return (capabilities & bit(c)) != 0; }
  bool operator==(const FrameworkInfo&) const = default;
};

// Names, roles, timeout range, constraints and minimum sets; sorts nothing, the error says what is
// wrong and where.
Result<void> validate(const FrameworkInfo& info);
// For authors of frameworks. A further group for the role: agents that pass it are offered as well.
void add_constraints(FrameworkInfo& info, std::string_view role, ConstraintGroup group);
void set_min_allocatable(FrameworkInfo& info, std::string_view role, std::vector<Quantities> sets);

// Messages of the scheduler's conversation. What the framework is like from now on, all of it: what
// is offered and filtered in roles that stay, stays. Refused as a whole, or done.
struct UpdateFramework {
  FrameworkInfo info;  // the id may be left out; user, principal and checkpointing cannot change
};
// The answers come in the order of the updates.
struct FrameworkUpdated {
  std::string error;  // empty: done
};

struct Domain {
  std::string region;
  std::string zone;
  bool empty() const { return region.empty() && zone.empty(); }
  bool operator==(const Domain&) const = default;
};
// "region/zone"; empty text: no domain.
Result<Domain> parse_domain(std::string_view text);

struct AgentInfo {
  AgentId id;  // empty: a new agent
  std::string hostname;
  std::string address;  // where its operator conversation listens: "127.0.0.1:5051"
  Resources resources;
  std::vector<Attribute> attributes;
  Domain domain;
  std::string version;
  std::vector<std::string> controllers;  // of cgroup v2 that it can use; devices, disk; sorted
  std::vector<std::string> degraded;     // what it lacks, a sentence each, for operators
  bool operator==(const AgentInfo&) const = default;
};
Result<void> validate(const AgentInfo& info);

}  // namespace tepui
