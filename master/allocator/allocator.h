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
// Quota (common/quota.h) binds a role with everything below it: guarantees nest, what is not yet
// used of them is held back from the others (headroom), and no grant brings a role or an ancestor
// of it above a limit. master/allocator/quota_book.h says how exactly.
//
// Loans (docs/decisions/008): with lending on, what is held back for guarantees may be lent to
// frameworks that take revocable resources. A loan turns that much of the agent's total revocable
// until it comes back. What was lent and sits in offers still counts for the guarantee, as it can
// be had by rescinding them, and is recalled when a framework could take it; what tasks run on does
// not count, and the guarantee is pursued elsewhere.
//
// Pure, one thread. A round can be cut in slices: call step() until it answers kDone; what changes
// between slices counts from the next round.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/quota.h"
#include "common/resources.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// What constraints on agents look at. A view: valid while the agent is.
struct AgentTraits {
  std::string_view hostname;
  std::string_view region;
  std::string_view zone;
  std::span<const Attribute> attributes;
};

// Which agents a framework wants to be offered under one role. Answers the same for the same facts.
class AgentFilter {
 public:
  virtual ~AgentFilter() = default;
  virtual bool allows(const AgentTraits& agent) const = 0;
};

// What the allocator must know of a framework; FrameworkInfo boiled down by the master.
struct FrameworkShape {
  std::vector<std::string> roles;       // sorted, unique
  std::vector<std::string> suppressed;  // subset of roles
  bool revocable_resources = false;
  bool gpu_resources = false;
  bool shared_resources = false;
  bool reservation_refinement = false;
  bool region_aware = false;
  // By role; instead of AllocatorOptions::min_allocatable. An empty list: everything is worth it.
  std::map<std::string, std::vector<Quantities>> min_allocatable;
  // By role; absent: all agents. Owned by whoever made them and the allocators they are given to.
  std::map<std::string, std::shared_ptr<const AgentFilter>> constraints;
};

struct AgentShape {
  Resources total;
  // What of the total's revocable resources is lent, that is, regular again when it comes back.
  Resources lent;
  std::string hostname;
  std::string region;
  std::string zone;
  std::vector<Attribute> attributes;
};

// What is offered to one framework on one agent under one role: the master makes one offer of it.
struct Grant {
  FrameworkHandle framework;
  AgentHandle agent;
  std::string_view role;  // valid until the framework leaves the role
  Resources resources;
};

// Asks for an inverse offer: the framework holds something on an agent that is planned to go.
struct InverseGrant {
  FrameworkHandle framework;
  AgentHandle agent;
  auto operator<=>(const InverseGrant&) const = default;
};

enum class SorterPolicy : uint8_t {
  kDrf,
  kRandom,  // a weighted draw without replacement for each agent, instead of by share
};

struct AllocatorOptions {
  // Alternatives: an agent's resources are worth offering if they hold any one of these. Empty:
  // everything is.
  std::vector<Quantities> min_allocatable;
  // Scalars that do not count in the dominant share.
  std::vector<std::string> fairness_excluded;
  std::string region;  // the master's own; empty: unknown
  bool filter_gpu_resources = true;
  // How often a framework can give back, without a filter, all that it is offered on an agent
  // before that counts as a refusal (master/allocator/unused_returns.h); 0: as often as it likes.
  uint32_t unused_returns_max = 0;
  SorterPolicy role_sorter = SorterPolicy::kDrf;
  SorterPolicy framework_sorter = SorterPolicy::kDrf;
};

// Why a framework is offered an agent under a role, or is not; the first that applies.
enum class OfferCause : uint8_t {
  kOffered,        // it holds an offer or an allocation there, and gets no more now
  kAgentInactive,  // deactivated, draining or disconnected
  kNotWhitelisted,
  kConstraint,    // the framework's own offer constraints exclude the agent
  kGpu,           // has gpus, and the framework lacks GPU_RESOURCES
  kRegion,        // of another region, and the framework lacks REGION_AWARE
  kNothingLeft,   // others hold it all
  kLent,          // what the role is guaranteed there is lent, and not back yet
  kNotUsable,     // what is left is reserved to others, or of a kind the framework cannot use
  kBelowMinimum,  // what is left is below the minimum worth offering
  kQuotaLimit,    // the role, or an ancestor, would exceed a limit
  kHeadroom,      // what is left is held back for guarantees of others
  kRefused,       // a filter of the framework excludes it
  kWaiting,       // it could be offered: others come first, or the next round does it
};
inline constexpr size_t kOfferCauses = 14;
std::string_view to_text(OfferCause cause);

struct OfferExplanation {
  bool known = false;  // the framework; nothing else is filled in otherwise
  bool active = false;
  bool subscribed = false;  // to the role
  bool suppressed = false;
  std::array<uint32_t, kOfferCauses> agents{};  // by cause; their sum is all agents
  uint32_t count(OfferCause cause) const { return agents[static_cast<size_t>(cause)]; }
};

// What one role has, with everything below it.
struct RoleUse {
  std::string role;
  Quota quota;
  // What counts against quota: reservations, allocated or not, and what is allocated of the rest
  // and not revocable.
  Quantities consumed;
  Quantities reserved;
  Quantities offered_or_allocated;
};

