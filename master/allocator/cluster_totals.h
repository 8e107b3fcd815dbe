#pragma once
// ClusterTotals is what all agents have together: the denominators of every share. It interns the
// names of scalars, so that amounts are small arrays indexed by name.
//
// Invariant: total(i) is the sum over all agents that were added. A name that is excluded from
// shares, or that comes when kNamesMax are in use, has no index and counts in no share.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tepui {

// Scalar amounts in thousandths by name index. May be shorter than the number of names: what is
// missing is zero.
using Amounts = std::vector<int64_t>;

class ClusterTotals {
 public:
  // Real clusters have about five names. The bound keeps the arrays beside each client small.
  static constexpr size_t kNamesMax = 64;

  explicit ClusterTotals(std::vector<std::string> excluded);

  std::optional<uint32_t> find(std::string_view name) const;
  std::optional<uint32_t> intern(std::string_view name);
  // The index may name something else from now on. Nothing of it is left in totals or allocations.
  void release(uint32_t index);

  void add(std::span<const int64_t> amounts);
  void subtract(std::span<const int64_t> amounts);

  size_t size() const { return names_.size(); }
  std::string_view name(uint32_t index) const { return names_[index]; }
  int64_t total(size_t index) const { return totals_[index]; }
  // Grows with every change of a total: shares computed before are stale.
  uint64_t version() const { return version_; }

 private:
  const std::vector<std::string> excluded_;
  std::vector<std::string> names_;  // empty: free for reuse
  std::vector<int64_t> totals_;
  uint64_t version_ = 1;
};

}  // namespace tepui
