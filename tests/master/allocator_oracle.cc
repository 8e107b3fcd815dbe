// Over 500 lines: all rules of allocation in one place, to be read from top to bottom.

#include "tests/master/allocator_oracle.h"

#include <algorithm>

#include "common/check.h"
#include "common/loans.h"
#include "common/roles.h"
#include "tests/master/allocator_oracle_items.h"

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
  repay();
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
  repay();
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
  if (resources.empty()) return;
  // Revocable beyond what is there was lent, as far as there is something that can be.
  const Resources lacking = resources.revocable().minus(available(agent));
  AgentShape& shape = agents_.at(agent).shape;
  const Resources free = as_revocable(lendable(available(agent)));
  const Resources loan = free.minus(free.minus(lacking));
  shape.lent += loan;
  shape.total = shape.total - as_regular(loan) + loan;
  book(framework, agent, std::string(role), resources);
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
  repay();
  settle_members();
}

void AllocatorOracle::expire(Now now) {
  std::erase_if(filters_, [&](const Filter& filter) {
    return filter.until <= now.mono && stats_.rounds > filter.round;
  });
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
