#pragma once
// Allocator decides which framework is offered what: Dominant Resource Fairness between roles (by
// weight) and inside each role. It knows agents, roles and frameworks by handle, keeps shares and
// order between rounds, and does work in proportion to what changed.
//
// Follows: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011; the hierarchical allocator of
// Apache Mesos for its observable behaviour (who is offered what, in which order).
//
// The books: for every agent, total = available + what was offered or allocated. `allocate` and
// `recover` keep them; the master's own books (master/books.h) check the same sum from outside.
//
// Pure, one thread. A round can be cut in slices: call step() until it answers kDone; what changes
// between slices counts from the next round.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/resources.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// What the allocator must know of a framework; FrameworkInfo boiled down by the master.
struct FrameworkShape {
  std::vector<std::string> roles;       // sorted, unique
  std::vector<std::string> suppressed;  // subset of roles
  bool revocable_resources = false;
  bool gpu_resources = false;
  bool shared_resources = false;
  bool reservation_refinement = false;
  bool region_aware = false;
};

struct AgentShape {
  Resources total;
  std::string hostname;
  std::string region;
};

// What is offered to one framework on one agent under one role: the master makes one offer of it.
struct Grant {
  FrameworkHandle framework;
  AgentHandle agent;
  std::string_view role;  // valid until the framework leaves the role
  Resources resources;
};

struct AllocatorOptions {
  // Alternatives: an agent's resources are worth offering if they hold any one of these. Empty:
  // everything is.
  std::vector<Quantities> min_allocatable;
  // Scalars that do not count in the dominant share.
  std::vector<std::string> fairness_excluded;
  std::string region;  // the master's own; empty: unknown
  bool filter_gpu_resources = true;
};

struct RoleShare {
  std::string_view role;
  int64_t weight_milli = 1000;
  int64_t dominant_share_ppm = 0;  // without weight
  uint32_t frameworks = 0;
};

struct AllocatorStats {
  uint64_t rounds = 0;
  uint64_t agents_visited = 0;   // since the start
  uint64_t grants = 0;
  uint64_t filters_active = 0;
};

class Allocator {
 public:
  virtual ~Allocator() = default;

  virtual void add_agent(AgentHandle agent, AgentShape shape) = 0;
  virtual void update_agent(AgentHandle agent, AgentShape shape) = 0;
  // Forgets the agent with all its allocations and filters.
  virtual void remove_agent(AgentHandle agent) = 0;
  // A deactivated agent keeps its allocations and is not offered.
  virtual void set_agent_active(AgentHandle agent, bool active) = 0;

  virtual void add_framework(FrameworkHandle framework, FrameworkShape shape) = 0;
  // New roles are tracked, roles left are kept while something is allocated in them; filters of
  // roles left are dropped.
  virtual void update_framework(FrameworkHandle framework, FrameworkShape shape) = 0;
  virtual void remove_framework(FrameworkHandle framework) = 0;
  // Inactive: keeps its allocations, is not offered, loses its filters.
  virtual void set_framework_active(FrameworkHandle framework, bool active) = 0;

  // `roles` empty: all roles of the framework.
  virtual void suppress(FrameworkHandle framework, std::span<const std::string> roles) = 0;
  // Also clears the filters of these roles.
  virtual void revive(FrameworkHandle framework, std::span<const std::string> roles) = 0;
  virtual void set_weight(std::string_view role, int64_t weight_milli) = 0;

  // Tasks that came with an agent: counted without a round.
  virtual void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                        const Resources& resources) = 0;
  // Resources come back (declined, unused, task ended, offer rescinded). With `refuse`, the
  // framework's role is not offered a subset of them on this agent until the filter expires.
  // Unknown agents and frameworks are ignored: they went meanwhile.
  virtual void recover(Now now, FrameworkHandle framework, AgentHandle agent,
                       std::string_view role, const Resources& resources,
                       std::optional<Duration> refuse) = 0;

  // True if a round could offer something: something was freed, added, revived, or expired.
  virtual bool wants_round() const = 0;
  // Every active agent is a candidate in the next round (the timer of Mesos' allocation interval).
  virtual void request_full_round() = 0;
  // When the next filter expires; kNever if none.
  virtual Instant next_deadline() const = 0;
  virtual void on_time(Now now) = 0;

  enum class Step : uint8_t { kMore, kDone };
  // Begins or continues a round over at most `agents_max` agents. The grants are booked as
  // allocated before this returns, and appended to `grants`.
  virtual Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) = 0;

  // In order of role name.
  virtual std::vector<RoleShare> shares() const = 0;
  virtual const AllocatorStats& stats() const = 0;
  // Sums from scratch and compares with the incremental state; the error names what differs. For
  // tests and the simulation.
  virtual Result<void> audit() const = 0;
};

}  // namespace tepui
