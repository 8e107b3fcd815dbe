#include "tests/master/allocator_oracle.h"

#include <algorithm>

#include "common/check.h"
#include "common/roles.h"
#include "master/allocator/candidates.h"

namespace tepui {

namespace {

__extension__ typedef unsigned __int128 Wide;

struct Fraction {
  Wide above = 0;
  Wide below = 1;
};
bool operator<(const Fraction& a, const Fraction& b) {
  return a.above * b.below < b.above * a.below;
}

bool is_below(const std::string& ancestor, const std::string& path) {
  return path.size() > ancestor.size() + 1 && path.starts_with(ancestor + "/");
}

}  // namespace

AllocatorOracle::AllocatorOracle(AllocatorOptions options, uint64_t seed)
    : options_(std::move(options)), seed_(seed) {}

// ---------------------------------------------------------------- what is there

bool AllocatorOracle::is_member(FrameworkHandle framework, const std::string& role) const {
  const auto found = frameworks_.find(framework);
  if (found == frameworks_.end()) return false;
  if (std::ranges::find(found->second.shape.roles, role) != found->second.shape.roles.end()) {
    return true;
  }
  return std::ranges::any_of(allocations_, [&](const Allocation& allocation) {
    return allocation.framework == framework && allocation.role == role;
  });
}

bool AllocatorOracle::is_listed(FrameworkHandle handle, const std::string& role) const {
  const Framework& framework = frameworks_.at(handle);
  return framework.active && !framework.suppressed.contains(role) &&
         std::ranges::find(framework.shape.roles, role) != framework.shape.roles.end();
}

std::set<std::string> AllocatorOracle::roles() const {
  std::set<std::string> roles;
  for (const auto& [handle, framework] : frameworks_) {
    roles.insert(framework.shape.roles.begin(), framework.shape.roles.end());
  }
  for (const Allocation& allocation : allocations_) roles.insert(allocation.role);
  return roles;
}

// The nodes of the role tree: roles and their ancestors, and a child "." of every role that is an
// ancestor of another.
std::set<std::string> AllocatorOracle::nodes() const {
  std::set<std::string> nodes;
  const std::set<std::string> all = roles();
  for (const std::string& role : all) {
    for (const std::string_view path : role_path(role)) nodes.emplace(path);
    for (const std::string& other : all) {
      if (is_below(role, other)) nodes.insert(role + "/.");
    }
  }
  return nodes;
}

std::string AllocatorOracle::node_of(const std::string& role) const {
  return node_counts_.contains(role + "/.") ? role + "/." : role;
}

// Counts begin with their node or member, and end with it. A role that gets its first child hands
// its count on to its own ".".
void AllocatorOracle::settle_members() {
  const std::set<std::string> present = nodes();
  for (const std::string& node : present) {
    if (node_counts_.contains(node)) continue;
    uint64_t count = 0;
    if (node.ends_with("/.")) {
      const std::string parent = node.substr(0, node.size() - 2);
      if (leaves_.contains(parent)) count = node_counts_.at(parent);
    }
    node_counts_.emplace(node, count);
  }
  std::erase_if(node_counts_, [&](const auto& entry) { return !present.contains(entry.first); });
  leaves_.clear();
  for (const std::string& role : roles()) {
    names_.insert(role);
    if (!present.contains(role + "/.")) leaves_.insert(role);
  }
  for (const auto& [handle, framework] : frameworks_) {
    for (const std::string& role : roles()) {
      if (is_member(handle, role)) {
        member_counts_.try_emplace({role, handle}, 0);
      } else {
        member_counts_.erase({role, handle});
      }
    }
  }
  std::erase_if(member_counts_, [&](const auto& entry) {
    return !is_member(entry.first.second, entry.first.first);
  });
}

Resources AllocatorOracle::available(AgentHandle agent) const {
  Resources left = agents_.at(agent).shape.total;
  for (const Allocation& allocation : allocations_) {
    if (allocation.agent != agent) continue;
    left = left.minus(
        allocation.resources.filter([](const Resource& item) { return !item.kind->shared; }));
  }
  return left;
}

// ---------------------------------------------------------------- shares

AllocatorOracle::Sums AllocatorOracle::totals() const {
  Sums sums;
  for (const auto& [handle, agent] : agents_) {
    for (const Resource& item : agent.shape.total.items()) {
      if (item.is_scalar()) sums[std::string(item.name())] += item.scalar_milli();
    }
  }
  for (const std::string& excluded : options_.fairness_excluded) sums.erase(excluded);
  return sums;
}

AllocatorOracle::Sums AllocatorOracle::sums_of(
    const std::vector<const Allocation*>& allocations) const {
  Sums sums;
  std::set<std::tuple<AgentHandle, ResourceKind, int64_t>> shared;
  for (const Allocation* allocation : allocations) {
    for (const Resource& item : allocation->resources.items()) {
      if (!item.is_scalar()) continue;
      if (item.kind->shared &&
          !shared.emplace(allocation->agent, *item.kind, item.scalar_milli()).second) {
        continue;
      }
      sums[std::string(item.name())] += item.scalar_milli();
    }
  }
  return sums;
}

AllocatorOracle::Sums AllocatorOracle::node_sums(const std::string& node) const {
  const bool own = node.ends_with("/.");
  const std::string role = own ? node.substr(0, node.size() - 2) : node;
  std::vector<const Allocation*> below;
  for (const Allocation& allocation : allocations_) {
    if (allocation.role == role || (!own && is_below(role, allocation.role))) {
      below.push_back(&allocation);
    }
  }
  return sums_of(below);
}

int64_t AllocatorOracle::weight(const std::string& path) const {
  const auto found = weights_.find(path);
  return found == weights_.end() ? 1000 : found->second;
}

namespace {
Fraction share(const std::map<std::string, int64_t>& sums,
               const std::map<std::string, int64_t>& totals) {
  Fraction dominant;
  for (const auto& [name, total] : totals) {
    const auto found = sums.find(name);
    if (total == 0 || found == sums.end()) continue;
    const Fraction part = {.above = static_cast<Wide>(found->second),
                           .below = static_cast<Wide>(total)};
    if (dominant < part) dominant = part;
  }
  return dominant;
}
}  // namespace

bool AllocatorOracle::precedes(const Sibling& a, const Sibling& b, const Sums& totals) const {
  Fraction left = share(a.sums, totals);
  Fraction right = share(b.sums, totals);
  left.below *= static_cast<Wide>(a.weight_milli);
  right.below *= static_cast<Wide>(b.weight_milli);
  if (left < right) return true;
  if (right < left) return false;
  if (a.count != b.count) return a.count < b.count;
  if (a.path != b.path) return a.path < b.path;
  return a.framework.index < b.framework.index;
}

// Siblings by share, each subtree as a whole before the next sibling.
void AllocatorOracle::list_roles(const std::string& parent, const Sums& totals,
                                 std::vector<std::string>& order) const {
  std::vector<Sibling> siblings;
  for (const auto& [node, count] : node_counts_) {
    const size_t slash = node.rfind('/');
    const std::string above = slash == std::string::npos ? "" : node.substr(0, slash);
    if (above != parent) continue;
    siblings.push_back({.path = node,
                        .framework = {},
                        .sums = node_sums(node),
                        .weight_milli = weight(node),
                        .count = count});
  }
  std::ranges::sort(siblings,
                    [&](const Sibling& a, const Sibling& b) { return precedes(a, b, totals); });
  const std::set<std::string> all = roles();
  for (const Sibling& sibling : siblings) {
    if (sibling.path.ends_with("/.")) {
      order.push_back(sibling.path.substr(0, sibling.path.size() - 2));
    } else if (all.contains(sibling.path) && node_of(sibling.path) == sibling.path) {
      order.push_back(sibling.path);
    } else {
      list_roles(sibling.path, totals, order);
    }
  }
}

std::vector<FrameworkHandle> AllocatorOracle::list_frameworks(const std::string& role,
                                                              const Sums& totals) const {
  std::vector<Sibling> siblings;
  for (const auto& [handle, framework] : frameworks_) {
    if (!is_listed(handle, role)) continue;
    std::vector<const Allocation*> held;
    for (const Allocation& allocation : allocations_) {
      if (allocation.role == role && allocation.framework == handle) held.push_back(&allocation);
    }
    siblings.push_back({.path = "",
                        .framework = handle,
                        .sums = sums_of(held),
                        .weight_milli = 1000,
                        .count = member_counts_.at({role, handle})});
  }
  std::ranges::sort(siblings,
                    [&](const Sibling& a, const Sibling& b) { return precedes(a, b, totals); });
  std::vector<FrameworkHandle> order;
  for (const Sibling& sibling : siblings) order.push_back(sibling.framework);
  return order;
}

// ---------------------------------------------------------------- events

void AllocatorOracle::add_agent(AgentHandle agent, AgentShape shape) {
  agents_[agent].shape = std::move(shape);
}

void AllocatorOracle::update_agent(AgentHandle agent, AgentShape shape) {
  const AgentShape& before = agents_.at(agent).shape;
  if (before.hostname != shape.hostname || before.region != shape.region ||
      before.zone != shape.zone || before.attributes != shape.attributes) {
    std::erase_if(filters_, [&](const Filter& filter) { return filter.agent == agent; });
  }
  agents_.at(agent).shape = std::move(shape);
}

void AllocatorOracle::remove_agent(AgentHandle agent) {
  agents_.erase(agent);
  std::erase_if(allocations_, [&](const Allocation& a) { return a.agent == agent; });
  std::erase_if(filters_, [&](const Filter& filter) { return filter.agent == agent; });
  settle_members();
}

void AllocatorOracle::set_agent_active(AgentHandle agent, bool active) {
  agents_.at(agent).active = active;
}

void AllocatorOracle::add_framework(FrameworkHandle framework, FrameworkShape shape) {
  frameworks_[framework].suppressed = {shape.suppressed.begin(), shape.suppressed.end()};
  // Roles come one after the other, as counts depend on it.
  std::vector<std::string> names = std::move(shape.roles);
  frameworks_[framework].shape = std::move(shape);
  frameworks_[framework].shape.roles.clear();
  for (const std::string& name : names) {
    frameworks_[framework].shape.roles.push_back(name);
    settle_members();
  }
}

void AllocatorOracle::update_framework(FrameworkHandle framework, FrameworkShape shape) {
  Framework& known = frameworks_.at(framework);
  const std::vector<std::string> before = known.shape.roles;
  for (const std::string& name : shape.roles) {
    if (std::ranges::find(before, name) != before.end()) continue;
    known.shape.roles.push_back(name);
    settle_members();
  }
  std::erase_if(filters_, [&](const Filter& filter) {
    return filter.framework == framework &&
           std::ranges::find(shape.roles, filter.role) == shape.roles.end();
  });
  known.suppressed = {shape.suppressed.begin(), shape.suppressed.end()};
  known.shape = std::move(shape);
  settle_members();
}

void AllocatorOracle::remove_framework(FrameworkHandle framework) {
  frameworks_.erase(framework);
  for (auto& [handle, agent] : agents_) {
    agent.asked.erase(framework);
    agent.refused_until.erase(framework);
  }
  std::erase_if(allocations_, [&](const Allocation& a) { return a.framework == framework; });
  std::erase_if(filters_, [&](const Filter& filter) { return filter.framework == framework; });
  settle_members();
}

void AllocatorOracle::set_framework_active(FrameworkHandle framework, bool active) {
  frameworks_.at(framework).active = active;
  if (active) return;
  for (auto& [handle, agent] : agents_) {
    agent.asked.erase(framework);
    agent.refused_until.erase(framework);
  }
  std::erase_if(filters_, [&](const Filter& filter) { return filter.framework == framework; });
}

void AllocatorOracle::suppress(FrameworkHandle framework, std::span<const std::string> roles) {
  Framework& known = frameworks_.at(framework);
  if (roles.empty()) known.suppressed.insert(known.shape.roles.begin(), known.shape.roles.end());
  for (const std::string& role : roles) {
    if (is_member(framework, role)) known.suppressed.insert(role);
  }
}

void AllocatorOracle::revive(FrameworkHandle framework, std::span<const std::string> roles) {
  const auto named = [&](const std::string& role) {
    return roles.empty() || std::ranges::find(roles, role) != roles.end();
  };
  for (auto& [handle, agent] : agents_) agent.refused_until.erase(framework);
  std::erase_if(frameworks_.at(framework).suppressed, named);
  std::erase_if(filters_, [&](const Filter& filter) {
    return filter.framework == framework && named(filter.role);
  });
}

void AllocatorOracle::set_weight(std::string_view role, int64_t weight_milli) {
  weights_[std::string(role)] = weight_milli;
}

void AllocatorOracle::book(FrameworkHandle framework, AgentHandle agent, const std::string& role,
                           const Resources& resources) {
  const auto known = std::ranges::find_if(allocations_, [&](const Allocation& a) {
    return a.framework == framework && a.agent == agent && a.role == role;
  });
  if (known == allocations_.end()) {
    allocations_.push_back(
        {.framework = framework, .agent = agent, .role = role, .resources = resources});
  } else {
    known->resources += resources;
  }
  settle_members();
  ++member_counts_.at({role, framework});
  for (const std::string_view path : role_path(role)) ++node_counts_.at(std::string(path));
  if (node_counts_.contains(role + "/.")) ++node_counts_.at(role + "/.");
}

void AllocatorOracle::allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                               const Resources& resources) {
  if (!resources.empty()) book(framework, agent, std::string(role), resources);
}

