#include "master/allocator/drf_sorter.h"

#include <algorithm>
#include <limits>

#include "common/check.h"
#include "master/allocator/random_order.h"

namespace tepui {

bool DrfSorter::SharedKey::operator<(const SharedKey& other) const {
  if (agent != other.agent) return agent < other.agent;
  if (milli != other.milli) return milli < other.milli;
  return kind != other.kind && *kind < *other.kind;
}

DrfSorter::DrfSorter(const ClusterTotals& totals) : totals_(totals) {
  make_node("", kNone);
  nodes_[kRoot].is_leaf = false;
}

// ---------------------------------------------------------------- the tree

uint32_t DrfSorter::make_node(std::string path, uint32_t parent) {
  uint32_t index = 0;
  if (free_nodes_.empty()) {
    index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    amounts_.resize(nodes_.size() * stride_, 0);
  } else {
    index = free_nodes_.back();
    free_nodes_.pop_back();
    nodes_[index] = Node{};
    std::fill_n(amounts_at(index), stride_, 0);
  }
  Node& node = nodes_[index];
  node.path = std::move(path);
  node.parent = parent;
  node.weight_milli = weight_of(node.path);
  if (parent != kNone) {
    by_path_.emplace(node.path, index);
    nodes_[parent].children.push_back(index);
  }
  return index;
}

void DrfSorter::free_node(uint32_t index) {
  Node& node = nodes_[index];
  std::erase(nodes_[node.parent].children, index);
  by_path_.erase(node.path);
  node = Node{};
  free_nodes_.push_back(index);
}

int64_t DrfSorter::weight_of(std::string_view path) const {
  const auto found = weights_.find(path);
  return found == weights_.end() ? 1000 : found->second;
}

// A client is about to get children: what it has itself moves into a child of its own. The client
// keeps its index; a new node takes its place.
void DrfSorter::split_leaf(uint32_t leaf) {
  const uint32_t parent = nodes_[leaf].parent;
  const std::string path = nodes_[leaf].path;
  const bool active = nodes_[leaf].active_leaves > 0;
  if (active) unplace(leaf);
  std::erase(nodes_[parent].children, leaf);
  by_path_.erase(path);

  const uint32_t inner = make_node(path, parent);
  nodes_[inner].is_leaf = false;
  nodes_[inner].active_leaves = nodes_[leaf].active_leaves;
  copy_allocation(leaf, inner);

  nodes_[leaf].path = path + "/.";
  nodes_[leaf].parent = inner;
  nodes_[leaf].weight_milli = weight_of(nodes_[leaf].path);
  by_path_.emplace(nodes_[leaf].path, leaf);
  nodes_[inner].children.push_back(leaf);
  if (active) {
    place(leaf);
    place(inner);
  }
}

DrfSorter::Client DrfSorter::add(std::string_view path, uint32_t tag) {
  CHECK(!path.empty());
  ++version_;
  uint32_t current = kRoot;
  for (size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end == 0 ? 0 : end + 1), path.size());
    const std::string_view prefix = path.substr(0, end);
    const auto found = by_path_.find(prefix);
    if (found == by_path_.end()) {
      current = make_node(std::string(prefix), current);
      nodes_[current].is_leaf = end == path.size();
    } else {
      if (nodes_[found->second].is_leaf && end < path.size()) split_leaf(found->second);
      current = by_path_.find(prefix)->second;
      if (end == path.size()) {
        CHECK(!nodes_[current].is_leaf);
        current = make_node(std::string(path) + "/.", current);
      }
    }
  }
  nodes_[current].tag = tag;
  ++clients_;
  return current;
}

void DrfSorter::remove(Client client) {
  CHECK(nodes_[client].is_leaf);
  set_active(client, false);
  ++version_;
  const Demand all = allocation_of(client);
  for (uint32_t node = nodes_[client].parent; node != kNone; node = nodes_[node].parent) {
    subtract_demand(node, all);
    mark(node);
  }
  const uint32_t parent = nodes_[client].parent;
  free_node(client);
  --clients_;
  prune(parent);
}

