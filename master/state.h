#pragma once
// State is everything the master core knows while it leads, as one plain structure that the files
// of this folder work on: agents, frameworks, tasks, offers, sessions, and what waits to be sent.
//
// Entries live in slots and are named by handle; their addresses are stable, so that they may point
// at each other: a task at its framework and agent, an offer likewise. Hash tables are looked up
// and never walked; whatever is walked is a slot array or a list whose order depends only on the
// inputs.
//
// Pure. Functions of this folder take State& first and find the time of the turn in State::now.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/events.h"
#include "common/ids.h"
#include "common/maintenance.h"
#include "common/messages.h"
#include "common/registry_values.h"
#include "common/rng.h"
#include "common/slots.h"
#include "common/time.h"
#include "master/allocator/allocator.h"
#include "master/authorizer.h"
#include "master/books.h"
#include "master/deadlines.h"
#include "master/effects.h"
#include "master/master.h"
#include "master/registry_queue.h"

namespace tepui::master {

struct AgentEntry;
struct FrameworkEntry;

struct TaskEntry {
  Task task;
  TaskHandle handle;
  FrameworkEntry* framework = nullptr;
  AgentEntry* agent = nullptr;
  uint32_t at_framework = 0;  // its places in the lists of both
  uint32_t at_agent = 0;
  // The agent is out of reach: the task holds nothing, and its state is UNREACHABLE or LOST.
  bool unreachable = false;
  // A kill was asked for; repeated when the agent registers again.
  bool kill_requested = false;
  std::optional<KillPolicy> kill_policy;

  bool holds_resources() const { return !unreachable && !is_terminal(task.state); }
};

// How tables of tasks find them by id, without a copy of the id.
struct TaskIdHash {
  using is_transparent = void;
  // Not noexcept, so that the table keeps the hashes beside the pointers: it would read every task
  // to grow, and all those of a bucket to find one.
  size_t operator()(const TaskId& id) const { return std::hash<TaskId>{}(id); }
  size_t operator()(const TaskEntry* entry) const { return (*this)(entry->task.id); }
};
struct TaskIdEqual {
  using is_transparent = void;
  bool operator()(const TaskEntry* a, const TaskEntry* b) const { return a->task.id == b->task.id; }
  bool operator()(const TaskId& id, const TaskEntry* entry) const { return id == entry->task.id; }
  bool operator()(const TaskEntry* entry, const TaskId& id) const { return id == entry->task.id; }
};

// An executor that lives on an agent, in the name of a framework.
struct ExecutorEntry {
  FrameworkEntry* framework = nullptr;
  std::shared_ptr<const ExecutorInfo> info;
  std::string role;  // the allocation role of its resources
};

struct OfferEntry {
  OfferId id;
  FrameworkEntry* framework = nullptr;
  AgentEntry* agent = nullptr;
  uint32_t at_framework = 0;
  uint32_t at_agent = 0;
  std::string role;
  Resources resources;
  TimerId expiry;
  bool sent = false;  // the scheduler has seen it, or is about to
};

// An operation that was begun and whose end nobody has acknowledged.
struct OperationEntry {
  AgentOperation told;  // with the status that is known last
  AgentEntry* agent = nullptr;
};

struct AgentEntry {
  enum class Phase : uint8_t {
    kRecovered,     // from the registry; has not come back since the election
    kConnected,     // registered, with a session
    kDisconnected,  // registered, without one
    kUnreachable,   // given up; it may come back
  };
  // What the registry is about to record of it; it takes part in nothing until then.
  enum class Leaving : uint8_t { kNo, kToUnreachable, kRemoved };

  AgentInfo info;
  AgentHandle handle;
  Phase phase = Phase::kRecovered;
  Leaving leaving = Leaving::kNo;
  SessionId session;         // null unless connected
  SessionId newest_session;  // what comes in an older one is stale
  bool told_more = false;    // this session's Registered came with orders, which it may have missed
  // Of info.resources, what the allocator has lent (master/loans.h); revocable.
  Resources lent;
  // And what is held although the agent has less that is revocable now; gone when it comes back.
  Resources excess;
  Books books;  // closed (empty) unless in_allocator
  bool in_allocator = false;
  bool broken = false;  // its books did not balance; void until it registers again
  WallTime unreachable_since{};
  Standing standing;                             // as it is durable
  std::optional<Unavailability> unavailability;  // its machine is in the maintenance schedule
  uint32_t facts_version = 0;  // grows when what schedulers were told of it changes