struct RoleShare {
  std::string_view role;
  int64_t weight_milli = 1000;
  int64_t dominant_share_ppm = 0;  // without weight
  uint32_t frameworks = 0;
  uint32_t filters_active = 0;
};

struct AllocatorStats {
  uint64_t rounds = 0;
  uint64_t agents_visited = 0;  // since the start
  uint64_t grants = 0;
  uint64_t filters_active = 0;
  uint64_t loans = 0;    // grants with something lent in them
  uint64_t recalls = 0;  // agents whose offers were to be rescinded for a guarantee
};

// What is lent of all agents, and what of it sits in offers.
struct LentSums {
  Quantities lent;
  Quantities offered;
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
  // Valid ones only (validate() in common/quota.h); the default Quota removes it. Nothing is taken
  // back that is already allocated.
  virtual void set_quota(std::string_view role, const Quota& quota) = 0;
  // Whether guarantees that are not used are lent. Off: all that is lent and offered is recalled.
  virtual void set_lending(bool on) = 0;
  // The hostnames that are offered; none: all.
  virtual void set_whitelist(std::optional<std::set<std::string>> hostnames) = 0;

  // Tasks that came with an agent: counted without a round. What of it is revocable, beyond what
  // is there, is taken for lent as far as the agent has it regular and free.
  virtual void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                        const Resources& resources) = 0;
  // Resources come back (declined, unused, task ended, offer rescinded). With `refuse`, the
  // framework's role is not offered a subset of them on this agent until the filter expires.
  // Unknown agents and frameworks are ignored: they went meanwhile.
  virtual void recover(Now now, FrameworkHandle framework, AgentHandle agent, std::string_view role,
                       const Resources& resources, std::optional<Duration> refuse) = 0;

  // An operation changed what the framework holds there, and the agent's total with it. Fails, and
  // changes nothing, if it does not hold `from` or the agent does not have it.
  virtual Result<void> convert_allocated(FrameworkHandle framework, AgentHandle agent,
                                         std::string_view role, const Resources& from,
                                         const Resources& to) = 0;
  // The same on what is available. Fails, and changes nothing, if `from` is not.
  virtual Result<void> convert_available(AgentHandle agent, const Resources& from,
                                         const Resources& to) = 0;

  // What of the agent's revocable resources tasks run on: it cannot be had back by rescinding.
  virtual void set_running(AgentHandle agent, const Resources& revocable) = 0;
  // What of its total is lent now; nothing of unknown agents. Rounds, recover() and allocate()
  // change it, and with it the total.
  virtual Resources lent(AgentHandle agent) const = 0;
  // Since the last call: whose offers with revocable resources are to be rescinded, as a guarantee
  // could be served by it. In the order in which they were chosen.
  virtual std::vector<AgentHandle> take_recalls() = 0;

  // Whether the agent is planned to go. A changed plan is set again: all are asked anew.
  virtual void set_maintenance(AgentHandle agent, bool planned) = 0;
  // The framework answered the inverse offer, or it was withdrawn. It is asked again after
  // `refuse`, at once without.
  virtual void answer_inverse(Now now, FrameworkHandle framework, AgentHandle agent,
                              std::optional<Duration> refuse) = 0;
  // Of the rounds done since the last call, in order of agent and framework: those who hold
  // something on an agent planned to go, are active, and were not asked since.
  virtual std::vector<InverseGrant> take_inverse_grants() = 0;

  // After a failover: while any role has a quota there is no round until 80 % of the expected
  // agents are back or ten minutes passed.
  virtual void pause(Now now, uint32_t agents_expected) = 0;
  // One of the expected agents will not come back.
  virtual void expect_fewer() = 0;
  virtual bool is_paused() const = 0;

  // True if a round could offer something: something was freed, added, revived, or expired.
  virtual bool wants_round() const = 0;
  // Every active agent is a candidate in the next round (the timer of Mesos' allocation interval).
  virtual void request_full_round() = 0;
  // When the next filter or the pause ends; kNever if none does.
  virtual Instant next_deadline() const = 0;
  virtual void on_time(Now now) = 0;

  enum class Step : uint8_t { kMore, kDone };
  // Begins or continues a round over at most `agents_max` agents. The grants are booked as
  // allocated before this returns, and appended to `grants`.
  virtual Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) = 0;

  // In order of role name.
  virtual std::vector<RoleShare> shares() const = 0;
  // The role with all below it, whether or not it is known; and all that have anything, a quota or
  // a framework, in order of name. Computed when asked.
  virtual RoleUse use(std::string_view role) const = 0;
  virtual std::vector<RoleUse> uses() const = 0;
  virtual LentSums lent_sums() const = 0;
  // Looks at every agent now; a round keeps no notes for it.
  virtual OfferExplanation explain(FrameworkHandle framework, std::string_view role) const = 0;
  virtual const AllocatorStats& stats() const = 0;
  // Sums from scratch and compares with the incremental state; the error names what differs. For
  // tests and the simulation.
  virtual Result<void> audit() const = 0;
};

}  // namespace tepui
