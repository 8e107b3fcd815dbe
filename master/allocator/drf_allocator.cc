#include "master/allocator/drf_allocator.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

DrfAllocator::DrfAllocator(AllocatorOptions options, uint64_t seed)
    : options_(std::move(options)),
      seed_(seed),
      totals_(options_.fairness_excluded),
      clients_(totals_) {}

// ---------------------------------------------------------------- agents

AgentBook* DrfAllocator::find(AgentHandle agent) {
  if (agent.index >= books_.size() || books_[agent.index].handle() != agent) return nullptr;
  return &books_[agent.index];
}

void DrfAllocator::count_total(AgentBook& book) {
  demand_.measure(book.total(), book.handle().index, totals_);
  for (const SharedAmount& shared : demand_.shared) demand_.amounts[shared.name] += shared.milli;
  book.total_amounts = demand_.amounts;
  totals_.add(book.total_amounts);
}

void DrfAllocator::uncount_total(AgentBook& book) {
  totals_.subtract(book.total_amounts);
  book.total_amounts.clear();
}

// A name that no agent has and of which nothing is allocated can be forgotten.
void DrfAllocator::release_names() {
  for (uint32_t name = 0; name < totals_.size(); ++name) {
    if (totals_.total(name) == 0 && !clients_.allocates(name)) totals_.release(name);
  }
}

void DrfAllocator::add_agent(AgentHandle agent, AgentShape shape) {
  CHECK(!agent.is_null());
  if (agent.index >= books_.size()) books_.resize(agent.index + 1);
  AgentBook& book = books_[agent.index];
  CHECK(book.handle().is_null());
  book = AgentBook(agent, std::move(shape));
  book.since_round = stats_.rounds;
  if (book.has_shared()) shared_agents_.insert(agent.index);
  count_total(book);
  on_agent_changed(agent.index);
}

void DrfAllocator::update_agent(AgentHandle agent, AgentShape shape) {
  AgentBook* book = find(agent);
  if (book == nullptr) return;
  const bool same_total = book->total() == shape.total;
  book->set_shape(std::move(shape));
  if (!same_total) {
    uncount_total(*book);
    count_total(*book);
    release_names();
    shared_agents_.erase(agent.index);
    if (book->has_shared()) shared_agents_.insert(agent.index);
  }
  on_agent_changed(agent.index);
}

void DrfAllocator::remove_agent(AgentHandle agent) {
  AgentBook* book = find(agent);
  if (book == nullptr) return;
  while (!book->allocations().empty()) {
    const AgentBook::Allocation last = book->allocations().back();
    give_back(*book, last.framework, last.role, Resources(book->resources_of(last)));
  }
  filters_.remove_agent(agent.index);
  candidates_.set_free(agent.index, false);
  shared_agents_.erase(agent.index);
  uncount_total(*book);
  *book = AgentBook();
  release_names();
}

void DrfAllocator::set_agent_active(AgentHandle agent, bool active) {
  AgentBook* book = find(agent);
  if (book == nullptr || book->active == active) return;
  book->active = active;
  on_agent_changed(agent.index);
}

bool DrfAllocator::is_worth_offering(const Resources& resources) const {
  if (resources.empty()) return false;
  if (options_.min_allocatable.empty()) return true;
  return std::ranges::any_of(options_.min_allocatable, [&](const Quantities& minimum) {
    return std::ranges::all_of(minimum.items(), [&](const Quantities::Item& item) {
      return resources.total_milli(item.name) >= item.milli;
    });
  });
}

bool DrfAllocator::is_offerable(const AgentBook& book) const {
  return book.active && is_worth_offering(book.available());
}

void DrfAllocator::update_free(uint32_t agent) {
  candidates_.set_free(agent, is_offerable(books_[agent]));
}

void DrfAllocator::on_agent_changed(uint32_t agent) {
  update_free(agent);
  candidates_.touch(agent);
}

// ---------------------------------------------------------------- frameworks

void DrfAllocator::add_framework(FrameworkHandle framework, FrameworkShape shape) {
  if (clients_.add(framework, shape)) candidates_.touch_all();
}

void DrfAllocator::update_framework(FrameworkHandle framework, FrameworkShape shape) {
  if (clients_.find(framework) == nullptr) return;
  std::vector<uint32_t> left;
  if (clients_.update(framework, shape, left)) candidates_.touch_all();
  for (const uint32_t role : left) {
    filters_.remove_client({.framework = framework.index, .role = role});
  }
}

void DrfAllocator::remove_framework(FrameworkHandle framework) {
  Clients::Framework* known = clients_.find(framework);
  if (known == nullptr) return;
  set_framework_active(framework, false);
  const bool holds = std::ranges::any_of(
      known->members, [](const Clients::Member& member) { return member.allocations > 0; });
  for (uint32_t agent = 0; holds && agent < books_.size(); ++agent) {
    AgentBook& book = books_[agent];
    for (size_t i = book.allocations().size(); i-- > 0;) {
      const AgentBook::Allocation allocation = book.allocations()[i];
      if (allocation.framework != framework.index) continue;
      give_back(book, allocation.framework, allocation.role,
                Resources(book.resources_of(allocation)));
      on_agent_changed(agent);
    }
  }
  clients_.remove(framework);
}

void DrfAllocator::set_framework_active(FrameworkHandle framework, bool active) {
  Clients::Framework* known = clients_.find(framework);
  if (known == nullptr || known->active == active) return;
  if (clients_.set_active(*known, active)) candidates_.touch_all();
  if (active) return;
  for (const Clients::Member& member : known->members) {
    filters_.remove_client({.framework = framework.index, .role = member.role});
  }
}

