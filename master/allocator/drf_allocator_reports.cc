// What DrfAllocator answers to people: the use of roles, and why offers are not made.

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "common/roles.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

std::string_view to_text(OfferCause cause) {
  switch (cause) {
    case OfferCause::kOffered:
      return "held by the framework";
    case OfferCause::kAgentInactive:
      return "agent is not active";
    case OfferCause::kNotWhitelisted:
      return "agent is not whitelisted";
    case OfferCause::kConstraint:
      return "excluded by the offer constraints of the framework";
    case OfferCause::kGpu:
      return "has gpus, which the framework does not ask for";
    case OfferCause::kRegion:
      return "in another region, which the framework does not ask for";
    case OfferCause::kNothingLeft:
      return "held by others";
    case OfferCause::kLent:
      return "lent to others as revocable, recalled from offers but not from tasks";
    case OfferCause::kNotUsable:
      return "what is left is reserved to others or not usable by the framework";
    case OfferCause::kBelowMinimum:
      return "what is left is below the minimum";
    case OfferCause::kQuotaLimit:
      return "quota limit reached";
    case OfferCause::kHeadroom:
      return "held back for guarantees of others";
    case OfferCause::kRefused:
      return "refused by the framework, filter still active";
    case OfferCause::kWaiting:
      return "free, could be offered";
  }
  return "unknown";
}

namespace {
using Uses = std::map<std::string, RoleUse, std::less<>>;

// What is shared on one agent counts once in each role.
using Counted = std::set<std::tuple<std::string, ResourceKind, int64_t>>;

RoleUse& use_of(Uses& uses, std::string_view role) {
  const auto [found, is_new] = uses.try_emplace(std::string(role));
  if (is_new) found->second.role = role;
  return found->second;
}

void add_allocated(Uses& uses, std::string_view role, const Resource& item, Counted& counted) {
  for (const std::string_view path : role_path(role)) {
    if (item.kind->shared &&
        !counted.insert({std::string(path), *item.kind, item.scalar_milli()}).second) {
      continue;
    }
    RoleUse& use = use_of(uses, path);
    use.offered_or_allocated.add(item.name(), item.scalar_milli());
    if (counts_in_quota(item)) use.consumed.add(item.name(), item.scalar_milli());
  }
}

void add_reserved(Uses& uses, const Resource& item) {
  for (const std::string_view path : role_path(item.kind->reservation_role())) {
    RoleUse& use = use_of(uses, path);
    use.reserved.add(item.name(), item.scalar_milli());
    use.consumed.add(item.name(), item.scalar_milli());
  }
}
}  // namespace

void DrfAllocator::add_uses(Uses& uses) const {
  for (const AgentBook& book : books_) {
    if (book.handle().is_null()) continue;
    for (const Resource& item : book.total().items()) {
      if (item.is_scalar() && item.kind->is_reserved()) add_reserved(uses, item);
    }
    Counted counted;
    for (const AgentBook::Allocation& allocation : book.allocations()) {
      const std::string& role = clients_.role(allocation.role).name;
      for (const Resource& item : book.resources_of(allocation).items()) {
        if (item.is_scalar()) add_allocated(uses, role, item, counted);
      }
    }
  }
}

const AllocatorStats& DrfAllocator::stats() const {
  stats_.filters_active = filters_.size();
  return stats_;
}

std::vector<RoleShare> DrfAllocator::shares() const {
  std::vector<RoleShare> shares = clients_.shares();
  for (const auto& [role, count] : filters_.count_by_role()) {
    const auto share =
        std::ranges::lower_bound(shares, clients_.role(role).name, {}, &RoleShare::role);
    if (share != shares.end() && share->role == clients_.role(role).name) {
      share->filters_active = count;
    }
  }
  return shares;
}

