// The audit of DrfAllocator: all sums from scratch, against what is kept.

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <utility>

#include "common/loans.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

namespace {

using MemberKey = std::pair<uint32_t, uint32_t>;  // framework, role

// What one member holds on all agents; what is shared on one agent counts once.
struct Held {
  std::map<std::string, int64_t, std::less<>> milli;
  std::map<std::tuple<uint32_t, ResourceKind, int64_t>, uint32_t> shared;
  uint32_t agents = 0;

  void add(uint32_t agent, const Resources& resources) {
    ++agents;
    for (const Resource& item : resources.items()) {
      if (!item.is_scalar()) continue;
      if (item.kind->shared) {
        if (shared[{agent, *item.kind, item.scalar_milli()}]++ > 0) continue;
      }
      milli[std::string(item.name())] += item.scalar_milli();
    }
  }
};

}  // namespace

Result<void> DrfAllocator::audit() const {
  std::map<std::string, int64_t, std::less<>> totals;
  std::map<MemberKey, Held> held;
  for (uint32_t agent = 0; agent < books_.size(); ++agent) {
    const AgentBook& book = books_[agent];
    if (book.handle().is_null()) continue;
    bool over_allocated = false;
    const Resources available = book.compute_available(over_allocated);
    if (available != book.available() || over_allocated != book.is_over_allocated() ||
        book.is_whole() != book.allocations().empty()) {
      return fail(fmt::format("agent {} has {} left, but its allocations leave {}", agent,
                              to_text(book.available()), to_text(available)));
    }
    if (!common_part(book.lent(), available).empty()) {
      return fail(fmt::format("agent {} has {} lent and {} left", agent, to_text(book.lent()),
                              to_text(available)));
    }
    if (lenders_.contains(agent) == book.recallable().empty() ||
        lent_agents_.contains(agent) == book.lent().empty()) {
      return fail(fmt::format("agent {} has {} to recall and is {} as a lender", agent,
                              to_text(book.recallable()),
                              lenders_.contains(agent) ? "listed" : "not listed"));
    }
    if (candidates_.is_free(agent) != is_offerable(book)) {
      return fail(fmt::format("agent {} with {} left is {} as free", agent, to_text(available),
                              candidates_.is_free(agent) ? "listed" : "not listed"));
    }
    for (const Resource& item : book.total().items()) {
      if (item.is_scalar()) totals[std::string(item.name())] += item.scalar_milli();
    }
    for (const AgentBook::Allocation& allocation : book.allocations()) {
      const Resources& resources = book.resources_of(allocation);
      if (resources.empty()) return fail(fmt::format("agent {} has an empty allocation", agent));
      held[{allocation.framework, allocation.role}].add(agent, resources);
    }
  }
  for (uint32_t name = 0; name < totals_.size(); ++name) {
    const auto found = totals.find(totals_.name(name));
    const int64_t expected = found == totals.end() ? 0 : found->second;
    if (totals_.total(name) == expected) continue;
    return fail(fmt::format("the cluster has {} of {}, but {} is kept", expected,
                            totals_.name(name), totals_.total(name)));
  }
  for (uint32_t index = 0; index < clients_.frameworks_capacity(); ++index) {
    const Clients::Framework* framework = clients_.at(index);
    if (framework == nullptr) continue;
    for (const Clients::Member& member : framework->members) {
      const Held& sums = held[{index, member.role}];
      const auto amounts = clients_.role(member.role).frameworks.amounts(member.client);
      for (uint32_t name = 0; name < amounts.size(); ++name) {
        const auto found = sums.milli.find(totals_.name(name));
        const int64_t expected = found == sums.milli.end() ? 0 : found->second;
        if (amounts[name] == expected) continue;
        return fail(fmt::format("framework {} in role '{}' holds {} of {}, but {} is kept", index,
                                clients_.role(member.role).name, expected, totals_.name(name),
                                amounts[name]));
      }
      if (sums.agents != member.allocations) {
        return fail(fmt::format("framework {} in role '{}' holds something on {} agents, not {}",
                                index, clients_.role(member.role).name, sums.agents,
                                member.allocations));
      }
      held.erase({index, member.role});
    }
  }
  if (!held.empty()) {
    return fail(fmt::format("an allocation belongs to framework {}, which has no such role",
                            held.begin()->first.first));
  }
  TRY(filters_.audit());
  if (quota_.is_kept()) {
    QuotaBook expected = quota_;
    fill(expected);
    TRY(quota_.compare(expected));
  }
  return clients_.audit();
}

}  // namespace tepui
