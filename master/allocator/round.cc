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
  return clients_.any_listed() && (!candidates_.empty() || filters_.any_overdue());
}

// Agents that nobody wanted as they are would only be refused again; what is shared, however, is
// offered anew by each round that the timer asks for.
void DrfAllocator::request_full_round() {
  for (const uint32_t agent : shared_agents_) candidates_.touch(agent);
}

void DrfAllocator::begin_round(Now now) {
  on_time(now);
  ++stats_.rounds;
  in_round_ = true;
  next_ = 0;
  candidates_.take(Candidates::round_key(seed_, stats_.rounds), order_);
  if (!clients_.any_listed()) order_.clear();
}

Allocator::Step DrfAllocator::step(Now now, uint32_t agents_max, std::vector<Grant>& grants) {
  CHECK(agents_max > 0);
  if (!in_round_) {
    if (is_paused()) return Step::kDone;
    begin_round(now);
  }
  for (uint32_t visited = 0; next_ < order_.size(); ++visited) {
    if (visited == agents_max) return Step::kMore;
    prefetch();
    visit(order_[next_++], grants);
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

void DrfAllocator::visit(uint32_t agent, std::vector<Grant>& grants) {
  AgentBook& book = books_[agent];
  if (!candidates_.is_free(agent) || book.since_round == stats_.rounds) return;
  ++stats_.agents_visited;
  Resources shared_offered;
  const size_t before = grants.size();
  clients_.begin_roles();
  for (uint32_t role = clients_.next_role(); role != Clients::kNone; role = clients_.next_role()) {
    if (book.available().empty()) break;
    if (book.is_plain()) {
      visit_plain(book, role, grants);
    } else {
      visit_mixed(book, role, shared_offered, grants);
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

void DrfAllocator::visit_mixed(AgentBook& book, uint32_t role, Resources& shared_offered,
                               std::vector<Grant>& grants) {
  const std::string& name = clients_.role(role).name;
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    const Resources left = book.available().allocatable_to(name).minus(shared_offered);
    if (left.empty()) return;
    const Clients::Framework& framework = *clients_.at(index);
    if (!is_capable(framework, book) || !is_wanted(index, role, book)) continue;
    Resources offer = usable(framework, left);
    if (!is_worth_offering(index, role, offer) || is_refused(book, index, role, offer)) continue;
    shared_offered += offer.filter([](const Resource& item) { return item.kind->shared; });
    const bool is_new = book.find(index, role) == nullptr;
    book.allocate(index, role, offer);
    demand_.measure(offer, book.handle().index, totals_);
    book_grant(book, index, role, is_new, std::move(offer), grants);
  }
}

void DrfAllocator::book_grant(AgentBook& book, uint32_t framework, uint32_t role, bool is_new,
                              Resources resources, std::vector<Grant>& grants) {
  clients_.allocated(framework, role, demand_, is_new);
  ++stats_.grants;
  if (book.maintenance) inverse_.touch(book.handle().index);
  grants.push_back({.framework = clients_.at(framework)->handle,
                    .agent = book.handle(),
                    .role = clients_.role(role).name,
                    .resources = std::move(resources)});
}

}  // namespace tepui
