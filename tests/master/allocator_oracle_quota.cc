// The rules of quota as AllocatorOracle reads them: every sum is made anew for every question, and
// how much a grant may take is found by trying.

#include <algorithm>
#include <functional>

#include "common/loans.h"
#include "tests/master/allocator_oracle.h"
#include "tests/master/allocator_oracle_items.h"

namespace tepui {

namespace {

// The largest x in [0, most] for which `holds`, which holds up to there.
int64_t largest(int64_t most, const std::function<bool(int64_t)>& holds) {
  int64_t good = 0;
  while (good < most) {
    const int64_t middle = good + (most - good + 1) / 2;
    if (holds(middle)) {
      good = middle;
    } else {
      most = middle - 1;
    }
  }
  return good;
}

}  // namespace

// Up to `most` of each name, whole where it cannot be cut; a name without entry is `unnamed`.
Resources cut(const Resources& from, std::map<std::string, int64_t> most, bool keep_unnamed) {
  Resources kept;
  for (const Resource& item : from.items()) {
    const std::string name(item.name());
    if (!most.contains(name)) {
      if (keep_unnamed) kept += Resources::create({item}).value();
      continue;
    }
    int64_t milli = std::min(most.at(name), item.scalar_milli());
    const bool whole_only = item.kind->disk && (item.kind->disk->source == Disk::Source::kMount ||
                                                !item.kind->disk->persistence_id.empty());
    if (whole_only && milli < item.scalar_milli()) milli = 0;
    if (name == "gpus") milli -= milli % 1000;
    if (milli == 0) continue;
    most.at(name) -= milli;
    kept += Resources::create({{.kind = item.kind, .amount = milli}}).value();
  }
  return kept;
}

std::set<std::string> AllocatorOracle::quota_names() const {
  std::set<std::string> names;
  for (const auto& [role, quota] : quotas_) {
    for (const Quantities::Item& item : quota.guarantees.items()) names.insert(item.name);
    for (const auto& [name, milli] : quota.limits_milli) names.insert(name);
  }
  return names;
}

// Those with a quota that have this one as their nearest ancestor with a quota; "": none has.
std::vector<std::string> AllocatorOracle::quota_children(const std::string& role) const {
  std::vector<std::string> children;
  for (const auto& [child, quota] : quotas_) {
    std::string nearest;
    for (const auto& [other, its] : quotas_) {
      if (is_below(other, child) && other.size() > nearest.size()) nearest = other;
    }
    if (nearest == role) children.push_back(child);
  }
  return children;
}

int64_t AllocatorOracle::consumed(const std::string& role, const Taking& taking) const {
  int64_t sum = is_within(role, taking.role) ? taking.milli : 0;
  for (const Taking& planned : planned_) {
    if (planned.name == taking.name && is_within(role, planned.role)) sum += planned.milli;
  }
  for (const auto& [handle, agent] : agents_) {
    for (const Resource& item : agent.shape.total.items()) {
      if (item.name() != taking.name || !item.is_scalar() || !item.kind->is_reserved()) continue;
      if (is_within(role, std::string(item.kind->reservation_role()))) sum += item.scalar_milli();
    }
  }
  for (const Allocation& allocation : allocations_) {
    if (!is_within(role, allocation.role)) continue;
    for (const Resource& item : allocation.resources.items()) {
      if (item.name() == taking.name && counts(item)) sum += item.scalar_milli();
    }
  }
  return sum;
}

int64_t AllocatorOracle::room(const std::string& role, const Taking& taking) const {
  const Quota& quota = quotas_.at(role);
  if (!quota.limits_milli.contains(taking.name)) return INT64_MAX;
  return std::max<int64_t>(0, quota.limits_milli.at(taking.name) - consumed(role, taking));
}

int64_t AllocatorOracle::children_need(const std::string& role, const Taking& taking) const {
  int64_t sum = 0;
  for (const std::string& child : quota_children(role)) sum += need(child, taking);
  return sum;
}

int64_t AllocatorOracle::need(const std::string& role, const Taking& taking) const {
  const int64_t unmet = quotas_.at(role).guarantees.get(taking.name) - consumed(role, taking);
  const int64_t wanted = std::max({int64_t{0}, unmet, children_need(role, taking)});
  return std::min(wanted, room(role, taking));
}

int64_t AllocatorOracle::free(const Taking& taking) const {
  int64_t sum = -taking.milli;
  for (const auto& [handle, agent] : agents_) {
    if (!agent.active || (whitelist_ && !whitelist_->contains(agent.shape.hostname))) continue;
    // What is lent and only offered can be had back.
    const Resources left = available(handle) + as_regular(offered_loan(agent));
    for (const Resource& item : left.items()) {
      if (item.name() == taking.name && counts(item)) sum += item.scalar_milli();
    }
  }
  return sum;
}

// Nobody goes above a limit, and inside a limited role no child's need is harder to fit than it
// was.
bool AllocatorOracle::keeps_limits(const Taking& taking) const {
  const Taking before = {.role = taking.role, .name = taking.name, .milli = 0};
  for (const auto& [role, quota] : quotas_) {
    if (!is_within(role, taking.role) || !quota.limits_milli.contains(taking.name)) continue;
    if (room(role, before) < taking.milli) return false;
    const int64_t lack_before = children_need(role, before) - room(role, before);
    const int64_t lack = children_need(role, taking) - room(role, taking);
    if (lack > std::max<int64_t>(0, lack_before)) return false;
  }
  return true;
}

// No guarantee is harder to reach in the cluster than it was.
bool AllocatorOracle::keeps_headroom(const Taking& taking) const {
  const Taking before = {.role = taking.role, .name = taking.name, .milli = 0};
  const int64_t lack_before = children_need("", before) - free(before);
  return children_need("", taking) - free(taking) <= std::max<int64_t>(0, lack_before);
}

// All of it lowers what must be held back.
bool AllocatorOracle::is_guaranteed(const Taking& taking) const {
  const Taking before = {.role = taking.role, .name = taking.name, .milli = 0};
  return children_need("", taking) == children_need("", before) - taking.milli;
}

Resources AllocatorOracle::guaranteed_part(const std::string& role,
                                           const Resources& counted) const {
  std::map<std::string, int64_t> guaranteed;
  for (const std::string& name : quota_names()) {
    guaranteed[name] = largest(counted.total_milli(name), [&](int64_t milli) {
      const Taking taking = {role, name, milli};
      return keeps_limits(taking) && is_guaranteed(taking);
    });
  }
  return cut(counted, guaranteed, false);
}

Resources AllocatorOracle::guaranteed_offer(const std::string& role, const Resources& left) const {
  const Resources counted = left.filter(counts);
  std::map<std::string, int64_t> guaranteed;
  std::map<std::string, int64_t> rest;
  for (const std::string& name : quota_names()) {
    const int64_t all = counted.total_milli(name);
    const auto taking = [&](int64_t milli) { return Taking{role, name, milli}; };
    rest[name] = largest(all, [&](int64_t milli) { return keeps_limits(taking(milli)); });
    guaranteed[name] =
        largest(rest[name], [&](int64_t milli) { return is_guaranteed(taking(milli)); });
  }
  const Resources served = cut(counted, guaranteed, false);
  if (served.empty()) return {};
  for (auto& [name, milli] : rest) {
    const Taking none = {role, name, 0};
    const int64_t surplus = std::max<int64_t>(0, free(none) - children_need("", none));
    milli = std::min(milli - served.total_milli(name), surplus);
  }
  return served + cut(counted - served, rest, true) + left.filter([&](const Resource& item) {
    return !counts(item) && (!item.is_scalar() || !item.kind->is_reserved() ||
                             item.kind->reservation_role() == role);
  });
}

Resources AllocatorOracle::bounded_offer(const std::string& role, const Resources& left) const {
  const Resources counted = left.filter(counts);
  std::map<std::string, int64_t> most;
  for (const std::string& name : quota_names()) {
    most[name] = largest(counted.total_milli(name), [&](int64_t milli) {
      const Taking taking = {role, name, milli};
      return keeps_limits(taking) && keeps_headroom(taking);
    });
  }
  return left.filter([](const Resource& item) { return !counts(item); }) + cut(counted, most, true);
}

}  // namespace tepui