void AllocatorOracle::recover(Now now, FrameworkHandle framework, AgentHandle agent,
                              std::string_view role, const Resources& resources,
                              std::optional<Duration> refuse) {
  const auto known = std::ranges::find_if(allocations_, [&](const Allocation& a) {
    return a.framework == framework && a.agent == agent && a.role == role;
  });
  if (known == allocations_.end()) return;
  const Framework& owner = frameworks_.at(framework);
  const bool subscribes = std::ranges::find(owner.shape.roles, role) != owner.shape.roles.end();
  if (refuse && *refuse > Duration{} && owner.active && subscribes) {
    filters_.push_back({.framework = framework,
                        .agent = agent,
                        .role = std::string(role),
                        .refused = resources,
                        .until = later(now.mono, *refuse),
                        .round = stats_.rounds});
  }
  known->resources -= resources;
  if (known->resources.empty()) allocations_.erase(known);
  settle_members();
}

void AllocatorOracle::expire(Now now) {
  std::erase_if(filters_, [&](const Filter& filter) {
    return filter.until <= now.mono && stats_.rounds > filter.round;
  });
}

// ---------------------------------------------------------------- rounds

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

void AllocatorOracle::visit(AgentHandle handle, std::vector<Grant>& grants) {
  const Agent& agent = agents_.at(handle);
  Resources shared_offered;
  std::vector<std::string> order;
  list_roles("", totals(), order);
  for (const std::string& role : order) {
    if (available(handle).empty()) return;
    for (const FrameworkHandle framework : list_frameworks(role, totals())) {
      const FrameworkShape& shape = frameworks_.at(framework).shape;
      const Resources left = available(handle).allocatable_to(role).minus(shared_offered);
      if (left.empty()) break;
      if (!is_worth_offering(frameworks_.at(framework), role, left)) continue;
      if (!is_capable(frameworks_.at(framework), agent)) continue;
      if (!is_wanted(frameworks_.at(framework), role, agent)) continue;
      Resources offer = left;
      if (!shape.shared_resources) {
        offer = offer.filter([](const Resource& item) { return !item.kind->shared; });
      }
      if (!shape.revocable_resources) offer = offer.non_revocable();
      if (!shape.reservation_refinement) {
        offer =
            offer.filter([](const Resource& item) { return item.kind->reservations.size() < 2; });
      }
      if (!is_worth_offering(frameworks_.at(framework), role, offer)) continue;
      const bool refused = std::ranges::any_of(filters_, [&](const Filter& filter) {
        return filter.framework == framework && filter.agent == handle && filter.role == role &&
               filter.refused.contains(offer);
      });
      if (refused) continue;
      shared_offered += offer.filter([](const Resource& item) { return item.kind->shared; });
      book(framework, handle, role, offer);
      ++stats_.grants;
      grants.push_back({.framework = framework,
                        .agent = handle,
                        .role = *names_.find(role),
                        .resources = offer});
    }
  }
}

