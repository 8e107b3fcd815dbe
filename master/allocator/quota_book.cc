#include "master/allocator/quota_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/check.h"
#include "common/roles.h"

namespace tepui {

namespace {

// A MOUNT disk and a persistent volume are given whole or not at all.
bool is_choppable(const Resource& item) {
  const std::optional<Disk>& disk = item.kind->disk;
  return !disk || (disk->persistence_id.empty() && disk->source != Disk::Source::kMount);
}

void replace(std::vector<int64_t>& all, size_t begin, std::span<const int64_t> row,
             QuotaBook::Row& sum) {
  if (begin + row.size() > all.size()) all.resize(begin + row.size(), 0);
  for (size_t name = 0; name < row.size(); ++name) {
    sum[name] += row[name] - all[begin + name];
    all[begin + name] = row[name];
  }
}

Resources one(const Resource& item, int64_t milli) {
  return Resources::create({{.kind = item.kind, .amount = milli}}).value();
}

}  // namespace

// ---------------------------------------------------------------- the tree

void QuotaBook::set(std::string_view role, const Quota& quota) {
  const auto known = quotas_.find(role);
  if (quota.is_default()) {
    if (known == quotas_.end()) return;
    quotas_.erase(known);
  } else if (known == quotas_.end()) {
    quotas_.emplace(role, quota);
  } else {
    if (known->second == quota) return;
    known->second = quota;
  }
  stale_ = true;
}

void QuotaBook::begin_rebuild() {
  stale_ = false;
  ++version_;
  names_.clear();
  nodes_.clear();
  parents_.clear();
  for (const auto& [role, quota] : quotas_) {
    for (const Quantities::Item& item : quota.guarantees.items()) add_name(item.name);
    for (const auto& [name, milli] : quota.limits_milli) add_name(name);
  }
  sums_.assign(quotas_.size() * names_.size(), {});
  held_back_.assign(names_.size(), 0);
  free_sum_.assign(names_.size(), 0);
  free_.clear();
  lent_sum_.assign(names_.size(), 0);
  recallable_sum_.assign(names_.size(), 0);
  lent_.clear();
  recallable_.clear();
  for (const auto& [role, quota] : quotas_) add_node(role, quota);
}

void QuotaBook::add_name(std::string_view name) {
  if (name_index(name) == kNone) names_.emplace_back(name);
}

// Roles come in order of name: the ancestors before.
void QuotaBook::add_node(const std::string& role, const Quota& quota) {
  const Node node = static_cast<Node>(parents_.size());
  parents_.push_back(node_of(role));
  nodes_.emplace(role, node);
  for (uint32_t name = 0; name < names_.size(); ++name) {
    Sums& sums = at(node, name);
    sums.guarantee = quota.guarantees.get(names_[name]);
    const auto limit = quota.limits_milli.find(names_[name]);
    if (limit != quota.limits_milli.end()) sums.limit = limit->second;
    add(node, name, 0);
  }
}

QuotaBook::Node QuotaBook::node_of(std::string_view role) const {
  for (std::string_view path = role;;) {
    if (const auto found = nodes_.find(path); found != nodes_.end()) return found->second;
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return kNone;
    path = path.substr(0, slash);
  }
}

uint32_t QuotaBook::name_index(std::string_view name) const {
  for (uint32_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return i;
  }
  return kNone;
}

// ---------------------------------------------------------------- sums

void QuotaBook::measure(const Resources& resources, Row& row) const {
  row.assign(names_.size(), 0);
  for (const Resource& item : resources.items()) {
    if (!counts_in_quota(item)) continue;
    const uint32_t name = name_index(item.name());
    if (name != kNone) row[name] += item.scalar_milli();
  }
}

// Up the path, as the need of a child is part of that of its parent.
void QuotaBook::add(Node node, uint32_t name, int64_t milli) {
  int64_t need_change = 0;
  for (; node != kNone; node = parents_[node]) {
    Sums& sums = at(node, name);
    sums.consumed += milli;
    CHECK(sums.consumed >= 0);
    sums.children_need += need_change;
    const int64_t need = std::min(std::max(sums.unmet(), sums.children_need), sums.room());
    need_change = need - sums.need;
    sums.need = need;
    if (milli == 0 && need_change == 0) return;
  }
  held_back_[name] += need_change;
}

void QuotaBook::consume(Node node, std::span<const int64_t> row) {
  for (uint32_t name = 0; name < row.size(); ++name) {
    if (row[name] != 0) add(node, name, row[name]);
  }
}

void QuotaBook::release(Node node, std::span<const int64_t> row) {
  for (uint32_t name = 0; name < row.size(); ++name) {
    if (row[name] != 0) add(node, name, -row[name]);
  }
}

void QuotaBook::add_reserved(const Resources& total) { add_all_reserved(total, 1); }

void QuotaBook::subtract_reserved(const Resources& total) { add_all_reserved(total, -1); }

void QuotaBook::add_all_reserved(const Resources& total, int64_t sign) {
  for (const Resource& item : total.items()) {
    if (!item.is_scalar() || !item.kind->is_reserved()) continue;
    const Node node = node_of(item.kind->reservation_role());
    const uint32_t name = name_index(item.name());
    if (node != kNone && name != kNone) add(node, name, sign * item.scalar_milli());
  }
}

void QuotaBook::set_free(uint32_t agent, std::span<const int64_t> row) {
  replace(free_, agent * names_.size(), row, free_sum_);
}

void QuotaBook::set_lent(uint32_t agent, std::span<const int64_t> lent,
                         std::span<const int64_t> recallable) {
  replace(lent_, agent * names_.size(), lent, lent_sum_);
  replace(recallable_, agent * names_.size(), recallable, recallable_sum_);
}

void QuotaBook::lendable(Row& row) const {
  row.assign(names_.size(), 0);
  for (size_t name = 0; name < names_.size(); ++name) {
    row[name] = std::max<int64_t>(0, held_back_[name] - lent_sum_[name]);
  }
}

std::span<const int64_t> QuotaBook::free(uint32_t agent) const {
  return std::span(free_).subspan(agent * names_.size(), names_.size());
}

// ---------------------------------------------------------------- bounds

bool QuotaBook::Bounds::any_guaranteed() const {
  for (size_t name = 0; name < guaranteed.size(); ++name) {
    if (std::min(guaranteed[name], limit[name]) > 0) return true;
  }
  return false;
}

int64_t QuotaBook::Bounds::all(size_t name) const {
  return std::min(limit[name], guaranteed[name] + surplus[name]);
}

// Going up the path, `serves` is how much of a grant lowers the need of the role just left: to the
// need of the parent's other children that part costs nothing.
void QuotaBook::bounds(Node node, Bounds& bounds) const {
  bounds.guaranteed.assign(names_.size(), 0);
  bounds.limit.assign(names_.size(), kUnlimited);
  bounds.surplus.assign(names_.size(), 0);
  for (size_t name = 0; name < names_.size(); ++name) {
    int64_t serves = 0;
    int64_t limit = kUnlimited;
    for (Node on = node; on != kNone; on = parents_[on]) {
      const Sums& sums = at(on, name);
      const int64_t room = sums.room();
      if (room != kUnlimited) {
        const int64_t spare = std::max<int64_t>(0, room - sums.children_need);
        limit = std::min({limit, room, serves + spare});
      }
      if (sums.children_need > room) {
        serves = std::min(serves, room);
      } else {
        serves += std::max<int64_t>(0, sums.unmet() - sums.children_need);
      }
    }
    bounds.guaranteed[name] = serves;
    bounds.limit[name] = limit;
    bounds.surplus[name] =
        std::max<int64_t>(0, free_sum_[name] + recallable_sum_[name] - held_back_[name]);
  }
}

Resources QuotaBook::take(const Resources& from, Row& most, Unnamed unnamed) const {
  Resources kept;
  for (const Resource& item : from.items()) {
    const uint32_t name = name_index(item.name());
    int64_t milli = item.scalar_milli();
    if (name == kNone) {
      if (unnamed == Unnamed::kDrop) continue;
    } else if (milli > most[name]) {
      // Graphics processors come whole.
      milli = item.name() == "gpus" ? most[name] / 1000 * 1000 : most[name];
      if (milli == 0 || !is_choppable(item)) continue;
    }
    if (name != kNone) most[name] -= milli;
    kept += one(item, milli);
  }
  return kept;
}

bool QuotaBook::holds_back() const {
  return std::ranges::any_of(held_back_, [](int64_t milli) { return milli > 0; });
}

Result<void> QuotaBook::compare(const QuotaBook& expected) const {
  for (const auto& [role, node] : nodes_) {
    for (size_t name = 0; name < names_.size(); ++name) {
      const Sums& ours = at(node, name);
      const Sums& theirs = expected.at(node, name);
      if (ours.consumed == theirs.consumed && ours.need == theirs.need) continue;
      return fail(fmt::format("role '{}' consumes {} of {} and needs {}, but {} and {} are kept",
                              role, theirs.consumed, names_[name], theirs.need, ours.consumed,
                              ours.need));
    }
  }
  for (size_t name = 0; name < names_.size(); ++name) {
    if (lent_sum_[name] != expected.lent_sum_[name] ||
        recallable_sum_[name] != expected.recallable_sum_[name]) {
      return fail(fmt::format("{} of {} are lent and {} of that offered, but {} and {} are kept",
                              expected.lent_sum_[name], names_[name],
                              expected.recallable_sum_[name], lent_sum_[name],
                              recallable_sum_[name]));
    }
    if (free_sum_[name] == expected.free_sum_[name] &&
        held_back_[name] == expected.held_back_[name]) {
      continue;
    }
    return fail(fmt::format("{} of {} are free and {} held back, but {} and {} are kept",
                            expected.free_sum_[name], names_[name], expected.held_back_[name],
                            free_sum_[name], held_back_[name]));
  }
  return {};
}

}  // namespace tepui
