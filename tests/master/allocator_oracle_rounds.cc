// The rounds of AllocatorOracle: who could be offered what, and all agents visited one by one.

#include <algorithm>

#include "master/allocator/candidates.h"
#include "master/allocator/random_order.h"
#include "tests/master/allocator_oracle.h"

namespace tepui {

bool AllocatorOracle::is_worth_offering(const Framework& framework, const std::string& role,
                                        const Resources& resources) const {
  const auto& own = framework.shape.min_allocatable;
  const std::vector<Quantities>& minimums =
      own.contains(role) ? own.at(role) : options_.min_allocatable;
  if (resources.empty()) return false;
  if (minimums.empty()) return true;
  const Quantities quantities = resources.quantities();
  return std::ranges::any_of(
      minimums, [&](const Quantities& minimum) { return quantities.contains(minimum); });
}

bool AllocatorOracle::is_capable(const Framework& framework, const Agent& agent) const {
  const bool gpus = agent.shape.total.total_milli("gpus") > 0;
  if (gpus && options_.filter_gpu_resources && !framework.shape.gpu_resources) return false;
  const std::string& region = agent.shape.region;
  const bool foreign = !region.empty() && !options_.region.empty() && region != options_.region;
  return !foreign || framework.shape.region_aware;
}

bool AllocatorOracle::is_wanted(const Framework& framework, const std::string& role,
                                const Agent& agent) const {
  const auto filter = framework.shape.constraints.find(role);
  return filter == framework.shape.constraints.end() ||
         filter->second->allows({.hostname = agent.shape.hostname,
                                 .region = agent.shape.region,
                                 .zone = agent.shape.zone,
                                 .attributes = agent.shape.attributes});
}

Resources AllocatorOracle::offer_of(FrameworkHandle handle, const std::string& role,
                                    AgentHandle agent, const Resources& left) const {
  const Framework& framework = frameworks_.at(handle);
  if (!is_capable(framework, agents_.at(agent))) return {};
  if (!is_wanted(framework, role, agents_.at(agent))) return {};
  Resources offer = left.allocatable_to(role);
  if (shared_offered_.contains(agent)) offer = offer.minus(shared_offered_.at(agent));
  if (!framework.shape.shared_resources) {
    offer = offer.filter([](const Resource& item) { return !item.kind->shared; });
  }
  if (!framework.shape.revocable_resources) offer = offer.non_revocable();
  if (!framework.shape.reservation_refinement) {
    offer = offer.filter([](const Resource& item) { return item.kind->reservations.size() < 2; });
  }
  return is_worth_offering(framework, role, offer) ? offer : Resources();
}

bool AllocatorOracle::is_refused(FrameworkHandle framework, const std::string& role,
                                 AgentHandle agent, const Resources& offer) const {
  return std::ranges::any_of(filters_, [&](const Filter& filter) {
    return filter.framework == framework && filter.agent == agent && filter.role == role &&
           filter.refused.contains(offer);
  });
}

void AllocatorOracle::visit(AgentHandle agent, Part part, std::vector<Grant>& grants) {
  for (const std::string& role : role_order()) {
    for (const FrameworkHandle framework : framework_order(role)) {
      Resources offer = offer_for(framework, role, agent);
      if (offer.empty()) continue;
      offer =
          part == Part::kGuarantees ? guaranteed_offer(role, offer) : bounded_offer(role, offer);
      if (!is_worth_offering(frameworks_.at(framework), role, offer)) continue;
      if (is_refused(framework, role, agent, offer)) continue;
      shared_offered_[agent] +=
          offer.filter([](const Resource& item) { return item.kind->shared; });
      book(framework, agent, role, offer);
      ++stats_.grants;
      grants.push_back(
          {.framework = framework, .agent = agent, .role = *names_.find(role), .resources = offer});
    }
  }
}

Allocator::Step AllocatorOracle::step(Now now, uint32_t, std::vector<Grant>& grants) {
  expire(now);
  ++stats_.rounds;
  shared_offered_.clear();
  recalled_.clear();
  for (const Part part : {Part::kGuarantees, Part::kRest, Part::kLoans}) {
    if (part == Part::kGuarantees && quotas_.empty()) continue;
    if (part == Part::kLoans && !lending_) continue;
    if (part == Part::kLoans) recall();
    const uint64_t key = part == Part::kGuarantees ? Candidates::guarantee_key(seed_, stats_.rounds)
                                                   : Candidates::round_key(seed_, stats_.rounds);
    std::vector<std::pair<uint64_t, AgentHandle>> order;
    for (const auto& [handle, agent] : agents_) {
      if (whitelist_ && !whitelist_->contains(agent.shape.hostname)) continue;
      if (agent.active) order.emplace_back(Candidates::rank(key, handle.index), handle);
    }
    std::ranges::sort(order);
    for (const auto& [rank, handle] : order) {
      ++stats_.agents_visited;
      draw_ = RandomOrder::key_of(key, handle.index);
      if (part == Part::kLoans) {
        lend(handle, grants);
      } else {
        visit(handle, part, grants);
      }
    }
  }
  ask_to_leave(now);
  expire(now);
  return Step::kDone;
}

}  // namespace tepui
