// What quota does to the rounds of DrfAllocator: first all guarantees are served, then the rest is
// divided within limits and beyond what is held back (master/allocator/quota_book.h).
//
// An agent of which quota held something back is visited again once something loosened; any other
// is as unwanted after a visit as it is without quota, because what a grant may take only shrinks
// during rounds.

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

// ---------------------------------------------------------------- sums

void DrfAllocator::fill(QuotaBook& quota) const {
  quota.begin_rebuild();
  if (!quota.any()) return;
  QuotaBook::Row row;
  for (const AgentBook& book : books_) {
    if (book.handle().is_null()) continue;
    quota.add_reserved(book.total());
    quota.measure(book.active && book.listed ? book.available() : Resources(), row);
    quota.set_free(book.handle().index, row);
    if (book.has_loan()) count_lent(book, quota);
    for (const AgentBook::Allocation& allocation : book.allocations()) {
      quota.measure(book.resources_of(allocation), row);
      quota.consume(quota.node_of(clients_.role(allocation.role).name), row);
    }
  }
}

void DrfAllocator::rebuild_quota() { fill(quota_); }

QuotaBook::Node DrfAllocator::quota_node(uint32_t role) const {
  const Clients::Role& known = clients_.role(role);
  if (known.quota_version != quota_.version()) {
    known.quota_version = quota_.version();
    known.quota_node = quota_.node_of(known.name);
  }
  return known.quota_node;
}

void DrfAllocator::consume(uint32_t role, const Resources& resources) {
  if (!quota_.is_kept() || quota_node(role) == QuotaBook::kNone) return;
  quota_.measure(resources, row_);
  quota_.consume(quota_node(role), row_);
}

void DrfAllocator::release(uint32_t role, const Resources& resources) {
  if (!quota_.is_kept() || quota_node(role) == QuotaBook::kNone) return;
  quota_.measure(resources, row_);
  quota_.release(quota_node(role), row_);
}

void DrfAllocator::update_quota_free(const AgentBook& book) {
  if (book.active && book.listed) {
    quota_.measure(book.available(), row_);
  } else {
    row_.assign(quota_.names(), 0);
  }
  quota_.set_free(book.handle().index, row_);
  if (book.has_loan()) count_lent(book, quota_);
}

// ---------------------------------------------------------------- guarantees

void DrfAllocator::touch_held() {
  if (!loosened_) return;
  loosened_ = false;
  for (const uint32_t agent : held_) {
    books_[agent].held_back = false;
    candidates_.touch(agent);
  }
  held_.clear();
}

void DrfAllocator::find_needy() {
  needy_.clear();
  needy_count_ = 0;
  if (!quota_.is_kept() || !quota_.holds_back()) return;
  clients_.begin_roles();
  for (uint32_t role = clients_.next_role(); role != Clients::kNone; role = clients_.next_role()) {
    if (role >= needy_.size()) needy_.resize(role + 1, false);
    quota_.bounds(quota_node(role), bounds_);
    needy_[role] = bounds_.any_guaranteed();
    needy_count_ += needy_[role] ? 1 : 0;
  }
}

void DrfAllocator::visit_guaranteed(uint32_t agent, std::vector<Grant>& grants) {
  AgentBook& book = books_[agent];
  if (!candidates_.is_free(agent) || book.since_round == stats_.rounds) return;
  const size_t before = grants.size();
  if (clients_.any_random()) draw_for(Candidates::guarantee_key(seed_, stats_.rounds), agent);
  clients_.begin_roles();
  for (uint32_t role = clients_.next_role(); role != Clients::kNone && needy_count_ > 0;
       role = clients_.next_role()) {
    if (book.available().empty()) break;
    if (!is_needy(role)) continue;
    quota_.bounds(quota_node(role), bounds_);
    if (bounds_.any_guaranteed()) serve_role(book, role, grants);
    // What a role may take only shrinks during a round.
    if (bounds_.any_guaranteed()) continue;
    needy_[role] = false;
    --needy_count_;
  }
  if (grants.size() > before) update_free(agent);
}

// bounds_ are those of the role, and are kept up to date.
void DrfAllocator::serve_role(AgentBook& book, uint32_t role, std::vector<Grant>& grants) {
  const std::string& name = clients_.role(role).name;
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    if (book.available().empty() || !bounds_.any_guaranteed()) return;
    const Resources left = offer_for(book, index, role);
    if (left.empty()) continue;
    Resources offer = guaranteed_offer(left, name);
    if (offer.empty() || !is_worth_offering(index, role, offer) ||
        is_refused(book, index, role, offer)) {
      continue;
    }
    grant(book, index, role, std::move(offer), grants);
    quota_.bounds(quota_node(role), bounds_);
  }
}

Resources DrfAllocator::guaranteed_part(const Resources& counted, QuotaBook::Row& most) const {
  most = bounds_.guaranteed;
  for (size_t i = 0; i < most.size(); ++i) most[i] = std::min(most[i], bounds_.limit[i]);
  return quota_.take(counted, most, QuotaBook::Unnamed::kDrop);
}