std::vector<RoleUse> DrfAllocator::uses() const {
  Uses uses;
  add_uses(uses);
  for (const RoleShare& share : clients_.shares()) use_of(uses, share.role);
  for (const auto& [role, quota] : quota_.quotas()) use_of(uses, role).quota = quota;
  std::vector<RoleUse> list;
  for (auto& [role, use] : uses) list.push_back(std::move(use));
  return list;
}

RoleUse DrfAllocator::use(std::string_view role) const {
  Uses uses;
  add_uses(uses);
  RoleUse use = use_of(uses, role);
  const auto quota = quota_.quotas().find(role);
  if (quota != quota_.quotas().end()) use.quota = quota->second;
  return use;
}

OfferCause DrfAllocator::cause(const AgentBook& book, const Clients::Framework& framework,
                               uint32_t role, const QuotaBook& quota) const {
  const uint32_t index = framework.handle.index;
  if (!book.active) return OfferCause::kAgentInactive;
  if (!book.listed) return OfferCause::kNotWhitelisted;
  const bool held = book.find(index, role) != nullptr;
  const auto unless_held = [held](OfferCause cause) { return held ? OfferCause::kOffered : cause; };
  if (!is_wanted(index, role, book)) return unless_held(OfferCause::kConstraint);
  if (needs_gpu_capability(book) && !framework.gpu_resources) return unless_held(OfferCause::kGpu);
  if (is_foreign(book) && !framework.region_aware) return unless_held(OfferCause::kRegion);
  const bool is_lent = is_lent_away(book, role, quota);
  const auto lack = [&](OfferCause cause) {
    return unless_held(is_lent ? OfferCause::kLent : cause);
  };
  if (book.available().empty()) return lack(OfferCause::kNothingLeft);
  const Resources offer =
      usable(framework, book.available().allocatable_to(clients_.role(role).name));
  if (offer.empty()) return lack(OfferCause::kNotUsable);
  if (!is_worth_offering(index, role, offer)) return lack(OfferCause::kBelowMinimum);
  const OfferCause by_quota = quota_cause(offer, index, role, quota);
  if (by_quota != OfferCause::kWaiting) return unless_held(by_quota);
  return is_refused(book, index, role, offer) ? OfferCause::kRefused : OfferCause::kWaiting;
}

OfferCause DrfAllocator::quota_cause(const Resources& offer, uint32_t framework, uint32_t role,
                                     const QuotaBook& quota) const {
  if (!quota.any()) return OfferCause::kWaiting;
  QuotaBook::Bounds bounds;
  quota.bounds(quota.node_of(clients_.role(role).name), bounds);
  const Resources counted = offer.filter(counts_in_quota);
  const Resources others = offer - counted;
  const auto is_enough = [&](QuotaBook::Row most) {
    const Resources left = quota.take(counted, most, QuotaBook::Unnamed::kKeep);
    // Ports alone are an offer, but not what anyone waits for.
    return (counted.empty() || !left.empty()) && is_worth_offering(framework, role, left + others);
  };
  if (!is_enough(bounds.limit)) return OfferCause::kQuotaLimit;
  QuotaBook::Row most;
  for (size_t name = 0; name < bounds.limit.size(); ++name) most.push_back(bounds.all(name));
  return is_enough(most) ? OfferCause::kWaiting : OfferCause::kHeadroom;
}

OfferExplanation DrfAllocator::explain(FrameworkHandle handle, std::string_view role) const {
  OfferExplanation explanation;
  const Clients::Framework* framework = clients_.find(handle);
  if (framework == nullptr) return explanation;
  QuotaBook quota = quota_;
  if (quota.is_stale()) fill(quota);
  explanation.known = true;
  explanation.active = framework->active;
  for (const Clients::Member& member : framework->members) {
    if (clients_.role(member.role).name != role) continue;
    explanation.subscribed = member.subscribed;
    explanation.suppressed = member.suppressed;
    for (const AgentBook& book : books_) {
      if (book.handle().is_null()) continue;
      ++explanation.agents[static_cast<size_t>(cause(book, *framework, member.role, quota))];
    }
  }
  return explanation;
}

}  // namespace tepui