  std::vector<TaskEntry*> tasks;
  std::vector<OfferEntry*> offers;
  std::set<Uuid> operations;  // in State::operations
  std::map<std::pair<FrameworkHandle, ExecutorId>, ExecutorEntry> executors;
  // Frameworks it may know of, and those whose info this session has told it.
  std::set<FrameworkHandle> frameworks;
  std::set<FrameworkHandle> told;

  TimerId ping_timer;
  Duration ping_told = Duration::max();  // what this session counts on, whatever is tuned later
  bool ping_unanswered = false;
  int ping_misses = 0;
  std::string removal_why;      // it is to be given up; empty: no
  bool removal_queued = false;  // it is in State::removals

  // Waits to be sent at the end of the turn.
  std::vector<LaunchTasks::Item> launches;
  std::vector<FrameworkInfo> launch_frameworks;
  std::vector<AcknowledgeUpdates::Item> acknowledgements;
  std::vector<AgentOperation> new_operations;
  std::vector<AcknowledgeOperationReports::Item> operation_acknowledgements;
  bool outbox_queued = false;

  bool is_connected() const { return phase == Phase::kConnected && leaving == Leaving::kNo; }
  bool is_registered() const { return phase == Phase::kConnected || phase == Phase::kDisconnected; }
  // Its resources may be reserved and made volumes, also while they are offered to nobody.
  bool is_operable() const { return is_connected() && in_allocator && !broken; }
  bool is_offerable() const { return is_operable() && !standing.deactivated; }
};

struct FrameworkEntry {
  FrameworkInfo info;
  FrameworkHandle handle;
  SessionId session;         // null: disconnected
  SessionId newest_session;  // what comes in an older one is stale
  bool recovered = false;    // known from agents only, so far
  bool congested = false;    // its session reads too slowly: no offers

  std::unordered_set<TaskEntry*, TaskIdHash, TaskIdEqual> tasks_by_id;  // unreachable ones too
  std::vector<TaskEntry*> tasks;
  std::vector<OfferEntry*> offers;
  std::map<OperationId, Uuid> operations;                  // those with an id, in State::operations
  std::set<std::pair<AgentHandle, ExecutorId>> executors;  // in the tables of their agents

  TimerId failover_timer;
  TimerId heartbeat_timer;
  Duration heartbeat_told = Duration::max();  // what this session counts on

  // Agents that this session was told of: their number in it, and which version of their facts.
  struct Introduction {
    uint32_t number = 0;
    uint32_t facts_version = 0;
  };
  std::unordered_map<AgentHandle, Introduction> introduced;
  uint32_t next_agent_number = 1;

  // Waits to be sent at the end of the turn.
  std::vector<OfferId> new_offers;
  std::vector<OfferId> rescinds;
  std::vector<TaskStatus> updates;
  std::vector<Failure> failures;
  std::vector<OperationStatus> operation_updates;
  bool outbox_queued = false;

  bool is_connected() const { return !session.is_null(); }
  bool is_partition_aware() const { return info.has(FrameworkCapability::kPartitionAware); }
};

struct Session {
  enum class Peer : uint8_t { kScheduler, kAgent };
  SessionId id;
  Peer peer = Peer::kScheduler;
  std::string principal;
  AgentEntry* agent = nullptr;
  FrameworkEntry* framework = nullptr;
  bool registering = false;  // a registration waits for the registry
  bool congested = false;
};

// The last ids of objects that are gone for good, so that nobody brings them back.
template <class Id>
class DepartedIds {
 public:
  explicit DepartedIds(size_t bound) : bound_(bound) {}
  bool contains(const Id& id) const { return set_.contains(id); }
  void add(const Id& id) {
    if (!set_.insert(id).second) return;
    order_.push_back(id);
    if (order_.size() <= bound_) return;
    set_.erase(order_.front());
    order_.pop_front();
  }
  void clear() {
    set_.clear();
    order_.clear();
  }

 private:
  size_t bound_;
  std::unordered_set<Id> set_;
  std::deque<Id> order_;
};

struct State {
  State(MasterConfig config, uint64_t seed, Allocator& allocator, Authorizer& authorizer,
        MasterEffects& effects);

