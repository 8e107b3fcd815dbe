// The orders of AllocatorOracle by policy: by share, or drawn one after the other with a
// probability by weight.

#include <utility>

#include "master/allocator/random_order.h"
#include "tests/master/allocator_oracle.h"
#include "tests/master/allocator_oracle_items.h"

namespace tepui {

namespace {
template <class Value>
std::vector<Value> draw_all(std::vector<std::pair<Value, uint64_t>> urn, uint64_t key) {
  std::vector<Value> order;
  while (!urn.empty()) {
    uint64_t total = 0;
    for (const auto& [value, weight] : urn) total += weight;
    uint64_t rest = RandomOrder::draw(key, static_cast<uint32_t>(order.size()), total);
    size_t at = 0;
    while (rest >= urn[at].second) rest -= urn[at++].second;
    order.push_back(urn[at].first);
    urn.erase(urn.begin() + static_cast<ptrdiff_t>(at));
  }
  return order;
}
}  // namespace

bool AllocatorOracle::is_role_listed(const std::string& role) const {
  for (const auto& [handle, framework] : frameworks_) {
    if (is_listed(handle, role)) return true;
  }
  return false;
}

std::vector<std::string> AllocatorOracle::role_order() const {
  std::vector<std::string> order;
  if (options_.role_sorter == SorterPolicy::kDrf) {
    list_roles("", totals(), order);
    return order;
  }
  // Each node divides among its children that have a listed role at or below them.
  std::map<std::string, uint64_t> parts;  // of listed nodes
  const auto parent = [](const std::string& node) {
    const size_t slash = node.rfind('/');
    return slash == std::string::npos ? std::string() : node.substr(0, slash);
  };
  const auto is_active = [&](const std::string& node) {
    for (const std::string& role : roles()) {
      if (is_role_listed(role) && is_within(node, node_of(role))) return true;
    }
    return false;
  };
  for (const auto& [node, count] : node_counts_) {
    if (!is_active(node)) continue;
    int64_t siblings = 0;
    for (const auto& [other, its] : node_counts_) {
      if (parent(other) == parent(node) && is_active(other)) siblings += weight(other);
    }
    const std::string above = parent(node);
    parts[node] = RandomOrder::part(above.empty() ? RandomOrder::kWhole : parts.at(above),
                                    weight(node), siblings);
  }
  std::vector<std::pair<std::string, uint64_t>> urn;
  for (const auto& [node, part] : parts) {
    for (const std::string& role : roles()) {
      if (node_of(role) == node) urn.emplace_back(role, part);
    }
  }
  return draw_all(std::move(urn), draw_);
}

std::vector<FrameworkHandle> AllocatorOracle::framework_order(const std::string& role) const {
  if (options_.framework_sorter == SorterPolicy::kDrf) return list_frameworks(role, totals());
  int64_t listed = 0;
  for (const auto& [handle, framework] : frameworks_) listed += is_listed(handle, role) ? 1 : 0;
  std::map<uint32_t, FrameworkHandle> by_index;
  for (const auto& [handle, framework] : frameworks_) by_index[handle.index] = handle;
  std::vector<std::pair<FrameworkHandle, uint64_t>> urn;
  for (const auto& [index, handle] : by_index) {
    if (!is_listed(handle, role)) continue;
    urn.emplace_back(handle, RandomOrder::part(RandomOrder::kWhole, 1000, listed * 1000));
  }
  return draw_all(std::move(urn), RandomOrder::key_of(draw_, role));
}

}  // namespace tepui
