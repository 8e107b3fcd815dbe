// The audit of DrfSorter: sums and order from scratch, against what is kept.

#include <fmt/format.h>

#include "master/allocator/drf_sorter.h"

namespace tepui {

Result<void> DrfSorter::audit() const {
  uint32_t active = 0;
  for (const auto& [path, index] : by_path_) {
    const Node& node = nodes_[index];
    if (node.path != path) return fail(fmt::format("'{}' is filed under '{}'", node.path, path));
    if (node.is_leaf) {
      active += node.active_leaves;
      continue;
    }
    if (node.children.empty()) return fail(fmt::format("'{}' has no children", path));
  }
  if (active != nodes_[kRoot].active_leaves) {
    return fail(fmt::format("{} clients are active, but {} are counted", active,
                            nodes_[kRoot].active_leaves));
  }
  for (uint32_t index = 0; index < nodes_.size(); ++index) {
    const Node& group = nodes_[index];
    if (group.is_leaf) continue;
    std::vector<int64_t> sums(stride_, 0);
    uint32_t leaves = 0;
    size_t placed = 0;
    for (const uint32_t child : group.children) {
      for (size_t i = 0; i < stride_; ++i) sums[i] += amounts_at(child)[i];
      leaves += nodes_[child].active_leaves;
      placed += nodes_[child].active_leaves > 0 ? 1 : 0;
    }
    for (size_t i = 0; i < stride_; ++i) {
      // A shared resource counts once above children that all hold it.
      if (sums[i] < amounts_at(index)[i] ||
          (group.held.empty() && sums[i] != amounts_at(index)[i])) {
        return fail(fmt::format("the children of '{}' have {} of {}, the node has {}", group.path,
                                sums[i], totals_.name(static_cast<uint32_t>(i)),
                                amounts_at(index)[i]));
      }
    }
    if (leaves != group.active_leaves || placed != group.order.size()) {
      return fail(fmt::format("'{}' has {} active leaves and {} in order, expected {} and {}",
                              group.path, group.active_leaves, group.order.size(), leaves, placed));
    }
    if (group.order_version != totals_.version()) continue;
    for (size_t i = 0; i < group.order.size(); ++i) {
      const Node& node = nodes_[group.order[i].node];
      if (!node.dirty && !(node.share == compute_share(group.order[i].node))) {
        return fail(fmt::format("'{}' is not where its share belongs", node.path));
      }
      if (i > 0 && !is_before(group.order[i - 1], group.order[i])) {
        return fail(
            fmt::format("'{}' comes before '{}'", nodes_[group.order[i - 1].node].path, node.path));
      }
    }
  }
  return {};
}

}  // namespace tepui
