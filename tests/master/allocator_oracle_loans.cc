// The rules of loans as AllocatorOracle reads them (docs/decisions/008).

#include <algorithm>
#include <utility>

#include "common/loans.h"
#include "tests/master/allocator_oracle.h"
#include "tests/master/allocator_oracle_items.h"

namespace tepui {

// What is lent and not held by anyone is regular again, and nothing is lent that is not there.
void AllocatorOracle::repay() {
  for (auto& [handle, agent] : agents_) {
    Resources& lent = agent.shape.lent;
    Resources& total = agent.shape.total;
    lent = common_part(lent, total);
    const Resources back = common_part(lent, available(handle));
    lent -= back;
    total = total - back + as_regular(back);
  }
}

// If every offer were withdrawn, so much of the revocable would come back; loans are repaid first.
Resources AllocatorOracle::offered_loan(const Agent& agent) const {
  return common_part(agent.shape.lent, agent.shape.total.revocable().minus(agent.running));
}

// In all no more is lent than is held back in all.
int64_t AllocatorOracle::may_lend(const std::string& name) const {
  int64_t lent = 0;
  for (const auto& [handle, agent] : agents_) lent += agent.shape.lent.total_milli(name);
  return std::max<int64_t>(0, children_need("", {"", name, 0}) - lent);
}

Resources AllocatorOracle::loan_of(const Resources& left) const {
  std::map<std::string, int64_t> most;
  for (const std::string& name : quota_names()) most[name] = may_lend(name);
  return cut(lendable(left), most, false);
}

void AllocatorOracle::lend(AgentHandle agent, std::vector<Grant>& grants) {
  if (recalled_.contains(agent)) return;
  for (const std::string& role : role_order()) {
    for (const FrameworkHandle framework : framework_order(role)) {
      if (!frameworks_.at(framework).shape.revocable_resources) continue;
      const Resources left = offer_for(framework, role, agent);
      const Resources regular = bounded_offer(role, left);
      const Resources loan = loan_of(left - regular);
      if (loan.empty()) continue;
      const Resources offer = regular + as_revocable(loan);
      if (!is_worth_offering(frameworks_.at(framework), role, offer)) continue;
      if (is_refused(framework, role, agent, offer)) continue;
      AgentShape& shape = agents_.at(agent).shape;
      shape.lent += as_revocable(loan);
      shape.total = shape.total - loan + as_revocable(loan);
      shared_offered_[agent] +=
          offer.filter([](const Resource& item) { return item.kind->shared; });
      book(framework, agent, role, offer);
      ++stats_.grants;
      ++stats_.loans;
      grants.push_back(
          {.framework = framework, .agent = agent, .role = *names_.find(role), .resources = offer});
    }
  }
}

// Largest first: by amount of the first name that quotas speak of, then of the next.
void AllocatorOracle::recall() {
  std::vector<std::string> names;
  for (const auto& [role, quota] : quotas_) {
    for (const Quantities::Item& item : quota.guarantees.items()) names.push_back(item.name);
    for (const auto& [name, milli] : quota.limits_milli) names.push_back(name);
  }
  std::vector<std::pair<std::vector<int64_t>, AgentHandle>> lenders;
  for (const auto& [handle, agent] : agents_) {
    if (!agent.active || (whitelist_ && !whitelist_->contains(agent.shape.hostname))) continue;
    const Resources offered = offered_loan(agent);
    if (offered.empty()) continue;
    std::vector<int64_t> amounts;
    for (const std::string& name : names) amounts.push_back(-offered.total_milli(name));
    lenders.emplace_back(amounts, handle);
  }
  std::ranges::sort(lenders);
  for (const auto& [amounts, handle] : lenders) {
    if (!could_serve(handle)) continue;
    recalled_.insert(handle);
    recalls_.push_back(handle);
    ++stats_.recalls;
  }
  planned_.clear();
}

bool AllocatorOracle::could_serve(AgentHandle agent) {
  Resources left = available(agent) + as_regular(offered_loan(agents_.at(agent)));
  bool any = false;
  for (const std::string& role : roles()) {
    for (const auto& [handle, framework] : frameworks_) {
      if (!is_listed(handle, role)) continue;
      const Resources usable = offer_of(handle, role, agent, left);
      const Resources offer = guaranteed_part(role, usable.filter(counts));
      if (offer.empty() || !is_worth_offering(framework, role, offer)) continue;
      if (is_refused(handle, role, agent, offer)) continue;
      any = true;
      left -= offer;
      const Quantities served = offer.quantities();
      for (const Quantities::Item& item : served.items()) {
        planned_.push_back({.role = role, .name = item.name, .milli = item.milli});
      }
    }
  }
  return any;
}

// ---------------------------------------------------------------- what the master says and asks

void AllocatorOracle::set_lending(bool on) {
  if (lending_ && !on) {
    for (const auto& [handle, agent] : agents_) {
      if (!offered_loan(agent).empty()) recalls_.push_back(handle);
    }
  }
  lending_ = on;
}

void AllocatorOracle::set_running(AgentHandle agent, const Resources& revocable) {
  agents_.at(agent).running = revocable;
}

Resources AllocatorOracle::lent(AgentHandle agent) const { return agents_.at(agent).shape.lent; }

std::vector<AgentHandle> AllocatorOracle::take_recalls() { return std::exchange(recalls_, {}); }

LentSums AllocatorOracle::lent_sums() const {
  LentSums sums;
  for (const auto& [handle, agent] : agents_) {
    sums.lent.add(agent.shape.lent.quantities());
    sums.offered.add(offered_loan(agent).quantities());
  }
  return sums;
}

}  // namespace tepui
