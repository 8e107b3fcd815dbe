#pragma once
// Tables are the reader's own copy of the master's state: agents, frameworks, tasks, roles, offers
// and metrics, kept up to date from the feed and served as rows. Finished tasks and frameworks live
// only here, under a global bound (limits.h).
//
// Invariant: between Reset and Complete the old rows are gone and the new ones arrive; a row is
// what the core knew at state_version().
//
// One thread, the reader's.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/messages.h"
#include "common/time.h"
#include "master/shell/changed.h"
#include "master/shell/feed.h"

namespace tepui {

// How far a list has been read: up to and with this row.
using ListCursor = std::variant<std::monostate, AgentId, FrameworkId,
                                std::pair<FrameworkId, TaskId>, std::string, OfferId>;

class Tables {
 public:
  // Names of resources that do not count in the dominant share.
  void exclude_from_shares(std::vector<std::string> names) { unfair_ = std::move(names); }

  void apply(feed::Item item, WallTime at);
  // Whether what changes is collected, for watchers. A resync is noted in any case.
  enum class Collect : uint8_t { kNothing, kChanges };
  void collect(Collect what) { collect_ = what; }

  uint64_t state_version() const { return version_; }
  bool complete() const { return complete_; }
  uint64_t epoch() const { return epoch_; }
  const std::string& master_id() const { return master_id_; }

  // The next limits::kListPartRows rows that the request asks for, behind the cursor, which is
  // moved. An unknown key gives an empty part. What changes between two parts is in the second as
  // it is then.
  ListReply list_part(const ListRequest& request, ListCursor& cursor) const;
  // The changed rows of these tables (empty: all but metrics).
  WatchEvent describe(const Changed& changed, const std::vector<Table>& tables) const;
  Changed take_changed() { return std::exchange(changed_, {}); }

 private:
  // Who holds what, for as long as an offer or a task does.
  struct Held {
    const FrameworkId& framework_id;
    const AgentId& agent_id;
    const std::string& role;
    const Resources& resources;
  };
  // What is held of an agent, or by a framework. Kept by id and not in the row, since in a resync a
  // task may be told before its agent.
  struct Sums {
    Resources allocated;
    Resources offered;
    uint32_t tasks = 0;
  };
  using TaskKey = std::pair<FrameworkId, TaskId>;
  struct KnownTask {
    Task task;
    bool holding = false;    // its resources count in the sums
    bool completed = false;  // no longer at the master, remembered here
  };

  void on(const feed::AgentUp& item, WallTime at);
  void on(const feed::AgentDown& item);
  void on(const feed::FrameworkUp& item, WallTime at);
  void on(const feed::FrameworkDown& item);
  void on(feed::TaskUp item);
  void on(feed::TaskChange item);
  void on(const feed::TaskDown& item);
  void on(const feed::OfferUp& item, WallTime at);
  void on(const event::OfferEnded& item);
  void on(const feed::RoleWeight& item);
  void on(feed::RoleQuota item);
  void on(const feed::AgentStanding& item);
  void on(const feed::AgentPlanned& item);
  void on(feed::MachineChange item);
  void on(const feed::InverseAnswer& item);

  enum class Hold : uint8_t { kAllocated, kOffered };
  void hold(Hold kind, const Held& held);
  void release(Hold kind, const Held& held);
  void touch_holders(const Held& held);
  void settle_hold(KnownTask& known, bool holds);
  void remember_completed(TaskKey key);
  void reset();
  // When this was first seen, also before a reset.
  WallTime since(Table table, const std::string& key, WallTime at) const;
  void count_in_cluster(const AgentRow& row, int64_t sign);
  // Answers to inverse offers that are void.
  void forget_answers_about(const AgentRow& agent);
  void forget_answers_of(const FrameworkId& framework);
  AgentRow with_sums(AgentRow row) const;
  FrameworkRow with_sums(FrameworkRow row) const;
  void touch(Table table, const std::string& key, const std::string& within = {});
  void gone(Table table, const std::string& key, const std::string& within = {});
  RoleRow& role(const std::string& name);
  // A role that nobody has, that weighs nothing special, and for which nothing is reserved or
  // promised, is forgotten.
  void touch_role(const std::string& name);
  int64_t dominant_share_ppm(const RoleRow& row) const;
  // Of the role and all below it: reserved, or running and neither reserved nor revocable.
  Quantities consumed(const std::string& role) const;
  void add_row(Rows& rows, Table table, const std::string& key, const std::string& within) const;
  std::map<std::string, MetricRow> metric_rows() const;

  uint64_t version_ = 0;
  bool complete_ = false;
  uint64_t epoch_ = 0;
  std::string master_id_;
  std::map<AgentId, AgentRow> agents_;
  std::map<FrameworkId, FrameworkRow> frameworks_;
  std::deque<FrameworkId> completed_frameworks_;
  std::map<AgentId, Sums> agent_sums_;
  std::map<FrameworkId, Sums> framework_sums_;
  std::map<TaskKey, KnownTask> tasks_;
  std::deque<TaskKey> completed_tasks_;
  std::map<std::string, RoleRow> roles_;
  std::map<OfferId, OfferRow> offers_;
  std::map<std::string, MaintenanceRow> maintenance_;  // by hostname
  std::map<std::string, Quantities> reserved_;         // by role of the reservation, at all agents
  std::vector<std::string> unfair_;
  std::map<std::string, int64_t> cluster_milli_;  // total of every scalar of reachable agents
  std::map<std::pair<Table, std::string>, WallTime> seen_before_;  // between Reset and Complete
  std::vector<MetricRow> metrics_;  // as the loop last told, sorted by key
  Collect collect_ = Collect::kChanges;
  Changed changed_;
};

}  // namespace tepui
