#pragma once
// DrfAllocator is the Allocator: Dominant Resource Fairness between roles and inside each, agent by
// agent, all that is left of an agent to the first who can use it.
//
// A round visits the candidates in a keyed random order. For each: roles by share, in each role the
// frameworks by share; who is capable, not below the minimum worth offering and has not refused it
// gets all of the agent that its role may have and it can use.
//
// Work is in proportion to what changed: an agent is visited again only after something changed
// that could make someone want what is left of it (master/allocator/candidates.h).
//
// Pure.

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "master/allocator/agent_book.h"
#include "master/allocator/allocator.h"
#include "master/allocator/candidates.h"
#include "master/allocator/clients.h"
#include "master/allocator/cluster_totals.h"
#include "master/allocator/demand.h"
#include "master/allocator/filters.h"

namespace tepui {

class DrfAllocator final : public Allocator {
 public:
  // The same seed and the same calls give the same grants.
  DrfAllocator(AllocatorOptions options, uint64_t seed);

  void add_agent(AgentHandle agent, AgentShape shape) override;
  void update_agent(AgentHandle agent, AgentShape shape) override;
  void remove_agent(AgentHandle agent) override;
  void set_agent_active(AgentHandle agent, bool active) override;

  void add_framework(FrameworkHandle framework, FrameworkShape shape) override;
  void update_framework(FrameworkHandle framework, FrameworkShape shape) override;
  // What it still holds comes back to the agents.
  void remove_framework(FrameworkHandle framework) override;
  void set_framework_active(FrameworkHandle framework, bool active) override;

  void suppress(FrameworkHandle framework, std::span<const std::string> roles) override;
  void revive(FrameworkHandle framework, std::span<const std::string> roles) override;
  void set_weight(std::string_view role, int64_t weight_milli) override;

  void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                const Resources& resources) override;
  void recover(Now now, FrameworkHandle framework, AgentHandle agent, std::string_view role,
               const Resources& resources, std::optional<Duration> refuse) override;

  bool wants_round() const override;
  void request_full_round() override;
  Instant next_deadline() const override { return filters_.next_deadline(); }
  void on_time(Now now) override { expire_filters(now); }
  Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) override;

  std::vector<RoleShare> shares() const override { return clients_.shares(); }
  const AllocatorStats& stats() const override { return stats_; }
  Result<void> audit() const override;

 private:
  AgentBook* find(AgentHandle agent);
  void count_total(AgentBook& book);
  void uncount_total(AgentBook& book);
  void release_names();
  // Something of the agent, or about it, changed: it may be a candidate.
  void on_agent_changed(uint32_t agent);
  void update_free(uint32_t agent);
  bool is_offerable(const AgentBook& book) const;
  void give_back(AgentBook& book, uint32_t framework, uint32_t role, const Resources& resources);
  void expire_filters(Now now);
  uint64_t last_round_done() const { return in_round_ ? stats_.rounds - 1 : stats_.rounds; }

  void begin_round(Now now);
  void prefetch() const;
  void visit(uint32_t agent, std::vector<Grant>& grants);
  void visit_plain(AgentBook& book, uint32_t role, std::vector<Grant>& grants);
  void visit_mixed(AgentBook& book, uint32_t role, Resources& shared_offered,
                   std::vector<Grant>& grants);
  bool is_capable(const Clients::Framework& framework, const AgentBook& book) const;
  bool needs_gpu_capability(const AgentBook& book) const;
  bool is_foreign(const AgentBook& book) const;
  bool is_worth_offering(const Resources& resources) const;
  bool is_refused(const AgentBook& book, uint32_t framework, uint32_t role,
                  const Resources& offer) const;
  // demand_ is that of `resources`.
  void book_grant(AgentBook& book, uint32_t framework, uint32_t role, bool is_new,
                  Resources resources, std::vector<Grant>& grants);

  const AllocatorOptions options_;
  const uint64_t seed_;
  ClusterTotals totals_;
  Clients clients_;
  OfferFilters filters_;
  Candidates candidates_;
  std::vector<AgentBook> books_;      // by index of the handle
  std::set<uint32_t> shared_agents_;  // whose shared resources each full round offers again
  AllocatorStats stats_;

  bool in_round_ = false;
  std::vector<uint32_t> order_;  // of the round
  size_t next_ = 0;              // in order_
  Demand demand_;                // reused
  std::vector<uint32_t> expired_;
};

}  // namespace tepui
