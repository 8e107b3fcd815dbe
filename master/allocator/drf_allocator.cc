#include "master/allocator/drf_allocator.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/loans.h"

namespace tepui {

bool holds_any(const Resources& resources, const std::vector<Quantities>& alternatives) {
  if (resources.empty()) return false;
  if (alternatives.empty()) return true;
  return std::ranges::any_of(alternatives, [&](const Quantities& minimum) {
    return std::ranges::all_of(minimum.items(), [&](const Quantities::Item& item) {
      return resources.total_milli(item.name) >= item.milli;
    });
  });
}

DrfAllocator::DrfAllocator(AllocatorOptions options, uint64_t seed)
    : options_(std::move(options)),
      seed_(seed),
      totals_(options_.fairness_excluded),
      clients_(totals_, options_),
      returns_(options_.unused_returns_max) {}

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

// After the total changed.
void DrfAllocator::recount_total(AgentBook& book) {
  uncount_total(book);
  count_total(book);
  release_names();
  shared_agents_.erase(book.handle().index);
  if (book.has_shared()) shared_agents_.insert(book.handle().index);
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
  const bool listed = is_whitelisted(shape);
  book = AgentBook(agent, std::move(shape));
  book.since_round = stats_.rounds;
  book.listed = listed;
  ++agents_;
  end_pause_if_enough();
  if (book.has_shared()) shared_agents_.insert(agent.index);
  count_total(book);
  if (quota_.is_kept()) quota_.add_reserved(book.total());
  on_agent_changed(agent.index);
}

void DrfAllocator::update_agent(AgentHandle agent, AgentShape shape) {
  AgentBook* book = find(agent);
  if (book == nullptr) return;
  const bool same_total = book->total() == shape.total;
  book->listed = is_whitelisted(shape);
  if (quota_.is_kept()) quota_.subtract_reserved(book->total());
  // What frameworks refused was another agent.
  if (book->set_shape(std::move(shape))) {
    filters_.remove_agent(agent.index);
    returns_.remove_agent(agent.index);
  }
  if (quota_.is_kept()) quota_.add_reserved(book->total());
  if (!same_total) recount_total(*book);
  book->repay();
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
  returns_.remove_agent(agent.index);
  inverse_.unplan(agent.index);
  --agents_;
  candidates_.set_free(agent.index, false);
  shared_agents_.erase(agent.index);
  uncount_total(*book);
  if (quota_.is_kept()) {
    quota_.subtract_reserved(book->total());
    row_.assign(quota_.names(), 0);
    quota_.set_free(agent.index, row_);
    if (book->has_loan()) quota_.set_lent(agent.index, row_, row_);
  }
  lenders_.erase(agent.index);
  lent_agents_.erase(agent.index);
  loosened_ = true;
  *book = AgentBook();
  release_names();
}

void DrfAllocator::set_agent_active(AgentHandle agent, bool active) {
  AgentBook* book = find(agent);
  if (book == nullptr || book->active == active) return;
  book->active = active;
  on_agent_changed(agent.index);
}

bool DrfAllocator::is_whitelisted(const AgentShape& shape) const {
  return !whitelist_ || whitelist_->contains(shape.hostname);
}

void DrfAllocator::set_whitelist(std::optional<std::set<std::string>> hostnames) {
  whitelist_ = std::move(hostnames);
  for (AgentBook& book : books_) {
    if (book.handle().is_null()) continue;
    const bool listed = !whitelist_ || whitelist_->contains(std::string(book.traits().hostname));
    if (listed == book.listed) continue;
    book.listed = listed;
    on_agent_changed(book.handle().index);
  }
}

bool DrfAllocator::is_offerable(const AgentBook& book) const {
  if (!book.active || !book.listed) return false;
  if (lending_ && !book.recallable().empty()) return true;
  if (book.available().empty()) return false;
  return clients_.any_minimum() || holds_any(book.available(), options_.min_allocatable);
}

void DrfAllocator::update_free(uint32_t agent) {
  if (books_[agent].has_loan()) note_loan(books_[agent]);
  candidates_.set_free(agent, is_offerable(books_[agent]));
  if (quota_.is_kept()) update_quota_free(books_[agent]);
}

void DrfAllocator::update_all_free() {
  for (uint32_t agent = 0; agent < books_.size(); ++agent) {
    if (!books_[agent].handle().is_null()) update_free(agent);
  }
}

void DrfAllocator::on_agent_changed(uint32_t agent) {
  update_free(agent);
  candidates_.touch(agent);
  loosened_ = true;
}

// ---------------------------------------------------------------- frameworks

void DrfAllocator::add_framework(FrameworkHandle framework, FrameworkShape shape) {
  const bool any_minimum = clients_.any_minimum();
  if (clients_.add(framework, shape)) candidates_.touch_all();
  if (clients_.any_minimum() != any_minimum) update_all_free();
}

void DrfAllocator::update_framework(FrameworkHandle framework, FrameworkShape shape) {
  if (clients_.find(framework) == nullptr) return;
  std::vector<uint32_t> left;
  const bool any_minimum = clients_.any_minimum();
  if (clients_.update(framework, shape, left)) candidates_.touch_all();
  if (clients_.any_minimum() != any_minimum) update_all_free();
  for (const uint32_t role : left) {
    filters_.remove_client({.framework = framework.index, .role = role});
    returns_.remove_client({framework.index, role});
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
  const bool any_minimum = clients_.any_minimum();
  clients_.remove(framework);
  if (clients_.any_minimum() != any_minimum) update_all_free();
}

void DrfAllocator::set_framework_active(FrameworkHandle framework, bool active) {
  Clients::Framework* known = clients_.find(framework);
  if (known == nullptr || known->active == active) return;
  if (clients_.set_active(*known, active)) candidates_.touch_all();
  if (active) return inverse_.touch_all();
  inverse_.forget(framework.index);
  for (const Clients::Member& member : known->members) {
    filters_.remove_client({.framework = framework.index, .role = member.role});
    returns_.remove_client({framework.index, member.role});
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
    returns_.remove_client({framework.index, member.role});
    if (clients_.set_suppressed(*known, member, false) || refused) candidates_.touch_all();
  }
  inverse_.clear_refusals(framework.index);
}

void DrfAllocator::set_weight(std::string_view role, int64_t weight_milli) {
  clients_.set_weight(role, weight_milli);
}

void DrfAllocator::set_quota(std::string_view role, const Quota& quota) {
  CHECK(validate(quota).has_value());
  quota_.set(role, quota);
  loosened_ = true;
  if (lending_) candidates_.touch_all();
}

// ---------------------------------------------------------------- allocations

void DrfAllocator::allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                            const Resources& resources) {
  Clients::Framework* holder = clients_.find(framework);
  AgentBook* book = find(agent);
  if (holder == nullptr || book == nullptr || resources.empty()) return;
  const uint32_t index = clients_.hold(*holder, role).role;
  const bool is_new = book->find(framework.index, index) == nullptr;
  const Resources lacking = resources.revocable().minus(book->available());
  if (!lacking.empty()) {
    const Resources loan = common_part(as_revocable(lendable(book->available())), lacking);
    if (!loan.empty()) book->lend(as_regular(loan));
  }
  book->allocate(framework.index, index, resources);
  demand_.measure(resources, agent.index, totals_);
  clients_.allocated(framework.index, index, demand_, is_new);
  consume(index, resources);
  update_free(agent.index);
  loosened_ = true;
  inverse_.touch(agent.index);
}

void DrfAllocator::give_back(AgentBook& book, uint32_t framework, uint32_t role,
                             const Resources& resources) {
  demand_.measure(resources, book.handle().index, totals_);
  release(role, resources);
  book.give_back(framework, role, resources);
  book.repay();
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
  if (refuse && holder->active && member->subscribed) {
    if (*refuse <= Duration{}) {
      const Resources kept = book->resources_of(*allocation) - resources;
      refuse =
          returns_.on_returned(now.mono, {framework.index, index}, agent.index, resources, kept);
    }
    if (*refuse > Duration{}) {
      filters_.add(agent.index, {.framework = framework.index, .role = index}, resources,
                   later(now.mono, *refuse), stats_.rounds);
    }
  }
  give_back(*book, framework.index, index, resources);
  on_agent_changed(agent.index);
}

}  // namespace tepui
