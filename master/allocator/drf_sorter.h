#pragma once
// DrfSorter orders clients by weighted dominant share. Clients are paths (`eng/search`); siblings
// are compared at each level of the tree, so a subtree competes as one with its siblings and
// divides what it has among its own children. Equal shares go to whom was allocated to less often,
// then by path.
//
// A path can be a client and the parent of others: its own allocation is then a child `path/.` with
// weight 1. The order is kept between walks: only clients whose allocation changed are re-placed,
// and all of a group only when the totals of the cluster changed.
//
// Invariant: the amounts of a node are the sum over the clients below it; a shared resource of one
// agent counts once in each node, whoever holds it.
//
// Follows: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/resources.h"
#include "common/result.h"
#include "master/allocator/cluster_totals.h"
#include "master/allocator/demand.h"
#include "master/allocator/share.h"

namespace tepui {

class DrfSorter {
 public:
  // Stays valid until the client is removed.
  using Client = uint32_t;
  static constexpr Client kNone = UINT32_MAX;

  explicit DrfSorter(const ClusterTotals& totals);

  // New clients are inactive. `tag` is the caller's own number for the client.
  Client add(std::string_view path, uint32_t tag);
  void remove(Client client);
  Client find(std::string_view path) const;  // kNone if it is no client
  // Inactive clients keep their allocation and are not listed.
  void set_active(Client client, bool active);
  // For a client or for the parent of clients, present or to come.
  void set_weight(std::string_view path, int64_t weight_milli);

  void allocated(Client client, const Demand& demand);
  void unallocated(Client client, const Demand& demand);
  // The allocation became another one; that is not counted as an allocation.
  void update(Client client, const Demand& before, const Demand& after);

  // One walk over the active clients, smallest share first. The order is that of begin(), whatever
  // is allocated meanwhile; clients are neither added, removed nor switched during a walk.
  void begin();
  Client next();  // kNone at the end

  // The active clients in order of path, with their part of all (see RandomOrder), and a number
  // that changes with them.
  struct Leaf {
    Client client = kNone;
    uint64_t relative_weight = 0;
  };
  void list_leaves(std::vector<Leaf>& leaves) const;
  uint64_t version() const { return version_; }

  uint32_t tag(Client client) const { return nodes_[client].tag; }
  std::string path(Client client) const;  // as it was added
  std::span<const int64_t> amounts(Client client) const;
  // Of a client or of the parent of clients, with all below it.
  std::span<const int64_t> amounts_of(std::string_view path) const;
  Share share_of(std::string_view path) const;
  uint32_t active_clients() const { return nodes_[kRoot].active_leaves; }
  size_t clients() const { return clients_; }
  bool allocates(uint32_t name) const;  // something of this name is allocated

  // The paths of the active clients in order.
  std::vector<std::string> sort();

  // Sums and order from scratch.
  Result<void> audit() const;

 private:
  struct SharedKey {
    uint32_t agent;
    KindRef kind;
    int64_t milli;
    bool operator<(const SharedKey& other) const;
  };
  struct Held {
    uint32_t name = 0;
    uint32_t holders = 0;
  };

  // A child as it is placed among its siblings.
  struct Entry {
    uint64_t key;
    uint32_t node;
  };

  // A round goes through the nodes at random: what it touches comes first and fits a cache line,
  // what it touches of groups fits the next.
  struct alignas(64) Node {
    Share share;  // as placed
    uint64_t placed_count = 0;
    uint64_t count = 0;
    int64_t weight_milli = 1000;
    uint32_t parent = kNone;
    uint32_t tag = 0;
    uint32_t active_leaves = 0;  // in the subtree; of a leaf: 1 if active
    bool is_leaf = true;
    bool dirty = false;  // the entry is out of date
    // Of an internal node:
    std::vector<Entry> order;    // the children with active leaves
    uint64_t order_version = 0;  // of the totals that `order` was made with
    std::vector<uint32_t> children;

    std::string path;
    std::map<SharedKey, Held> held;
  };

  struct Position {
    uint32_t node;
    uint32_t next;
  };

  static constexpr uint32_t kRoot = 0;

  uint32_t make_node(std::string path, uint32_t parent);
  void free_node(uint32_t index);
  void split_leaf(uint32_t leaf);
  void prune(uint32_t node);
  void collapse(uint32_t node);
  int64_t weight_of(std::string_view path) const;

  int64_t* amounts_at(uint32_t node) { return amounts_.data() + node * stride_; }
  const int64_t* amounts_at(uint32_t node) const { return amounts_.data() + node * stride_; }
  void widen();
  void add_demand(uint32_t node, const Demand& demand);
  void subtract_demand(uint32_t node, const Demand& demand);
  void copy_allocation(uint32_t from, uint32_t to);
  Demand allocation_of(uint32_t node) const;

  bool is_virtual(uint32_t node) const { return nodes_[node].path.ends_with("/."); }
  Share compute_share(uint32_t node) const;
  Entry entry_of(uint32_t node);
  bool is_before(const Entry& a, const Entry& b) const;
  void mark(uint32_t node);
  void place(uint32_t node);
  void unplace(uint32_t node);
  size_t position_of(uint32_t node) const;
  void move(uint32_t node);
  void refresh(uint32_t group);
  void settle();

  const ClusterTotals& totals_;
  std::map<std::string, int64_t, std::less<>> weights_;
  std::map<std::string, uint32_t, std::less<>> by_path_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> free_nodes_;
  std::vector<int64_t> amounts_;  // stride_ per node
  size_t stride_ = 0;
  size_t clients_ = 0;
  uint64_t version_ = 1;
  std::vector<uint32_t> dirty_;
  std::vector<Position> walk_;
};

}  // namespace tepui
