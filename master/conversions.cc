#include "master/conversions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/loans.h"
#include "master/agents.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"

namespace tepui::master {

namespace {

using Column = Books::Column;

Action action_of(Operation::Type type) {
  switch (type) {
    case Operation::Type::kReserve:
      return Action::kReserve;
    case Operation::Type::kUnreserve:
      return Action::kUnreserve;
    case Operation::Type::kCreate:
      return Action::kCreateVolume;
    case Operation::Type::kDestroy:
      return Action::kDestroyVolume;
    case Operation::Type::kGrowVolume:
    case Operation::Type::kShrinkVolume:
      return Action::kResizeVolume;
  }
  return Action::kReserve;
}

Result<void> authorize(State& s, std::string_view principal, const Operation& operation) {
  for (const Resource& item : operation.resources.items()) {
    const std::string_view role = item.kind->reservation_role();
    if (s.authorizer.authorize(principal, action_of(operation.type), role)) continue;
    return fail(
        fmt::format("'{}' may not {} for role '{}'", principal, to_text(operation.type), role));
  }
  return {};
}

// Books, allocator, info. `framework` null: what is converted is free.
Result<void> commit(State& s, AgentEntry& agent, const FrameworkEntry* framework,
                    std::string_view role, const Conversion& conversion) {
  const Column column = framework == nullptr ? Column::kFree : Column::kOffered;
  if (!convert_resources(s, agent, column, conversion)) {
    return fail("the agent has just been isolated");
  }
  agent.info.resources = agent.books.total();
  const Result<void> converted =
      framework == nullptr
          ? s.allocator.convert_available(agent.handle, conversion.from, conversion.to)
          : s.allocator.convert_allocated(framework->handle, agent.handle, role, conversion.from,
                                          conversion.to);
  if (!stays_sound(s, agent, converted)) return fail("the agent has just been isolated");
  s.emit(event::AgentUpdated{.info = &agent.info});
  return {};
}

bool shares_any(const Resources& resources, const Resources& with) {
  return std::ranges::any_of(resources.items(), [&with](const Resource& item) {
    return std::ranges::any_of(
        with.items(), [&item](const Resource& other) { return *item.kind == *other.kind; });
  });
}

template <class Is>
void rescind_offers_that(State& s, AgentEntry& agent, Is is) {
  const std::vector<OfferEntry*> offers = agent.offers;
  for (OfferEntry* offer : offers) {
    if (is(*offer)) end_offer(s, *offer, event::OfferEnd::kRescinded, std::nullopt);
  }
}

// A shared volume that goes must not be on offer anywhere.
void withdraw_shared(State& s, AgentEntry& agent, const Operation& operation) {
  if (operation.type != Operation::Type::kDestroy) return;
  const Resources shared =
      operation.resources.filter([](const Resource& item) { return item.kind->shared; });
  if (shared.empty()) return;
  rescind_offers_that(
      s, agent, [&shared](const OfferEntry& offer) { return shares_any(offer.resources, shared); });
}

Result<Conversion> check_offered(State& s, const FrameworkEntry& framework, const Pool& pool,
                                 const Operation& operation) {
  AgentEntry& agent = *pool.agent;
  if (!agent.is_offerable()) return fail("the agent is not connected");
  if (!operation.id.empty() && framework.operations.contains(operation.id)) {
    return fail(fmt::format("operation id '{}' is in use", operation.id.value));
  }
  if (agent.operations.size() >= limits::kAgentOperationsMax) {
    return fail(fmt::format("{} operations of this agent are not acknowledged yet",
                            agent.operations.size()));
  }
  const FrameworkInfo& info = framework.info;
  TRY(authorize(s, info.principal, operation));
  TRY(validate(operation,
               {.principal = info.principal,
                .role = pool.role,
                .reservation_refinement = info.has(FrameworkCapability::kReservationRefinement),
                .shared_resources = info.has(FrameworkCapability::kSharedResources),
                .total = agent.info.resources,
                .used = agent.books.column(Column::kAllocated)}));
  Conversion conversion = TRY(convert(operation));
  if (!pool.remaining.contains(conversion.from)) {
    return fail(fmt::format("the operation needs {}, more than the {} that are left of the offers",
                            to_text(conversion.from), to_text(pool.remaining)));
  }
  return conversion;
}

}  // namespace

void convert_offered(State& s, FrameworkEntry& framework, Pool& pool, const Operation& operation) {
  const Result<Conversion> conversion = check_offered(s, framework, pool, operation);
  if (!conversion) return refuse_operation(s, framework, operation, conversion.error().message);
  AgentEntry& agent = *pool.agent;
  withdraw_shared(s, agent, operation);
  const Result<void> committed = commit(s, agent, &framework, pool.role, *conversion);
  if (!committed) return refuse_operation(s, framework, operation, committed.error().message);
  pool.remaining -= conversion->from;
  const bool is_resized = operation.type == Operation::Type::kGrowVolume ||
                          operation.type == Operation::Type::kShrinkVolume;
  (is_resized ? pool.withheld : pool.remaining) += conversion->to;
  begin_operation(s, agent, &framework, operation);
}

Result<void> operate(State& s, AgentEntry& agent, const Operation& operation,
                     std::string_view principal) {
  // An operator prepares what is drained or deactivated, too.
  if (!agent.is_operable()) {
    return fail(fmt::format("agent '{}' is {}", agent.info.id.value,
                            agent.broken ? "isolated until it registers again: its books did not "
                                           "balance"
                                         : "not connected: try again when it is back"));
  }
  if (agent.operations.size() >= limits::kAgentOperationsMax) {
    return fail(fmt::format("{} operations of agent '{}' are not acknowledged yet, try again later",
                            agent.operations.size(), agent.info.id.value));
  }
  if (!operation.id.empty()) return fail("an operator's operation has no id");
  TRY(authorize(s, principal, operation));
  TRY(validate(operation, {.principal = principal,
                           .role = {},
                           .total = agent.info.resources,
                           .used = agent.books.column(Column::kAllocated)}));
  const Conversion conversion = TRY(convert(operation));
  const Resources in_use = agent.books.column(Column::kAllocated);
  if (!agent.info.resources.minus(in_use).contains(conversion.from)) {
    return fail(fmt::format("of {} some is in use by tasks: {}", to_text(conversion.from),
                            to_text(in_use)));
  }
  withdraw_shared(s, agent, operation);
  while (!agent.offers.empty() && !agent.books.column(Column::kFree).contains(conversion.from)) {
    end_offer(s, *agent.offers.back(), event::OfferEnd::kRescinded, std::nullopt);
  }
  TRY(commit(s, agent, nullptr, {}, conversion));
  begin_operation(s, agent, nullptr, operation);
  return {};
}

void on_update_agent(State& s, AgentEntry& agent, const UpdateAgent& message) {
  const bool is_mixed = message.revocable.non_revocable() != Resources{};
  const bool is_in_reach = agent.is_connected() && agent.in_allocator && !agent.broken;
  if (is_mixed || !is_in_reach) {
    s.emit(event::MessageDropped{
        .name = "update_agent",
        .why = is_mixed ? "not all of it is revocable" : "the agent is not in reach"});
    return;
  }
  if (message.revocable == own_total(agent).revocable()) return;
  rescind_revocable_offers_of(s, agent);
  // What tasks hold they keep, even if it is more than the agent has now; loans are repaid first.
  const Resources held = agent.books.column(Column::kAllocated).revocable();
  const Resources lent = common_part(agent.lent, held.minus(message.revocable));
  const Conversion change{.from = agent.books.column(Column::kFree).revocable(),
                          .to = message.revocable.minus(held) + as_regular(agent.lent.minus(lent))};
  if (!convert_resources(s, agent, Column::kFree, change)) return;
  agent.lent = lent;
  agent.excess = held.minus(message.revocable + lent);
  agent.info.resources = agent.books.total();
  s.allocator.update_agent(agent.handle, shape_of(agent));
  s.emit(event::AgentUpdated{.info = &agent.info});
}

}  // namespace tepui::master