  MasterConfig config;
  Rng rng;
  Allocator& allocator;
  Authorizer& authorizer;
  MasterEffects& effects;
  Now now{};

  bool leading = false;
  uint64_t epoch = 0;
  Instant elected_at{};
  std::string master_id;
  uint64_t next_agent = 1;
  uint64_t next_framework = 1;
  uint64_t next_offer = 1;

  Slots<std::unique_ptr<AgentEntry>, AgentHandle> agents;
  std::unordered_map<AgentId, AgentEntry*> agents_by_id;
  // Where agents listen (hostname and address): a new one there means that the others are dead.
  std::unordered_map<std::string, std::vector<AgentEntry*>> agents_by_place;
  uint32_t agents_recovered = 0;  // how many are in that phase
  uint32_t agents_at_election = 0;
  std::deque<AgentHandle> removals;  // master/removals.h
  Instant removal_allowed_at = Instant::min();
  TimerId removal_timer;
  std::deque<AgentId> unreachable_order;
  DepartedIds<AgentId> agents_removed;

  Slots<std::unique_ptr<FrameworkEntry>, FrameworkHandle> frameworks;
  std::unordered_map<FrameworkId, FrameworkEntry*> frameworks_by_id;
  DepartedIds<FrameworkId> frameworks_completed;

  Slots<std::unique_ptr<TaskEntry>, TaskHandle> tasks;
  std::unordered_map<OfferId, OfferEntry> offers;
  std::map<Uuid, OperationEntry> operations;
  std::map<SessionId, Session> sessions;

  // Asked and not answered yet; few, for they are one per framework and agent under maintenance.
  std::map<OfferId, InverseGrant> inverse_offers;
  // What was answered last, until the plan changes or agent or framework goes. As few.
  struct InverseAnswer {
    bool accepted = false;
    WallTime at{};
  };
  std::map<std::pair<AgentId, FrameworkId>, InverseAnswer> inverse_answers;
  TimerId window_timer;

  RegistryQueue registry;
  Deadlines deadlines;

  // The allocation round.
  bool round_running = false;
  Instant round_started = Instant::min();
  Instant full_round_at = kNever;
  uint64_t round_visited_before = 0;
  uint32_t round_offers = 0;
  std::vector<Grant> grants;  // kept for its memory

  // What the end of the input or of the turn takes care of.
  std::vector<FrameworkHandle> scheduler_outboxes;
  std::vector<AgentHandle> agent_outboxes;
  std::vector<AgentHandle> drain_checks;
  struct Broken {
    AgentHandle agent;
    std::string why;
  };
  std::vector<Broken> broken;
  Instant wake_wish = kNever;

  template <class E>
  void emit(const E& event) {
    effects.on_event(Event(event));
  }
};

template <class Map, class Id>
auto* find_entry(const Map& map, const Id& id) {
  const auto found = map.find(id);
  return found == map.end() ? nullptr : found->second;
}

inline AgentEntry* find_agent(State& s, const AgentId& id) {
  return find_entry(s.agents_by_id, id);
}
inline FrameworkEntry* find_framework(State& s, const FrameworkId& id) {
  return find_entry(s.frameworks_by_id, id);
}
inline TaskEntry* find_task(const FrameworkEntry& framework, const TaskId& id) {
  const auto found = framework.tasks_by_id.find(id);
  return found == framework.tasks_by_id.end() ? nullptr : *found;
}
inline OfferEntry* find_offer(State& s, OfferId id) {
  const auto found = s.offers.find(id);
  return found == s.offers.end() ? nullptr : &found->second;
}
inline Session* find_session(State& s, SessionId id) {
  const auto found = s.sessions.find(id);
  return found == s.sessions.end() ? nullptr : &found->second;
}

// Lists whose members know their place: leaving one is a swap with the last.
template <class Entry>
void link(std::vector<Entry*>& list, Entry& entry, uint32_t Entry::* place) {
  entry.*place = static_cast<uint32_t>(list.size());
  list.push_back(&entry);
}
template <class Entry>
void unlink(std::vector<Entry*>& list, Entry& entry, uint32_t Entry::* place) {
  Entry* last = list.back();
  list[entry.*place] = last;
  last->*place = entry.*place;
  list.pop_back();
}

}  // namespace tepui::master
