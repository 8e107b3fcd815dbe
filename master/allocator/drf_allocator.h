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
#include <map>
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
#include "master/allocator/inverse_offers.h"
#include "master/allocator/quota_book.h"
#include "master/allocator/unused_returns.h"

namespace tepui {

// They hold any of the alternatives; if there are none, anything at all.
bool holds_any(const Resources& resources, const std::vector<Quantities>& alternatives);

class DrfAllocator : public Allocator {
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
  void set_quota(std::string_view role, const Quota& quota) override;
  void set_lending(bool on) override;
  void set_whitelist(std::optional<std::set<std::string>> hostnames) override;

  void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                const Resources& resources) override;
  void recover(Now now, FrameworkHandle framework, AgentHandle agent, std::string_view role,
               const Resources& resources, std::optional<Duration> refuse) override;
  Result<void> convert_allocated(FrameworkHandle framework, AgentHandle agent,
                                 std::string_view role, const Resources& from,
                                 const Resources& to) override;
  Result<void> convert_available(AgentHandle agent, const Resources& from,
                                 const Resources& to) override;

  void set_running(AgentHandle agent, const Resources& revocable) override;
  Resources lent(AgentHandle agent) const override;
  std::vector<AgentHandle> take_recalls() override;

  void set_maintenance(AgentHandle agent, bool planned) override;
  void answer_inverse(Now now, FrameworkHandle framework, AgentHandle agent,
                      std::optional<Duration> refuse) override;
  std::vector<InverseGrant> take_inverse_grants() override;
  void pause(Now now, uint32_t agents_expected) override;
  void expect_fewer() override;
  bool is_paused() const override;

