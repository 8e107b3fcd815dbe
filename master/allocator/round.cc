// The rounds of DrfAllocator: who is visited, who gets what.

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

bool DrfAllocator::wants_round() const {
  if (in_round_) return true;
  if (is_paused()) return false;
  if (inverse_.any_due()) return true;
  return clients_.any_listed() &&
         (!candidates_.empty() || filters_.any_overdue() || (loosened_ && !held_.empty()) ||
          (lending_ && loosened_ && !lenders_.empty()) || may_lend_more());
}

// Agents that nobody wanted as they are would only be refused again; what is shared, however, is
// offered anew by each round that the timer asks for.
void DrfAllocator::request_full_round() {
  for (const uint32_t agent : shared_agents_) candidates_.touch(agent);
}

void DrfAllocator::begin_round(Now now) {
  on_time(now);
  // Whoever waited for agents before there was a round need not wait again for a quota set later.
  pause_.reset();
  touch_held();
  touch_unlent();
  ++stats_.rounds;
  in_round_ = true;
  next_ = 0;
  recalled_ = false;
  recalled_agents_.clear();
  lend_next_ = 0;
  shared_offered_.clear();
  candidates_.take(Candidates::round_key(seed_, stats_.rounds), order_);
  if (!clients_.any_listed()) order_.clear();
  first_next_ = 0;
  first_order_.clear();
  needy_count_ = 0;
  if (order_.empty()) return;
  find_capabilities();
  find_needy();
  if (needy_count_ == 0) return;
  first_order_ = order_;
  candidates_.arrange(Candidates::guarantee_key(seed_, stats_.rounds), first_order_);
}

Allocator::Step DrfAllocator::step(Now now, uint32_t agents_max, std::vector<Grant>& grants) {
  CHECK(agents_max > 0);
  if (!in_round_) {
    if (is_paused()) return Step::kDone;
    if (quota_.is_stale()) rebuild_quota();
    begin_round(now);
  } else if (quota_.is_stale()) {
    rebuild_quota();
    find_needy();
  }
  // What happened since the last slice may have changed who is.
  exhausted_.clear();
  exhausted_count_ = 0;
  uint32_t visited = 0;
  for (; needy_count_ > 0 && first_next_ < first_order_.size(); ++visited) {
    if (visited == agents_max) return Step::kMore;
    visit_guaranteed(first_order_[first_next_++], grants);
  }
  for (; next_ < order_.size(); ++visited) {
    if (visited == agents_max) return Step::kMore;
    prefetch();
    visit(order_[next_++], grants);
  }
  if (is_lending()) {
    if (!std::exchange(recalled_, true)) recall();
    for (; any_framework_.revocable_resources && lend_next_ < order_.size(); ++visited) {
      if (visited == agents_max) return Step::kMore;
      lend_from(order_[lend_next_++], grants);
    }
    quota_.lendable(unlent_above_);
  }
  in_round_ = false;
  ask_to_leave();
  expire_filters(now);
  return Step::kDone;
}

// Visits are in random order over memory: what the next ones need is on its way meanwhile.
void DrfAllocator::prefetch() const {
  constexpr size_t kRecordAhead = 12;
  constexpr size_t kContentsAhead = 6;
  if (next_ + kRecordAhead < order_.size()) books_[order_[next_ + kRecordAhead]].prefetch();
  if (next_ + kContentsAhead < order_.size()) {
    books_[order_[next_ + kContentsAhead]].prefetch_contents();
  }
}

void DrfAllocator::draw_for(uint64_t round_key, uint32_t agent) {
  clients_.set_draw(RandomOrder::key_of(round_key, agent));
}

void DrfAllocator::visit(uint32_t agent, std::vector<Grant>& grants) {
  AgentBook& book = books_[agent];
  if (!candidates_.is_free(agent) || book.since_round == stats_.rounds) return;
  ++stats_.agents_visited;
  const bool by_quota = quota_.is_kept();
  const size_t before = grants.size();
  const bool held_back = by_quota && is_held_back(book);
  if (held_back && needy_count_ == 0) return;
  const bool only_counted = by_quota && !held_back && is_only_counted(book);
  if (only_counted && exhausted_count_ == clients_.listed_roles()) return hold_back(book);
  if (clients_.any_random()) draw_for(Candidates::round_key(seed_, stats_.rounds), agent);
  clients_.begin_roles();
  for (uint32_t role = clients_.next_role(); role != Clients::kNone; role = clients_.next_role()) {
    if (book.available().empty()) break;
    // Quota may leave a rest that is not worth offering.
    if (by_quota && grants.size() > before && !is_offerable(book)) break;
    if (held_back && !is_needy(role)) continue;
    if (!book.is_plain() && !book.has_for(clients_.role(role).name)) continue;
    if (only_counted && is_exhausted(role)) {
      hold_back(book);
      continue;
    }
    if (book.is_plain() && (!by_quota || is_unbounded(book, role))) {
      visit_plain(book, role, grants);
    } else {
      visit_mixed(book, role, grants);
    }
  }
  if (grants.size() > before) update_free(agent);
}

bool DrfAllocator::is_capable(const Clients::Framework& framework, const AgentBook& book) const {
  if (needs_gpu_capability(book) && !framework.gpu_resources) return false;
  return !is_foreign(book) || framework.region_aware;
}

