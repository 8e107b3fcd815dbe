#pragma once
// QuotaBook keeps what quota is judged by: per role with a quota what is consumed, over all agents
// what is free, and what of it is held back for guarantees.
//
// The roles with a quota form a tree: the parent of one is its nearest ancestor that has a quota.
// Per resource name, for each of them:
//   consumed = reservations to it or below, allocated or not, plus what is allocated below it
//              unreserved, not revocable and not shared
//   room     = limit - consumed, at least 0; without limit no bound
//   need     = what must still be kept for it: max(guarantee - consumed, sum of the children's
//              need), within its room
// The cluster holds back the sum of the need of those without parent. Free is what of agents that
// can be offered is unreserved, not revocable, not shared and not allocated; beside it stands what
// is lent of such agents and only offered, which counts as free for what is held back.
//
// A grant to a role must keep three rules: no role on its path goes above its limit; inside a
// limited role it leaves room for the need of the children that it does not serve; it takes no
// more than what is free beyond what is held back, unless it serves a guarantee by it. bounds()
// turns them into amounts. What a grant may take only shrinks from one grant to the next: only
// what comes back, is added or is configured makes it grow.
//
// Invariant: all is computed anew when quotas change (rebuild), then kept by sums; exact integers.
//
// Pure. Roles are named by node, agents by index.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/quota.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Of what is allocated; reservations count apart from it, allocated or not. What is shared but not
// reserved is in nobody's quota.
inline bool counts_in_quota(const Resource& item) {
  return item.is_scalar() && !item.kind->is_reserved() && !item.kind->revocable &&
         !item.kind->shared;
}

class QuotaBook {
 public:
  using Node = uint32_t;
  static constexpr Node kNone = UINT32_MAX;
  // Thousandths by name index, as many as names().
  using Row = std::vector<int64_t>;

  using Quotas = std::map<std::string, Quota, std::less<>>;

  void set(std::string_view role, const Quota& quota);
  const Quotas& quotas() const { return quotas_; }
  bool any() const { return !quotas_.empty(); }

  // Quotas changed since the last rebuild: nothing below means anything.
  bool is_stale() const { return stale_; }
  // There is something to keep sums for.
  bool is_kept() const { return !stale_ && any(); }
  // Empties all sums; whoever calls it adds them anew.
  void begin_rebuild();
  uint64_t version() const { return version_; }  // of the nodes

  // The role itself or its nearest ancestor with a quota.
  Node node_of(std::string_view role) const;
  size_t names() const { return names_.size(); }
  // kNone: no quota speaks of it.
  uint32_t name_index(std::string_view name) const;
  // What of the resources counts when it is allocated.
  void measure(const Resources& resources, Row& row) const;

  void consume(Node node, std::span<const int64_t> row);
  void release(Node node, std::span<const int64_t> row);
  // Of the agent's total.
  void add_reserved(const Resources& total);
  void subtract_reserved(const Resources& total);
  void set_free(uint32_t agent, std::span<const int64_t> row);
  std::span<const int64_t> free(uint32_t agent) const;
  // What is lent of the agent, and what of it rescinding would bring back to what is free.
  void set_lent(uint32_t agent, std::span<const int64_t> lent, std::span<const int64_t> recallable);
  // What may still be lent in all: what is held back, less what is lent already.
  void lendable(Row& row) const;

  struct Bounds {
    Row guaranteed;  // may be taken as guaranteed
    Row limit;       // may be taken at all, by limits; kUnlimited
    Row surplus;     // beyond what is held back
    bool any_guaranteed() const;
    // What may be taken in all.
    int64_t all(size_t name) const;
  };
  void bounds(Node node, Bounds& bounds) const;
  // Of resources that all count in quota, at most so much of each name; `most` becomes what was not
  // taken. In the order of the items, cut where they can be. kKeep: all of what no quota speaks of.
  enum class Unnamed : uint8_t { kKeep, kDrop };
  Resources take(const Resources& from, Row& most, Unnamed unnamed) const;
  // What is held back for guarantees in all.
  bool holds_back() const;

  // Against another one, rebuilt from scratch.
  Result<void> compare(const QuotaBook& expected) const;

 private:
  struct Sums {
    int64_t guarantee = 0;
    int64_t limit = kUnlimited;
    int64_t consumed = 0;
    int64_t children_need = 0;
    int64_t need = 0;

    int64_t unmet() const { return guarantee > consumed ? guarantee - consumed : 0; }
    int64_t room() const {
      if (limit == kUnlimited) return kUnlimited;
      return limit > consumed ? limit - consumed : 0;
    }
  };

  void add_name(std::string_view name);
  void add_node(const std::string& role, const Quota& quota);
  void add(Node node, uint32_t name, int64_t milli);
  void add_all_reserved(const Resources& total, int64_t sign);
  Sums& at(Node node, size_t name) { return sums_[node * names_.size() + name]; }
  const Sums& at(Node node, size_t name) const { return sums_[node * names_.size() + name]; }

  Quotas quotas_;
  bool stale_ = false;
  uint64_t version_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, Node, std::less<>> nodes_;
  std::vector<Node> parents_;
  std::vector<Sums> sums_;  // names() per node
  Row held_back_;
  Row free_sum_;
  std::vector<int64_t> free_;  // names() per agent
  Row lent_sum_;
  Row recallable_sum_;
  std::vector<int64_t> lent_;  // names() per agent, as far as any has lent anything
  std::vector<int64_t> recallable_;
};

}  // namespace tepui
