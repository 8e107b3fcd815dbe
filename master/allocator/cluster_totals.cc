#include "master/allocator/cluster_totals.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

ClusterTotals::ClusterTotals(std::vector<std::string> excluded) : excluded_(std::move(excluded)) {}

std::optional<uint32_t> ClusterTotals::find(std::string_view name) const {
  for (uint32_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return i;
  }
  return std::nullopt;
}

std::optional<uint32_t> ClusterTotals::intern(std::string_view name) {
  CHECK(!name.empty());
  if (const auto index = find(name)) return index;
  if (std::ranges::find(excluded_, name) != excluded_.end()) return std::nullopt;
  if (const auto free = find("")) {
    names_[*free] = name;
    return free;
  }
  if (names_.size() == kNamesMax) return std::nullopt;
  names_.emplace_back(name);
  totals_.push_back(0);
  return static_cast<uint32_t>(names_.size() - 1);
}

void ClusterTotals::release(uint32_t index) {
  CHECK(totals_[index] == 0);
  names_[index].clear();
}

void ClusterTotals::add(std::span<const int64_t> amounts) {
  CHECK(amounts.size() <= totals_.size());
  for (size_t i = 0; i < amounts.size(); ++i) totals_[i] += amounts[i];
  ++version_;
}

void ClusterTotals::subtract(std::span<const int64_t> amounts) {
  CHECK(amounts.size() <= totals_.size());
  for (size_t i = 0; i < amounts.size(); ++i) {
    totals_[i] -= amounts[i];
    CHECK(totals_[i] >= 0);
  }
  ++version_;
}

}  // namespace tepui