void DrfAllocator::suppress(FrameworkHandle framework, std::span<const std::string> roles) {
  Clients::Framework* known = clients_.find(framework);
  if (known == nullptr) return;
  for (Clients::Member& member : known->members) {
    const std::string& name = clients_.role(member.role).name;
    if (!roles.empty() && std::ranges::find(roles, name) == roles.end()) continue;
    clients_.set_suppressed(*known, member, true);
  }
}

void DrfAllocator::revive(FrameworkHandle framework, std::span<const std::string> roles) {
  Clients::Framework* known = clients_.find(framework);
  if (known == nullptr) return;
  for (Clients::Member& member : known->members) {
    const std::string& name = clients_.role(member.role).name;
    if (!roles.empty() && std::ranges::find(roles, name) == roles.end()) continue;
    const bool refused =
        filters_.remove_client({.framework = framework.index, .role = member.role});
    if (clients_.set_suppressed(*known, member, false) || refused) candidates_.touch_all();
  }
}

void DrfAllocator::set_weight(std::string_view role, int64_t weight_milli) {
  clients_.set_weight(role, weight_milli);
}

// ---------------------------------------------------------------- allocations

void DrfAllocator::allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                            const Resources& resources) {
  Clients::Framework* holder = clients_.find(framework);
  AgentBook* book = find(agent);
  if (holder == nullptr || book == nullptr || resources.empty()) return;
  const uint32_t index = clients_.hold(*holder, role).role;
  const bool is_new = book->find(framework.index, index) == nullptr;
  book->allocate(framework.index, index, resources);
  demand_.measure(resources, agent.index, totals_);
  clients_.allocated(framework.index, index, demand_, is_new);
  update_free(agent.index);
}

void DrfAllocator::give_back(AgentBook& book, uint32_t framework, uint32_t role,
                             const Resources& resources) {
  demand_.measure(resources, book.handle().index, totals_);
  book.give_back(framework, role, resources);
  clients_.unallocated(framework, role, demand_, book.find(framework, role) == nullptr);
}

void DrfAllocator::recover(Now now, FrameworkHandle framework, AgentHandle agent,
                           std::string_view role, const Resources& resources,
                           std::optional<Duration> refuse) {
  Clients::Framework* holder = clients_.find(framework);
  AgentBook* book = find(agent);
  if (holder == nullptr || book == nullptr) return;
  const Clients::Member* member = clients_.member(*holder, role);
  if (member == nullptr) return;
  const uint32_t index = member->role;
  const AgentBook::Allocation* allocation = book->find(framework.index, index);
  if (allocation == nullptr) return;
  if (!book->resources_of(*allocation).contains(resources)) {
    // More than was allocated: only what was can come back.
    return recover(now, framework, agent, role, book->held(*allocation, resources), refuse);
  }
  if (resources.empty()) return;
  if (refuse && *refuse > Duration{} && holder->active && member->subscribed) {
    filters_.add(agent.index, {.framework = framework.index, .role = index}, resources,
                 later(now.mono, *refuse), stats_.rounds);
  }
  give_back(*book, framework.index, index, resources);
  on_agent_changed(agent.index);
}

void DrfAllocator::expire_filters(Now now) {
  expired_.clear();
  filters_.expire(now.mono, last_round_done(), expired_);
  for (const uint32_t agent : expired_) candidates_.touch(agent);
}

// ---------------------------------------------------------------- rounds

bool DrfAllocator::wants_round() const {
  if (in_round_) return true;
  return clients_.any_listed() && (!candidates_.empty() || filters_.any_overdue());
}

// Agents that nobody wanted as they are would only be refused again; what is shared, however, is
// offered anew by each round that the timer asks for.
void DrfAllocator::request_full_round() {
  for (const uint32_t agent : shared_agents_) candidates_.touch(agent);
}

void DrfAllocator::begin_round(Now now) {
  expire_filters(now);
  ++stats_.rounds;
  in_round_ = true;
  next_ = 0;
  candidates_.take(Candidates::round_key(seed_, stats_.rounds), order_);
  if (!clients_.any_listed()) order_.clear();
}

Allocator::Step DrfAllocator::step(Now now, uint32_t agents_max, std::vector<Grant>& grants) {
  CHECK(agents_max > 0);
  if (!in_round_) begin_round(now);
  for (uint32_t visited = 0; next_ < order_.size(); ++visited) {
    if (visited == agents_max) return Step::kMore;
    prefetch();
    visit(order_[next_++], grants);
  }
  in_round_ = false;
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
  const bool for_all = !needs_gpu_capability(book) && !is_foreign(book);
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    if (!for_all && !is_capable(*clients_.at(index), book)) continue;
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
    if (!is_worth_offering(left) || !is_capable(framework, book)) continue;
    Resources offer = left.filter([&framework](const Resource& item) {
      return (framework.shared_resources || !item.kind->shared) &&
             (framework.revocable_resources || !item.kind->revocable) &&
             (framework.reservation_refinement || item.kind->reservations.size() <= 1);
    });
    if (!is_worth_offering(offer) || is_refused(book, index, role, offer)) continue;
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
  grants.push_back({.framework = clients_.at(framework)->handle,
                    .agent = book.handle(),
                    .role = clients_.role(role).name,
                    .resources = std::move(resources)});
}

}  // namespace tepui