bool DrfAllocator::is_wanted(uint32_t framework, uint32_t role, const AgentBook& book) const {
  if (!clients_.at(framework)->has_rules()) return true;
  const AgentFilter* filter = clients_.member(framework, role).filter;
  return filter == nullptr || filter->allows(book.traits());
}

bool DrfAllocator::is_worth_offering(uint32_t framework, uint32_t role,
                                     const Resources& resources) const {
  const std::vector<Quantities>* minimum = nullptr;
  if (clients_.at(framework)->has_rules()) minimum = clients_.member(framework, role).minimum;
  return holds_any(resources, minimum == nullptr ? options_.min_allocatable : *minimum);
}

Resources DrfAllocator::usable(const Clients::Framework& framework, const Resources& left) {
  return left.filter([&framework](const Resource& item) {
    return (framework.shared_resources || !item.kind->shared) &&
           (framework.revocable_resources || !item.kind->revocable) &&
           (framework.reservation_refinement || item.kind->reservations.size() <= 1);
  });
}

bool DrfAllocator::needs_gpu_capability(const AgentBook& book) const {
  return book.has_gpus() && options_.filter_gpu_resources;
}

bool DrfAllocator::is_foreign(const AgentBook& book) const {
  return !book.region().empty() && !options_.region.empty() && book.region() != options_.region;
}

bool DrfAllocator::is_refused(const AgentBook& book, uint32_t framework, uint32_t role,
                              const Resources& offer) const {
  const uint32_t agent = book.handle().index;
  return filters_.any(agent) &&
         filters_.refuses(agent, {.framework = framework, .role = role}, offer);
}

// Everybody could use all that is left, and it is worth offering: the first who did not refuse it
// gets it.
void DrfAllocator::visit_plain(AgentBook& book, uint32_t role, std::vector<Grant>& grants) {
  const bool for_all = !needs_gpu_capability(book) && !is_foreign(book) && !clients_.any_rules();
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    if (!for_all && !(is_capable(*clients_.at(index), book) && is_wanted(index, role, book) &&
                      is_worth_offering(index, role, book.available()))) {
      continue;
    }
    if (is_refused(book, index, role, book.available())) continue;
    const bool is_new = book.find(index, role) == nullptr;
    const bool is_whole = book.is_whole();
    Resources rest = book.allocate_rest(index, role);
    if (is_whole) {
      demand_.amounts = book.total_amounts;
      demand_.shared.clear();
    } else {
      demand_.measure(rest, book.handle().index, totals_);
    }
    book_grant(book, index, role, is_new, std::move(rest), grants);
    return;
  }
}

Resources DrfAllocator::offer_of(const AgentBook& book, const Resources& available,
                                 uint32_t framework, uint32_t role) const {
  const Clients::Framework& known = *clients_.at(framework);
  if (!is_capable(known, book) || !is_wanted(framework, role, book)) return {};
  Resources left;
  if (book.is_plain()) {
    left = available;
  } else {
    left = available.allocatable_to(clients_.role(role).name);
    const auto offered = shared_offered_.find(book.handle().index);
    if (offered != shared_offered_.end()) left = left.minus(offered->second);
    left = usable(known, left);
  }
  return is_worth_offering(framework, role, left) ? left : Resources();
}

void DrfAllocator::visit_mixed(AgentBook& book, uint32_t role, std::vector<Grant>& grants) {
  const bool by_quota = quota_.is_kept();
  if (by_quota && book.is_plain() && !clients_.any_minimum()) {
    // The same for every framework.
    const Resources offer = bounded_offer(book, role, book.available());
    if (!holds_any(offer, options_.min_allocatable)) return;
  }
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    if (book.available().empty()) return;
    Resources offer = offer_for(book, index, role);
    if (by_quota && !offer.empty()) {
      offer = bounded_offer(book, role, std::move(offer));
      if (!is_worth_offering(index, role, offer)) continue;
    }
    if (offer.empty() || is_refused(book, index, role, offer)) continue;
    grant(book, index, role, std::move(offer), grants);
  }
}

void DrfAllocator::grant(AgentBook& book, uint32_t framework, uint32_t role, Resources offer,
                         std::vector<Grant>& grants) {
  const uint32_t agent = book.handle().index;
  if (book.has_shared()) {
    shared_offered_[agent] += offer.filter([](const Resource& item) { return item.kind->shared; });
  }
  const bool is_new = book.find(framework, role) == nullptr;
  book.allocate(framework, role, offer);
  demand_.measure(offer, agent, totals_);
  book_grant(book, framework, role, is_new, std::move(offer), grants);
}

void DrfAllocator::book_grant(AgentBook& book, uint32_t framework, uint32_t role, bool is_new,
                              Resources resources, std::vector<Grant>& grants) {
  clients_.allocated(framework, role, demand_, is_new);
  if (quota_.is_kept()) {
    consume(role, resources);
    update_quota_free(book);
  }
  ++stats_.grants;
  if (book.maintenance) inverse_.touch(book.handle().index);
  grants.push_back({.framework = clients_.at(framework)->handle,
                    .agent = book.handle(),
                    .role = clients_.role(role).name,
                    .resources = std::move(resources)});
}

}  // namespace tepui