// What the role is guaranteed of it, if anything, and what goes with that: what is reserved to the
// role, what no quota counts, and of the rest what limits and headroom leave.
Resources DrfAllocator::guaranteed_offer(const Resources& left, std::string_view role) const {
  const Resources counted = left.filter(counts_in_quota);
  QuotaBook::Row most;
  Resources offer = guaranteed_part(counted, most);
  QuotaBook::Row rest = bounds_.guaranteed;
  for (size_t i = 0; i < rest.size(); ++i) rest[i] = std::min(rest[i], bounds_.limit[i]);
  if (offer.empty()) return offer;
  // `most` is what of the guarantee was not taken.
  for (size_t i = 0; i < rest.size(); ++i) {
    const int64_t taken = rest[i] - most[i];
    const int64_t limit = bounds_.limit[i] == kUnlimited ? kUnlimited : bounds_.limit[i] - taken;
    rest[i] = std::min(limit, bounds_.surplus[i]);
  }
  const Resources extra = quota_.take(counted - offer, rest, QuotaBook::Unnamed::kKeep);
  const Resources others = left.filter([role](const Resource& item) {
    if (counts_in_quota(item)) return false;
    return !item.is_scalar() || !item.kind->is_reserved() || item.kind->reservation_role() == role;
  });
  offer += extra;
  offer += others;
  return offer;
}

// ---------------------------------------------------------------- the rest

bool DrfAllocator::is_unbounded(const AgentBook& book, uint32_t role) {
  quota_.bounds(quota_node(role), bounds_);
  const auto free = quota_.free(book.handle().index);
  for (size_t name = 0; name < free.size(); ++name) {
    if (free[name] <= bounds_.all(name)) continue;
    note_exhausted(role);
    return false;
  }
  return true;
}

// Limits leave less and less during a round.
void DrfAllocator::note_exhausted(uint32_t role) {
  if (is_exhausted(role)) return;
  if (std::ranges::any_of(bounds_.limit, [](int64_t milli) { return milli > 0; })) return;
  if (role >= exhausted_.size()) exhausted_.resize(role + 1, false);
  exhausted_[role] = true;
  ++exhausted_count_;
}

void DrfAllocator::find_capabilities() {
  if (!quota_.is_kept()) return;
  any_framework_ = {};
  for (uint32_t index = 0; index < clients_.frameworks_capacity(); ++index) {
    const Clients::Framework* framework = clients_.at(index);
    if (framework == nullptr) continue;
    any_framework_.revocable_resources |= framework->revocable_resources;
    any_framework_.shared_resources |= framework->shared_resources;
    any_framework_.reservation_refinement |= framework->reservation_refinement;
  }
}

Resources DrfAllocator::usable_by_any(const AgentBook& book) const {
  return book.is_plain() ? book.available() : usable(any_framework_, book.available());
}

bool DrfAllocator::is_only_counted(const AgentBook& book) const {
  if (clients_.any_minimum()) return false;
  const Resources rest = usable_by_any(book).filter([this](const Resource& item) {
    return !counts_in_quota(item) || quota_.name_index(item.name()) == QuotaBook::kNone;
  });
  return !holds_any(rest, options_.min_allocatable);
}

void DrfAllocator::hold_back(AgentBook& book) {
  if (book.held_back) return;
  book.held_back = true;
  held_.push_back(book.handle().index);
}

bool DrfAllocator::is_held_back(AgentBook& book) {
  if (clients_.any_minimum()) return false;
  quota_.bounds(QuotaBook::kNone, bounds_);
  const auto free = quota_.free(book.handle().index);
  bool fits = true;
  for (size_t name = 0; name < free.size(); ++name) {
    fits = fits && free[name] <= bounds_.surplus[name];
  }
  if (fits) return false;
  const Resources left = usable_by_any(book);
  const Resources counted = left.filter(counts_in_quota);
  Resources most = quota_.take(counted, bounds_.surplus, QuotaBook::Unnamed::kKeep);
  most += left - counted;
  if (holds_any(most, options_.min_allocatable)) return false;
  hold_back(book);
  return true;
}

Resources DrfAllocator::bounded_offer(AgentBook& book, uint32_t role, Resources offer) {
  quota_.bounds(quota_node(role), bounds_);
  quota_.measure(offer, row_);
  QuotaBook::Row most(row_.size());
  bool fits = true;
  for (size_t name = 0; name < most.size(); ++name) {
    most[name] = bounds_.all(name);
    fits = fits && row_[name] <= most[name];
  }
  if (fits) return offer;
  hold_back(book);
  const Resources counted = offer.filter(counts_in_quota);
  offer -= counted;
  return offer + quota_.take(counted, most, QuotaBook::Unnamed::kKeep);
}

}  // namespace tepui