Allocator::Step AllocatorOracle::step(Now now, uint32_t, std::vector<Grant>& grants) {
  expire(now);
  const uint64_t key = Candidates::round_key(seed_, ++stats_.rounds);
  std::vector<std::pair<uint64_t, AgentHandle>> order;
  for (const auto& [handle, agent] : agents_) {
    if (whitelist_ && !whitelist_->contains(agent.shape.hostname)) continue;
    if (agent.active) order.emplace_back(Candidates::rank(key, handle.index), handle);
  }
  std::ranges::sort(order);
  for (const auto& [rank, handle] : order) {
    ++stats_.agents_visited;
    visit(handle, grants);
  }
  ask_to_leave(now);
  expire(now);
  return Step::kDone;
}

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
  settle_members();
  return {};
}

Result<void> AllocatorOracle::convert_available(AgentHandle agent, const Resources& from,
                                                const Resources& to) {
  if (!available(agent).contains(from)) return fail("not available");
  Resources& total = agents_.at(agent).shape.total;
  total = total - from + to;
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
      const bool counts = item.is_scalar() && !item.kind->is_reserved() && !item.kind->revocable &&
                          !item.kind->shared;
      if (counts) use.consumed.add(item.name(), item.scalar_milli());
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

std::vector<RoleShare> AllocatorOracle::shares() const {
  std::vector<RoleShare> shares;
  const Sums all = totals();
  for (const std::string& role : roles()) {
    const Fraction dominant = share(node_sums(role), all);
    const auto members = std::ranges::count_if(
        frameworks_, [&](const auto& entry) { return is_member(entry.first, role); });
    shares.push_back(
        {.role = *names_.find(role),
         .weight_milli = weight(role),
         .dominant_share_ppm = static_cast<int64_t>(dominant.above * 1'000'000 / dominant.below),
         .frameworks = static_cast<uint32_t>(members)});
  }
  return shares;
}

}  // namespace tepui