// Nodes without children go; a node left with nothing but its own client becomes that client.
void DrfSorter::prune(uint32_t node) {
  while (node != kRoot && nodes_[node].children.empty()) {
    const uint32_t parent = nodes_[node].parent;
    free_node(node);
    node = parent;
  }
  if (node != kRoot && nodes_[node].children.size() == 1 && is_virtual(nodes_[node].children[0])) {
    collapse(node);
  }
}

void DrfSorter::collapse(uint32_t node) {
  const uint32_t leaf = nodes_[node].children[0];
  const uint32_t parent = nodes_[node].parent;
  const std::string path = nodes_[node].path;
  const bool active = nodes_[leaf].active_leaves > 0;
  if (active) {
    unplace(leaf);
    unplace(node);
  }
  nodes_[leaf].count = nodes_[node].count;
  by_path_.erase(nodes_[leaf].path);
  free_node(node);

  nodes_[leaf].path = path;
  nodes_[leaf].parent = parent;
  nodes_[leaf].weight_milli = weight_of(path);
  by_path_.emplace(path, leaf);
  nodes_[parent].children.push_back(leaf);
  if (active) place(leaf);
}

DrfSorter::Client DrfSorter::find(std::string_view path) const {
  auto found = by_path_.find(path);
  if (found == by_path_.end()) return kNone;
  if (nodes_[found->second].is_leaf) return found->second;
  found = by_path_.find(std::string(path) + "/.");
  return found == by_path_.end() ? kNone : found->second;
}

std::string DrfSorter::path(Client client) const {
  const std::string& path = nodes_[client].path;
  return is_virtual(client) ? path.substr(0, path.size() - 2) : path;
}

void DrfSorter::set_active(Client client, bool active) {
  CHECK(nodes_[client].is_leaf);
  if ((nodes_[client].active_leaves > 0) == active) return;
  ++version_;
  for (uint32_t node = client; node != kNone; node = nodes_[node].parent) {
    const uint32_t before = nodes_[node].active_leaves;
    if (!active && before == 1 && node != kRoot) unplace(node);
    nodes_[node].active_leaves = active ? before + 1 : before - 1;
    if (active && before == 0 && node != kRoot) place(node);
  }
}

void DrfSorter::set_weight(std::string_view path, int64_t weight_milli) {
  CHECK(weight_milli > 0);
  if (weight_milli == 1000) {
    if (const auto known = weights_.find(path); known != weights_.end()) weights_.erase(known);
  } else {
    weights_.insert_or_assign(std::string(path), weight_milli);
  }
  ++version_;
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  nodes_[found->second].weight_milli = weight_milli;
  mark(found->second);
}

// ---------------------------------------------------------------- amounts

// Names were interned since: every node gets room for them.
void DrfSorter::widen() {
  const size_t stride = totals_.size();
  if (stride == stride_) return;
  std::vector<int64_t> wide(nodes_.size() * stride, 0);
  for (size_t node = 0; node < nodes_.size(); ++node) {
    std::copy_n(amounts_.data() + node * stride_, stride_, wide.data() + node * stride);
  }
  amounts_ = std::move(wide);
  stride_ = stride;
}

void DrfSorter::add_demand(uint32_t node, const Demand& demand) {
  int64_t* amounts = amounts_at(node);
  for (size_t i = 0; i < demand.amounts.size(); ++i) amounts[i] += demand.amounts[i];
  for (const SharedAmount& shared : demand.shared) {
    Held& held = nodes_[node].held[{shared.agent, shared.kind, shared.milli}];
    if (held.holders == 0) {
      held.name = shared.name;
      amounts[shared.name] += shared.milli;
    }
    held.holders += shared.holders;
  }
}

void DrfSorter::subtract_demand(uint32_t node, const Demand& demand) {
  int64_t* amounts = amounts_at(node);
  for (size_t i = 0; i < demand.amounts.size(); ++i) {
    amounts[i] -= demand.amounts[i];
    CHECK(amounts[i] >= 0);
  }
  for (const SharedAmount& shared : demand.shared) {
    const auto found = nodes_[node].held.find({shared.agent, shared.kind, shared.milli});
    CHECK(found != nodes_[node].held.end());
    Held& held = found->second;
    CHECK(held.holders >= shared.holders);
    held.holders -= shared.holders;
    if (held.holders > 0) continue;
    amounts[shared.name] -= shared.milli;
    nodes_[node].held.erase(found);
  }
}