  bool wants_round() const override;
  void request_full_round() override;
  Instant next_deadline() const override;
  void on_time(Now now) override;
  Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) override;

  std::vector<RoleShare> shares() const override;
  RoleUse use(std::string_view role) const override;
  std::vector<RoleUse> uses() const override;
  LentSums lent_sums() const override;
  OfferExplanation explain(FrameworkHandle framework, std::string_view role) const override;
  const AllocatorStats& stats() const override;
  Result<void> audit() const override;

 private:
  AgentBook* find(AgentHandle agent);
  const AgentBook* find(AgentHandle agent) const {
    return const_cast<DrfAllocator*>(this)->find(agent);
  }
  bool is_whitelisted(const AgentShape& shape) const;
  void count_total(AgentBook& book);
  void uncount_total(AgentBook& book);
  void recount_total(AgentBook& book);
  void release_names();
  // Something of the agent, or about it, changed: it may be a candidate.
  void on_agent_changed(uint32_t agent);
  void update_free(uint32_t agent);
  void update_all_free();
  bool is_offerable(const AgentBook& book) const;
  void give_back(AgentBook& book, uint32_t framework, uint32_t role, const Resources& resources);
  void expire_filters(Now now);

  // Quota; none of these does anything while no role has one.
  void rebuild_quota();
  void fill(QuotaBook& quota) const;
  QuotaBook::Node quota_node(uint32_t role) const;
  void consume(uint32_t role, const Resources& resources);
  void release(uint32_t role, const Resources& resources);
  void update_quota_free(const AgentBook& book);
  void find_needy();
  void touch_held();
  void visit_guaranteed(uint32_t agent, std::vector<Grant>& grants);
  void serve_role(AgentBook& book, uint32_t role, std::vector<Grant>& grants);
  Resources guaranteed_offer(const Resources& left, std::string_view role) const;
  // What the role is guaranteed of resources that all count; `most` becomes what was not taken.
  Resources guaranteed_part(const Resources& counted, QuotaBook::Row& most) const;
  // All the quota of the role lets through what is left of the agent.
  bool is_unbounded(const AgentBook& book, uint32_t role);
  Resources bounded_offer(AgentBook& book, uint32_t role, Resources offer);
  // Whoever is not promised anything gets nothing of the agent that is worth offering, as all of it
  // is held back. Says no where finding out is not simple.
  bool is_held_back(AgentBook& book);
  void hold_back(AgentBook& book);
  // No quota leaves the role anything; bounds_ are those of the role.
  void note_exhausted(uint32_t role);
  bool is_exhausted(uint32_t role) const { return role < exhausted_.size() && exhausted_[role]; }
  // What quota does not count of the agent is by itself not worth offering to anyone.
  // Of what is available, what any framework can use.
  Resources usable_by_any(const AgentBook& book) const;
  void find_capabilities();
  bool is_only_counted(const AgentBook& book) const;

  // Loans; none of these does anything while nothing is lent and lending is off.
  void note_loan(const AgentBook& book);
  void count_lent(const AgentBook& book, QuotaBook& quota) const;
  bool is_lending() const { return lending_ && quota_.is_kept(); }
  bool may_lend_more() const;
  void touch_unlent();
  void lend_from(uint32_t agent, std::vector<Grant>& grants);
  void lend_to(AgentBook& book, uint32_t role, std::vector<Grant>& grants);
  // In the order in which they are asked to give back: the largest amounts first.
  std::vector<uint32_t> lenders() const;
  void recall();
  bool could_serve(const AgentBook& book);
  bool is_lent_away(const AgentBook& book, uint32_t role, const QuotaBook& quota) const;

  uint64_t last_round_done() const { return in_round_ ? stats_.rounds - 1 : stats_.rounds; }

  void begin_round(Now now);
  void draw_for(uint64_t round_key, uint32_t agent);
  void prefetch() const;
  void visit(uint32_t agent, std::vector<Grant>& grants);
  void visit_plain(AgentBook& book, uint32_t role, std::vector<Grant>& grants);
  void visit_mixed(AgentBook& book, uint32_t role, std::vector<Grant>& grants);
  // What is left that the framework can use and would take; empty if nothing is.
  Resources offer_for(const AgentBook& book, uint32_t framework, uint32_t role) const {
    return offer_of(book, book.available(), framework, role);
  }
  Resources offer_of(const AgentBook& book, const Resources& available, uint32_t framework,
                     uint32_t role) const;
  void grant(AgentBook& book, uint32_t framework, uint32_t role, Resources offer,
             std::vector<Grant>& grants);
  bool is_capable(const Clients::Framework& framework, const AgentBook& book) const;
  // By the framework's own rules for the role.
  bool is_needy(uint32_t role) const { return role < needy_.size() && needy_[role]; }
  bool is_wanted(uint32_t framework, uint32_t role, const AgentBook& book) const;
  bool is_worth_offering(uint32_t framework, uint32_t role, const Resources& resources) const;
  bool needs_gpu_capability(const AgentBook& book) const;
  bool is_foreign(const AgentBook& book) const;
  // Of `left`, what the framework can use.
  static Resources usable(const Clients::Framework& framework, const Resources& left);
  bool is_refused(const AgentBook& book, uint32_t framework, uint32_t role,
                  const Resources& offer) const;
  // demand_ is that of `resources`.
  void book_grant(AgentBook& book, uint32_t framework, uint32_t role, bool is_new,
                  Resources resources, std::vector<Grant>& grants);

  void ask_to_leave();
  void end_pause_if_enough();
  void add_uses(std::map<std::string, RoleUse, std::less<>>& uses) const;
  OfferCause cause(const AgentBook& book, const Clients::Framework& framework, uint32_t role,
                   const QuotaBook& quota) const;
  // What quota makes of the offer: kWaiting if something is left that is worth offering.
  OfferCause quota_cause(const Resources& offer, uint32_t framework, uint32_t role,
                         const QuotaBook& quota) const;

  const AllocatorOptions options_;
  const uint64_t seed_;
  ClusterTotals totals_;
  Clients clients_;
  OfferFilters filters_;
  UnusedReturns returns_;
  Candidates candidates_;
  std::vector<AgentBook> books_;      // by index of the handle
  std::set<uint32_t> shared_agents_;  // whose shared resources each full round offers again
  QuotaBook quota_;
  std::vector<uint32_t> held_;  // agents of which something was held back by quota
  bool lending_ = false;
  std::set<uint32_t> lent_agents_;  // of which something is lent
  std::set<uint32_t> lenders_;      // and recallable
  std::vector<AgentHandle> recalls_;
  std::set<uint32_t> recalled_agents_;  // in this round
  std::vector<uint32_t> unlent_;        // agents of which less was lent than was there
  QuotaBook::Row unlent_above_;         // what might still be lent when they were left
  std::vector<std::pair<QuotaBook::Node, QuotaBook::Row>> planned_;  // to serve by recalls
  // Something came back, was added or configured since: what is held back may be less.
  bool loosened_ = false;
  std::optional<std::set<std::string>> whitelist_;
  InverseAsking inverse_;
  std::vector<InverseGrant> inverse_grants_;
  mutable AllocatorStats stats_;  // the number of filters is filled in when asked

  struct Pause {
    uint32_t agents_expected = 0;
    Instant until{};
  };
  std::optional<Pause> pause_;
  uint32_t agents_ = 0;

  bool in_round_ = false;
  std::vector<uint32_t> order_;  // of the round
  size_t next_ = 0;              // in order_
  // The part of the round after that, which lends:
  bool recalled_ = false;  // it was seen what is to come back
  size_t lend_next_ = 0;   // in order_
  // The part of the round before, which serves guarantees:
  std::vector<uint32_t> first_order_;
  size_t first_next_ = 0;
  std::vector<bool> needy_;  // by role: may still take something as guaranteed
  uint32_t needy_count_ = 0;
  std::vector<bool> exhausted_;  // by role: limits leave it nothing; known as far as it was asked
  uint32_t exhausted_count_ = 0;
  Clients::Framework any_framework_;  // can use what any can use, as of the round's begin
  std::map<uint32_t, Resources> shared_offered_;  // in this round, by agent
  QuotaBook::Bounds bounds_;                      // reused
  QuotaBook::Row row_;
  Demand demand_;  // reused
  std::vector<uint32_t> expired_;
};

}  // namespace tepui
