#include "master/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/quota_text.h"
#include "common/roles.h"
#include "master/commands.h"
#include "master/loans.h"
#include "master/offers.h"

namespace tepui::master {

namespace {

using Quotas = std::map<std::string, Quota>;

bool is_within(std::string_view role, std::string_view top) {
  return role == top || is_descendant(top, role);
}

// The nearest role above that has a quota.
const Quotas::value_type* parent_of(const Quotas& quotas, std::string_view role) {
  const Quotas::value_type* parent = nullptr;
  for (const std::string_view above : role_path(role)) {
    if (above == role) break;
    const auto found = quotas.find(std::string(above));
    if (found != quotas.end()) parent = &*found;
  }
  return parent;
}

// The larger of the two, by name.
Quantities larger(const Quantities& a, const Quantities& b) {
  Quantities result = a;
  for (const Quantities::Item& item : b.items()) {
    result.add(item.name, std::max<int64_t>(item.milli - a.get(item.name), 0));
  }
  return result;
}

struct Guaranteed {
  std::map<std::string_view, Quantities> below;  // by role: the sum of its children's
  Quantities at_the_top;
};

// Descendants come after their ancestors in no simple order ("a", "a-b", "a/b"), so by depth.
Guaranteed guaranteed(const Quotas& quotas) {
  std::vector<std::pair<size_t, const Quotas::value_type*>> by_depth;
  for (const auto& entry : quotas) by_depth.emplace_back(role_path(entry.first).size(), &entry);
  std::ranges::stable_sort(by_depth, std::greater{}, [](const auto& item) { return item.first; });
  Guaranteed result;
  for (const auto& [depth, entry] : by_depth) {
    const Quantities own = larger(entry->second.guarantees, result.below[entry->first]);
    const Quotas::value_type* parent = parent_of(quotas, entry->first);
    (parent == nullptr ? result.at_the_top : result.below[parent->first]).add(own);
  }
  return result;
}

Result<void> check_role(const Quotas& quotas, const Quotas::value_type& entry,
                        const Quantities& below) {
  const auto& [role, quota] = entry;
  for (const Quantities::Item& item : below.items()) {
    const int64_t own = quota.guarantees.get(item.name);
    if (own > 0 && own < item.milli) {
      return fail(fmt::format(
          "the roles below '{}' are guaranteed {} {} together, more than its own guarantee of {}",
          role, milli_to_text(item.milli), item.name, milli_to_text(own)));
    }
    const auto limit = quota.limits_milli.find(item.name);
    if (limit != quota.limits_milli.end() && limit->second < item.milli) {
      return fail(fmt::format(
          "the roles below '{}' are guaranteed {} {} together, more than its limit of {}", role,
          milli_to_text(item.milli), item.name, milli_to_text(limit->second)));
    }
  }
  const Quotas::value_type* parent = parent_of(quotas, role);
  if (parent == nullptr) return {};
  for (const auto& [name, milli] : quota.limits_milli) {
    const auto above = parent->second.limits_milli.find(name);
    if (above == parent->second.limits_milli.end() || above->second >= milli) continue;
    return fail(fmt::format("the limit of {} {} for '{}' is above the limit of {} for '{}'",
                            milli_to_text(milli), name, role, milli_to_text(above->second),
                            parent->first));
  }
  return {};
}

// What of an offer counts against quota.
Quantities counted(const OfferEntry& offer) {
  return offer.resources
      .filter([](const Resource& item) {
        return item.is_scalar() && !item.kind->is_reserved() && !item.kind->revocable &&
               !item.kind->shared;
      })
      .quantities();
}

template <class Visit>
void each_offer(State& s, Visit visit) {
  s.frameworks.each([&visit](FrameworkHandle, const std::unique_ptr<FrameworkEntry>& framework) {
    for (OfferEntry* offer : framework->offers) visit(*offer);
  });
}

// What the role and those below it use, offers that may still be withdrawn left out.
Quantities consumed(State& s, std::string_view role) {
  Quantities used = s.allocator.use(role).consumed;
  each_offer(s, [&](const OfferEntry& offer) {
    if (is_within(offer.role, role)) used.subtract(counted(offer));
  });
  return used;
}

Result<void> check_limits(State& s, const UpdateQuota& message) {
  for (const UpdateQuota::Item& item : message.quotas) {
    if (item.quota.limits_milli.empty()) continue;
    const Quantities used = consumed(s, item.role);
    for (const auto& [name, milli] : item.quota.limits_milli) {
      if (used.get(name) <= milli) continue;
      return fail(fmt::format(
          "'{}' uses {} {} now, more than the limit of {}; nothing running is taken back, so set "
          "the limit with force, or free some first",
          item.role, milli_to_text(used.get(name)), name, milli_to_text(milli)));
    }
  }
  return {};
}

Result<void> check_capacity(State& s, const Quotas& quotas) {
  Quantities capacity;
  s.agents.each([&capacity](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    if (agent->is_registered()) capacity.add(own_total(*agent).non_revocable().quantities());
  });
  const Quantities promised = total_guarantees(quotas);
  for (const Quantities::Item& item : promised.items()) {
    if (item.milli <= capacity.get(item.name)) continue;
    return fail(fmt::format(
        "all guarantees together are {} {}, and the registered agents have {}; add agents, "
        "guarantee less, or use force",
        milli_to_text(item.milli), item.name, milli_to_text(capacity.get(item.name))));
  }
  return {};
}

Result<void> check(State& s, const Asker& asker, const UpdateQuota& message) {
  if (message.quotas.empty()) return fail("no role is named");
  if (message.quotas.size() > limits::kCommandItemsMax) {
    return fail(fmt::format("{} roles in one command, at most {} are allowed",
                            message.quotas.size(), limits::kCommandItemsMax));
  }
  Quotas quotas = s.registry.registry.quotas();
  std::set<std::string_view> named;
  for (const UpdateQuota::Item& item : message.quotas) {
    TRY(validate_role(item.role));
    if (!named.insert(item.role).second) {
      return fail(fmt::format("the role '{}' is named twice", item.role));
    }
    if (Result<void> valid = validate(item.quota); !valid) {
      return std::unexpected(std::move(valid).error().in(fmt::format("role '{}'", item.role)));
    }
    if (item.quota.is_default()) {
      quotas.erase(item.role);
    } else {
      quotas.insert_or_assign(item.role, item.quota);
    }
  }
  TRY(check_quota_tree(quotas));
  if (!message.force) TRY(check_limits(s, message));
  if (!message.force) TRY(check_capacity(s, quotas));
  for (const UpdateQuota::Item& item : message.quotas) {
    if (!s.authorizer.authorize(asker.principal, Action::kUpdateQuota, item.role)) {
      return fail(fmt::format("'{}' may not set the quota of '{}'", asker.principal, item.role));
    }
  }
  return {};
}

void rescind(State& s, OfferEntry& offer) {
  end_offer(s, offer, event::OfferEnd::kRescinded, std::nullopt);
}

// Offers of the role go until what is left fits its limits.
void rescind_above_limits(State& s, const UpdateQuota::Item& item) {
  Quantities over = s.allocator.use(item.role).consumed;
  Quantities allowed;
  for (const auto& [name, milli] : item.quota.limits_milli) allowed.add(name, milli);
  over.subtract(allowed);
  const auto is_over = [&](const Quantities& what) {
    return std::ranges::any_of(item.quota.limits_milli, [&](const auto& limit) {
      return over.get(limit.first) > 0 && what.get(limit.first) > 0;
    });
  };
  std::vector<OfferEntry*> offers;
  each_offer(s, [&](OfferEntry& offer) {
    if (is_within(offer.role, item.role)) offers.push_back(&offer);
  });
  for (OfferEntry* offer : offers) {
    const Quantities what = counted(*offer);
    if (!is_over(what)) continue;
    over.subtract(what);
    rescind(s, *offer);
  }
}

// Offers of others go, agent by agent, until the role's guarantee could be met from them.
void rescind_for_guarantee(State& s, const UpdateQuota::Item& item) {
  Quantities wanted = item.quota.guarantees;
  wanted.subtract(s.allocator.use(item.role).consumed);
  if (wanted.empty()) return;
  std::vector<AgentHandle> agents;
  s.agents.each([&agents](AgentHandle handle, const std::unique_ptr<AgentEntry>& agent) {
    if (!agent->offers.empty()) agents.push_back(handle);
  });
  for (const AgentHandle handle : agents) {
    if (wanted.empty()) return;
    const std::vector<OfferEntry*> offers = (*s.agents.find(handle))->offers;
    for (OfferEntry* offer : offers) {
      if (is_within(offer->role, item.role)) continue;
      const AgentEntry& agent = **s.agents.find(handle);
      const Resources lent = agent.lent;
      wanted.subtract(counted(*offer));
      rescind(s, *offer);
      wanted.subtract(lent.minus(agent.lent).quantities());
    }
  }
}

}  // namespace

Result<void> check_quota_tree(const std::map<std::string, Quota>& quotas) {
  Guaranteed sums = guaranteed(quotas);
  for (const auto& entry : quotas) TRY(check_role(quotas, entry, sums.below[entry.first]));
  return {};
}

Quantities total_guarantees(const std::map<std::string, Quota>& quotas) {
  return guaranteed(quotas).at_the_top;
}

void on_update_quota(State& s, const Asker& asker, const UpdateQuota& message) {
  if (const Result<void> valid = check(s, asker, message); !valid) {
    return answer(s, asker, valid.error().message);
  }
  submit(s, QuotaChange{.quotas = message.quotas}, asker);
}

void on_recorded(State& s, const QuotaChange& change) {
  for (const UpdateQuota::Item& item : change.quotas) {
    s.allocator.set_quota(item.role, item.quota);
    s.emit(event::QuotaChanged{.role = item.role, .quota = &item.quota});
  }
  for (const UpdateQuota::Item& item : change.quotas) rescind_above_limits(s, item);
  for (const UpdateQuota::Item& item : change.quotas) rescind_for_guarantee(s, item);
}

void restore_quotas(State& s) {
  for (const auto& [role, quota] : s.registry.registry.quotas()) {
    s.allocator.set_quota(role, quota);
    s.emit(event::QuotaChanged{.role = role, .quota = &quota});
  }
  // Until most agents are back it is not known what is free.
  if (!s.registry.registry.quotas().empty()) s.allocator.pause(s.now, s.agents_recovered);
}

}  // namespace tepui::master