void DrfSorter::copy_allocation(uint32_t from, uint32_t to) {
  std::copy_n(amounts_at(from), stride_, amounts_at(to));
  nodes_[to].held = nodes_[from].held;
  nodes_[to].count = nodes_[from].count;
}

Demand DrfSorter::allocation_of(uint32_t node) const {
  Demand demand;
  demand.amounts.assign(amounts_at(node), amounts_at(node) + stride_);
  for (const auto& [key, held] : nodes_[node].held) {
    demand.amounts[held.name] -= key.milli;
    demand.shared.push_back({.agent = key.agent,
                             .kind = key.kind,
                             .name = held.name,
                             .milli = key.milli,
                             .holders = held.holders});
  }
  return demand;
}

void DrfSorter::allocated(Client client, const Demand& demand) {
  widen();
  for (uint32_t node = client; node != kNone; node = nodes_[node].parent) {
    add_demand(node, demand);
    ++nodes_[node].count;
    mark(node);
  }
}

void DrfSorter::unallocated(Client client, const Demand& demand) {
  widen();
  for (uint32_t node = client; node != kNone; node = nodes_[node].parent) {
    subtract_demand(node, demand);
    mark(node);
  }
}

void DrfSorter::update(Client client, const Demand& before, const Demand& after) {
  widen();
  for (uint32_t node = client; node != kNone; node = nodes_[node].parent) {
    subtract_demand(node, before);
    add_demand(node, after);
    mark(node);
  }
}

std::span<const int64_t> DrfSorter::amounts(Client client) const {
  return {amounts_at(client), stride_};
}

std::span<const int64_t> DrfSorter::amounts_of(std::string_view path) const {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return {};
  return {amounts_at(found->second), stride_};
}

Share DrfSorter::share_of(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? Share{} : compute_share(found->second);
}

bool DrfSorter::allocates(uint32_t name) const {
  return name < stride_ && amounts_at(kRoot)[name] > 0;
}

// ---------------------------------------------------------------- order

Share DrfSorter::compute_share(uint32_t node) const {
  const int64_t* amounts = amounts_at(node);
  Share share;
  for (size_t i = 0; i < stride_; ++i) {
    const int64_t total = totals_.total(i);
    if (amounts[i] == 0 || total == 0) continue;
    if (share.is_below(amounts[i], total)) {
      share.allocated = amounts[i];
      share.total = total;
    }
  }
  share.weight_milli = nodes_[node].weight_milli;
  return share;
}

DrfSorter::Entry DrfSorter::entry_of(uint32_t index) {
  Node& node = nodes_[index];
  node.share = compute_share(index);
  node.placed_count = node.count;
  node.dirty = false;
  return {.key = node.share.key(), .node = index};
}

bool DrfSorter::is_before(const Entry& a, const Entry& b) const {
  if (a.key != b.key) return a.key < b.key;
  const Node& left = nodes_[a.node];
  const Node& right = nodes_[b.node];
  if (const auto order = left.share <=> right.share; order != 0) return order < 0;
  if (left.placed_count != right.placed_count) return left.placed_count < right.placed_count;
  return left.path < right.path;
}

void DrfSorter::mark(uint32_t node) {
  if (nodes_[node].dirty || nodes_[node].active_leaves == 0 || node == kRoot) return;
  nodes_[node].dirty = true;
  dirty_.push_back(node);
}

// A group made with older totals is sorted as a whole when a walk comes to it, so its order needs
// no care before.
void DrfSorter::place(uint32_t node) {
  Node& group = nodes_[nodes_[node].parent];
  const Entry entry = entry_of(node);
  auto at = group.order.end();
  if (group.order_version == totals_.version()) {
    at = std::lower_bound(group.order.begin(), group.order.end(), entry,
                          [this](const Entry& a, const Entry& b) { return is_before(a, b); });
  }
  group.order.insert(at, entry);
}

