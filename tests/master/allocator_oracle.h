#pragma once
// AllocatorOracle is the allocator as its rules read, with nothing kept that can be computed: one
// list of agents, one of frameworks, one of allocations, one of filters. Every round visits every
// agent; shares are summed from the list of allocations for every agent anew and compared as exact
// fractions. Slow and obvious: what DrfAllocator must equal, grant by grant.
//
// A round is never cut: step() always does all of it.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/allocator/allocator.h"

namespace tepui {

class AllocatorOracle final : public Allocator {
 public:
  AllocatorOracle(AllocatorOptions options, uint64_t seed);

  void add_agent(AgentHandle agent, AgentShape shape) override;
  void update_agent(AgentHandle agent, AgentShape shape) override;
  void remove_agent(AgentHandle agent) override;
  void set_agent_active(AgentHandle agent, bool active) override;
  void add_framework(FrameworkHandle framework, FrameworkShape shape) override;
  void update_framework(FrameworkHandle framework, FrameworkShape shape) override;
  void remove_framework(FrameworkHandle framework) override;
  void set_framework_active(FrameworkHandle framework, bool active) override;
  void suppress(FrameworkHandle framework, std::span<const std::string> roles) override;
  void revive(FrameworkHandle framework, std::span<const std::string> roles) override;
  void set_weight(std::string_view role, int64_t weight_milli) override;
  void set_quota(std::string_view role, const Quota& quota) override;
  void set_lending(bool on) override;
  void set_whitelist(std::optional<std::set<std::string>> hostnames) override {
    whitelist_ = std::move(hostnames);
  }
  void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                const Resources& resources) override;
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
  // The pause is a rule about when, not about who: left to the tests of DrfAllocator.
  void pause(Now, uint32_t) override {}
  void expect_fewer() override {}
  bool is_paused() const override { return false; }
  void recover(Now now, FrameworkHandle framework, AgentHandle agent, std::string_view role,
               const Resources& resources, std::optional<Duration> refuse) override;
  bool wants_round() const override { return true; }
  void request_full_round() override {}
  Instant next_deadline() const override { return kNever; }
  void on_time(Now now) override { expire(now); }
  Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) override;
  std::vector<RoleShare> shares() const override;
  RoleUse use(std::string_view role) const override;
  std::vector<RoleUse> uses() const override;
  LentSums lent_sums() const override;
  OfferExplanation explain(FrameworkHandle, std::string_view) const override { return {}; }
  const AllocatorStats& stats() const override { return stats_; }
  Result<void> audit() const override { return {}; }

 private:
  struct Agent {
    AgentShape shape;   // with what is lent turned revocable
    Resources running;  // revocable
    bool active = true;
    bool planned = false;             // to go
    std::set<FrameworkHandle> asked;  // inverse offers outstanding
    std::map<FrameworkHandle, Instant> refused_until;
  };
  struct Framework {
    FrameworkShape shape;
    bool active = true;
    std::set<std::string> suppressed;
  };
  struct Allocation {
    FrameworkHandle framework;
    AgentHandle agent;
    std::string role;
    Resources resources;
  };
  struct Filter {
    FrameworkHandle framework;
    AgentHandle agent;
    std::string role;
    Resources refused;
    Instant until;
    uint64_t round;
  };
  using Sums = std::map<std::string, int64_t>;
  // A node of the role tree or a framework among its siblings.
  struct Sibling {
    std::string path;
    FrameworkHandle framework;
    Sums sums;
    int64_t weight_milli = 1000;
    uint64_t count = 0;
  };

  bool is_member(FrameworkHandle framework, const std::string& role) const;
  bool is_listed(FrameworkHandle framework, const std::string& role) const;
  std::set<std::string> roles() const;
  std::set<std::string> nodes() const;
  void settle_members();
  Resources available(AgentHandle agent) const;
  Sums totals() const;
  Sums sums_of(const std::vector<const Allocation*>& allocations) const;
  Sums node_sums(const std::string& node) const;
  int64_t weight(const std::string& path) const;
  bool precedes(const Sibling& a, const Sibling& b, const Sums& totals) const;
  void list_roles(const std::string& parent, const Sums& totals,
                  std::vector<std::string>& order) const;
  std::vector<FrameworkHandle> list_frameworks(const std::string& role, const Sums& totals) const;
  std::string node_of(const std::string& role) const;
  // Those that the policy of the options asks for.
  std::vector<std::string> role_order() const;
  std::vector<FrameworkHandle> framework_order(const std::string& role) const;
  bool is_role_listed(const std::string& role) const;
  void book(FrameworkHandle framework, AgentHandle agent, const std::string& role,
            const Resources& resources);
  enum class Part : uint8_t { kGuarantees, kRest, kLoans };
  void visit(AgentHandle agent, Part part, std::vector<Grant>& grants);
  // What the framework could be offered were it not for quota and filters.
  Resources offer_for(FrameworkHandle framework, const std::string& role, AgentHandle agent) const {
    return offer_of(framework, role, agent, available(agent));
  }
  Resources offer_of(FrameworkHandle framework, const std::string& role, AgentHandle agent,
                     const Resources& left) const;
  bool is_refused(FrameworkHandle framework, const std::string& role, AgentHandle agent,
                  const Resources& offer) const;

  // Loans (allocator_oracle_loans.cc).
  void repay();
  Resources offered_loan(const Agent& agent) const;
  int64_t may_lend(const std::string& name) const;
  Resources loan_of(const Resources& left) const;
  void lend(AgentHandle agent, std::vector<Grant>& grants);
  void recall();
  bool could_serve(AgentHandle agent);
  Resources guaranteed_part(const std::string& role, const Resources& counted) const;

  // Quota. `Taking`: as if a grant to that role had taken so much of the name.
  struct Taking {
    std::string role;
    std::string name;
    int64_t milli = 0;
  };
  std::set<std::string> quota_names() const;
  std::vector<std::string> quota_children(const std::string& role) const;
  int64_t consumed(const std::string& role, const Taking& taking) const;
  int64_t room(const std::string& role, const Taking& taking) const;
  int64_t need(const std::string& role, const Taking& taking) const;
  int64_t children_need(const std::string& role, const Taking& taking) const;
  int64_t free(const Taking& taking) const;
  bool keeps_limits(const Taking& taking) const;
  bool keeps_headroom(const Taking& taking) const;
  bool is_guaranteed(const Taking& taking) const;
  Resources guaranteed_offer(const std::string& role, const Resources& left) const;
  Resources bounded_offer(const std::string& role, const Resources& left) const;
  bool is_worth_offering(const Framework& framework, const std::string& role,
                         const Resources& resources) const;
  bool is_capable(const Framework& framework, const Agent& agent) const;
  bool is_wanted(const Framework& framework, const std::string& role, const Agent& agent) const;
  void ask_to_leave(Now now);
  RoleUse use_of(const std::string& role) const;
  void expire(Now now);

  const AllocatorOptions options_;
  const uint64_t seed_;
  std::map<AgentHandle, Agent> agents_;
  std::map<FrameworkHandle, Framework> frameworks_;
  std::vector<Allocation> allocations_;
  std::vector<Filter> filters_;
  std::map<std::string, int64_t> weights_;
  std::map<std::string, Quota> quotas_;
  std::map<AgentHandle, Resources> shared_offered_;  // in this round
  std::optional<std::set<std::string>> whitelist_;
  bool lending_ = false;
  std::vector<AgentHandle> recalls_;
  std::set<AgentHandle> recalled_;  // in this round
  std::vector<Taking> planned_;     // what recalls of this round are to serve
  std::vector<InverseGrant> inverse_grants_;
  std::map<std::string, uint64_t> node_counts_;
  std::map<std::pair<std::string, FrameworkHandle>, uint64_t> member_counts_;
  std::set<std::string> leaves_;  // roles without a role below them
  std::set<std::string> names_;   // of roles ever seen: grants point at them
  AllocatorStats stats_;
  uint64_t draw_ = 0;  // the key of random orders for the agent being visited
};

}  // namespace tepui
