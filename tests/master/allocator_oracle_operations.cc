// Operations, maintenance and reports of AllocatorOracle.

#include <algorithm>
#include <utility>

#include "common/roles.h"
#include "tests/master/allocator_oracle.h"
#include "tests/master/allocator_oracle_items.h"

namespace tepui {

// ---------------------------------------------------------------- operations, maintenance

Result<void> AllocatorOracle::convert_allocated(FrameworkHandle framework, AgentHandle agent,
                                                std::string_view role, const Resources& from,
                                                const Resources& to) {
  const auto known = std::ranges::find_if(allocations_, [&](const Allocation& a) {
    return a.framework == framework && a.agent == agent && a.role == role;
  });
  if (known == allocations_.end()) return fail("nothing is held");
  Resources& total = agents_.at(agent).shape.total;
  if (!known->resources.contains(from)) return fail("not held");
  if (!total.contains(from)) return fail("not there");
  known->resources = known->resources - from + to;
  total = total - from + to;
  if (known->resources.empty()) allocations_.erase(known);
  repay();
  settle_members();
  return {};
}

Result<void> AllocatorOracle::convert_available(AgentHandle agent, const Resources& from,
                                                const Resources& to) {
  if (!available(agent).contains(from)) return fail("not available");
  Resources& total = agents_.at(agent).shape.total;
  total = total - from + to;
  repay();
  return {};
}

void AllocatorOracle::set_maintenance(AgentHandle agent, bool planned) {
  agents_.at(agent).planned = planned;
  agents_.at(agent).asked.clear();
  agents_.at(agent).refused_until.clear();
}

void AllocatorOracle::answer_inverse(Now now, FrameworkHandle framework, AgentHandle agent,
                                     std::optional<Duration> refuse) {
  Agent& known = agents_.at(agent);
  if (!known.asked.contains(framework) && !known.refused_until.contains(framework)) return;
  known.asked.erase(framework);
  known.refused_until.erase(framework);
  if (refuse && *refuse > Duration{}) known.refused_until[framework] = later(now.mono, *refuse);
}

void AllocatorOracle::ask_to_leave(Now now) {
  for (auto& [handle, agent] : agents_) {
    if (!agent.planned) continue;
    std::erase_if(agent.refused_until,
                  [&](const auto& refusal) { return refusal.second <= now.mono; });
    std::set<FrameworkHandle> holders;
    for (const Allocation& allocation : allocations_) {
      if (allocation.agent == handle) holders.insert(allocation.framework);
    }
    for (const FrameworkHandle framework : holders) {
      if (!frameworks_.at(framework).active || agent.refused_until.contains(framework)) continue;
      if (!agent.asked.insert(framework).second) continue;
      inverse_grants_.push_back({.framework = framework, .agent = handle});
    }
  }
}

std::vector<InverseGrant> AllocatorOracle::take_inverse_grants() {
  return std::exchange(inverse_grants_, {});
}

// ---------------------------------------------------------------- reports

void AllocatorOracle::set_quota(std::string_view role, const Quota& quota) {
  quotas_[std::string(role)] = quota;
  std::erase_if(quotas_, [](const auto& entry) { return entry.second.is_default(); });
}

RoleUse AllocatorOracle::use_of(const std::string& role) const {
  RoleUse use{.role = role};
  if (quotas_.contains(role)) use.quota = quotas_.at(role);
  const auto within = [&](std::string_view path) {
    return path == role || is_below(role, std::string(path));
  };
  for (const auto& [handle, agent] : agents_) {
    for (const Resource& item : agent.shape.total.items()) {
      if (item.is_scalar() && item.kind->is_reserved() && within(item.kind->reservation_role())) {
        use.reserved.add(item.name(), item.scalar_milli());
        use.consumed.add(item.name(), item.scalar_milli());
      }
    }
  }
  std::vector<const Allocation*> held;
  for (const Allocation& allocation : allocations_) {
    if (!within(allocation.role)) continue;
    held.push_back(&allocation);
    for (const Resource& item : allocation.resources.items()) {
      if (counts(item)) use.consumed.add(item.name(), item.scalar_milli());
    }
  }
  for (const auto& [name, milli] : sums_of(held)) use.offered_or_allocated.add(name, milli);
  return use;
}

RoleUse AllocatorOracle::use(std::string_view role) const { return use_of(std::string(role)); }

std::vector<RoleUse> AllocatorOracle::uses() const {
  std::set<std::string> known = roles();
  for (const auto& [role, quota] : quotas_) known.insert(role);
  const auto add_path = [&](std::string_view role) {
    for (const std::string_view path : role_path(role)) known.emplace(path);
  };
  for (const auto& [handle, agent] : agents_) {
    for (const Resource& item : agent.shape.total.items()) {
      if (item.is_scalar() && item.kind->is_reserved()) add_path(item.kind->reservation_role());
    }
  }
  for (const Allocation& allocation : allocations_) {
    for (const Resource& item : allocation.resources.items()) {
      if (item.is_scalar()) add_path(allocation.role);
    }
  }
  std::vector<RoleUse> uses;
  for (const std::string& role : known) uses.push_back(use_of(role));
  return uses;
}

}  // namespace tepui