void DrfSorter::unplace(uint32_t node) {
  Node& group = nodes_[nodes_[node].parent];
  group.order.erase(group.order.begin() + static_cast<ptrdiff_t>(position_of(node)));
  nodes_[node].dirty = false;
}

// Where the node was placed. Mostly first: that is who was allocated to.
size_t DrfSorter::position_of(uint32_t node) const {
  const Node& group = nodes_[nodes_[node].parent];
  CHECK(!group.order.empty());
  if (group.order.front().node == node) return 0;
  auto found = group.order.end();
  if (group.order_version == totals_.version()) {
    const Entry placed = {.key = nodes_[node].share.key(), .node = node};
    found = std::lower_bound(group.order.begin(), group.order.end(), placed,
                             [this](const Entry& a, const Entry& b) { return is_before(a, b); });
  } else {
    found = std::ranges::find(group.order, node, &Entry::node);
  }
  CHECK(found != group.order.end());
  CHECK(found->node == node);
  return static_cast<size_t>(found - group.order.begin());
}

void DrfSorter::move(uint32_t node) {
  std::vector<Entry>& order = nodes_[nodes_[node].parent].order;
  const auto from = order.begin() + static_cast<ptrdiff_t>(position_of(node));
  const Entry entry = entry_of(node);
  const auto before = [this](const Entry& a, const Entry& b) { return is_before(a, b); };
  if (from + 1 != order.end() && before(*(from + 1), entry)) {
    const auto to = std::lower_bound(from + 1, order.end(), entry, before);
    std::move(from + 1, to, from);
    *(to - 1) = entry;
  } else {
    const auto to = std::lower_bound(order.begin(), from, entry, before);
    std::move_backward(to, from, from + 1);
    *to = entry;
  }
}

void DrfSorter::settle() {
  for (const uint32_t node : dirty_) {
    if (!nodes_[node].dirty) continue;
    const Node& group = nodes_[nodes_[node].parent];
    if (group.order_version == totals_.version()) move(node);
  }
  dirty_.clear();
}

void DrfSorter::refresh(uint32_t index) {
  Node& group = nodes_[index];
  if (group.order_version == totals_.version()) return;
  for (Entry& entry : group.order) entry = entry_of(entry.node);
  std::sort(group.order.begin(), group.order.end(),
            [this](const Entry& a, const Entry& b) { return is_before(a, b); });
  group.order_version = totals_.version();
}

void DrfSorter::begin() {
  widen();
  settle();
  refresh(kRoot);
  walk_.assign(1, {.node = kRoot, .next = 0});
}

DrfSorter::Client DrfSorter::next() {
  while (!walk_.empty()) {
    Position& top = walk_.back();
    const Node& group = nodes_[top.node];
    if (top.next == group.order.size()) {
      walk_.pop_back();
      continue;
    }
    const uint32_t child = group.order[top.next++].node;
    if (nodes_[child].is_leaf) return child;
    refresh(child);
    walk_.push_back({.node = child, .next = 0});
  }
  return kNone;
}

// Parents come before their children in order of path.
void DrfSorter::list_leaves(std::vector<Leaf>& leaves) const {
  leaves.clear();
  std::vector<int64_t> children(nodes_.size(), 0);
  for (const auto& [path, node] : by_path_) {
    if (nodes_[node].active_leaves == 0) continue;
    children[nodes_[node].parent] += nodes_[node].weight_milli;
  }
  std::vector<uint64_t> relative(nodes_.size(), RandomOrder::kWhole);
  for (const auto& [path, node] : by_path_) {
    if (nodes_[node].active_leaves == 0) continue;
    const uint32_t parent = nodes_[node].parent;
    relative[node] =
        RandomOrder::part(relative[parent], nodes_[node].weight_milli, children[parent]);
    if (nodes_[node].is_leaf) leaves.push_back({.client = node, .relative_weight = relative[node]});
  }
}

std::vector<std::string> DrfSorter::sort() {
  std::vector<std::string> paths;
  begin();
  for (Client client = next(); client != kNone; client = next()) paths.push_back(path(client));
  return paths;
}

}  // namespace tepui
