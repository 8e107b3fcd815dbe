#pragma once
// Master is the whole decision-making of a leading master as one deterministic state machine:
// agents, frameworks, roles, offers, tasks, the registry, and the allocator that divides what there
// is. It holds no truth that it cannot rebuild: agent ids and infos are in the registry, tasks come
// back from agents, framework sessions from frameworks.
//
// Invariants: for every agent, total = free + offered + allocated, per kind of resource, after
// every input (see master/books.h); a resource is in at most one offer; a task has one fate,
// terminal states never change; nothing is acknowledged to a peer before what it depends on is
// durable.
//
// Inputs come in turns: any number of on_ calls with one `now`, then one work(now), in which the
// allocation round, batched messages and the batched registry write happen.
//
// Pure, one thread. `effects`, `allocator` and `authorizer` outlive the master.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/messages.h"
#include "common/store.h"
#include "common/time.h"
#include "master/allocator/allocator.h"
#include "master/authorizer.h"
#include "master/effects.h"

namespace tepui {

// What can change at run time; every reload is an input (on_tunables).
struct MasterTunables {
  Duration ping_interval = std::chrono::seconds(15);
  int ping_misses_max = 5;   // after so many unanswered pings an agent is unreachable
  Duration offer_timeout{};  // zero: offers stay until answered
  Duration agent_reregister_timeout = std::chrono::minutes(10);
  Duration heartbeat_interval = std::chrono::seconds(15);
  // Smallest time between the starts of two allocation rounds.
  Duration allocation_gap = std::chrono::milliseconds(5);
  // Every agent is looked at again so often, whatever happened (Mesos' timer); zero: never.
  Duration allocation_interval = std::chrono::seconds(1);
  uint32_t allocation_slice_agents = 2000;  // per turn
  uint32_t completed_tasks_max = 1000;      // per framework
  // What guarantees hold back is lent, as revocable resources, while nobody uses it.
  bool lend_guarantees = false;
  // Of the agents of the registry, so many may be given up because they did not come back after an
  // election; if more are missing, the master resigns.
  int recovery_removal_percent_max = 100;
  // Between two agents that are given up because nothing is heard of them; zero: no limit.
  Duration removal_gap{};
};

struct MasterConfig {
  std::string build;
  std::string hostname;
  // Role weights in thousandths; roles not named weigh 1000.
  std::vector<std::pair<std::string, int64_t>> weights;
  bool require_agent_domain = false;  // agents without one are refused
  MasterTunables tunables;
};

// The verdict of a consistency check, for the simulation and for /health.
struct MasterTotals {
  uint32_t agents_active = 0;
  uint32_t agents_disconnected = 0;
  uint32_t agents_unreachable = 0;
  uint32_t agents_recovered = 0;
  uint32_t frameworks_active = 0;
  uint32_t frameworks_disconnected = 0;
  uint32_t offers = 0;
  uint32_t tasks = 0;  // not both terminal and acknowledged
};

// How far a replay of the state has come; starts at {}.
struct ReplayCursor {
  uint32_t phase = 0;  // roles, agents, frameworks, tasks, offers
  uint32_t index = 0;  // the next slot of that phase
};

class Master {
 public:
  Master(MasterConfig config, uint64_t seed, Allocator& allocator, Authorizer& authorizer,
         MasterEffects& effects);
  ~Master();
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

  // Before election a master refuses every Hello with "not the leader".
  void on_elected(Now now, uint64_t epoch, const StoreContents& contents);
  void on_deposed(Now now, std::string_view why);

  void on_message(Now now, SessionId from, const SchedulerToMaster& message);
  void on_message(Now now, SessionId from, AgentToMaster message);
  // An operator's command (from the reader, which answers all the reads by itself).
  void on_message(Now now, SessionId from, std::string_view principal,
                  const OperatorRequest& request);

  // An operator's operation on what an agent has. The error says why nothing was done; the end is
  // told by events.
  Result<void> operate(Now now, std::string_view principal, const AgentId& agent,
                       const Operation& operation);

  void on_peer_lost(Now now, SessionId session, std::string_view why);
  void on_peer_congested(Now now, SessionId session);
  void on_peer_ready(Now now, SessionId session);

  void on_persisted(Now now, uint64_t token);
  void on_persist_failed(Now now, uint64_t token, const Error& error);

  // The hostnames whose agents are offered; none: all.
  void on_whitelist(Now now, std::optional<std::set<std::string>> hostnames);
  void on_tunables(Now now, const MasterTunables& tunables);
  void on_time(Now now);

  // The batched part of a turn. True: more work waits (a sliced round), call again next turn soon.
  bool work(Now now);

  MasterTotals totals() const;
  // Sums from scratch everything the invariants promise; the error names agent or framework.
  Result<void> audit() const;
  // Emits the present state as events (AgentAdded, FrameworkAdded, TaskAdded, OfferMade,
  // RoleChanged), for a reader that fell behind: from `cursor` on, about `events_max` of them.
  // True: that was all. Inputs may come between two slices; what they change is told by their own
  // events, so a reader that takes an update of something unknown as its addition ends with the
  // whole state.
  bool replay_state(EventSink& sink, ReplayCursor& cursor, size_t events_max) const;
  std::vector<RoleShare> role_shares() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tepui
