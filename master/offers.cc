#include "master/offers.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/offer_constraints.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/maintenance.h"
#include "master/outbox.h"

namespace tepui::master {

namespace {

using Column = Books::Column;

constexpr int kCounterBits = 40;

void give_back(State& s, AgentEntry* agent, const Grant& grant) {
  s.allocator.recover(s.now, grant.framework, grant.agent, grant.role, grant.resources,
                      std::nullopt);
  if (agent != nullptr) settle_loan(s, *agent);
}

void make_offer(State& s, const Grant& grant) {
  const auto* framework_slot = s.frameworks.find(grant.framework);
  const auto* agent_slot = s.agents.find(grant.agent);
  if (agent_slot == nullptr) return give_back(s, nullptr, grant);
  AgentEntry& agent = **agent_slot;
  if (framework_slot == nullptr) return give_back(s, &agent, grant);
  FrameworkEntry& framework = **framework_slot;
  if (!framework.is_connected() || framework.congested || !agent.is_offerable()) {
    return give_back(s, &agent, grant);
  }
  settle_loan(s, agent);
  if (!move_resources(s, agent, Column::kFree, Column::kOffered, grant.resources)) return;

  const OfferId id = next_offer_id(s);
  OfferEntry& offer = s.offers[id];
  offer.id = id;
  offer.framework = &framework;
  offer.agent = &agent;
  offer.role = std::string(grant.role);
  offer.resources = grant.resources;
  link(framework.offers, offer, &OfferEntry::at_framework);
  link(agent.offers, offer, &OfferEntry::at_agent);
  if (s.config.tunables.offer_timeout > Duration::zero()) {
    offer.expiry = s.deadlines.arm(later(s.now.mono, s.config.tunables.offer_timeout),
                                   {.kind = Due::Kind::kOffer, .object = id.value});
  }
  s.emit(event::OfferMade{.id = id,
                          .framework_id = &framework.info.id,
                          .agent_id = &agent.info.id,
                          .role = offer.role,
                          .resources = &offer.resources});
  queue_offer(s, offer);
  ++s.round_offers;
}

bool is_round_due(const State& s) {
  return s.round_started == Instant::min() ||
         s.now.mono >= later(s.round_started, s.config.tunables.allocation_gap);
}

}  // namespace

OfferId next_offer_id(State& s) { return OfferId{(s.epoch << kCounterBits) | s.next_offer++}; }

bool run_allocation(State& s) {
  if (s.now.mono >= s.full_round_at) {
    s.full_round_at = later(s.now.mono, s.config.tunables.allocation_interval);
    s.allocator.request_full_round();
  }
  if (!s.round_running) {
    if (!s.allocator.wants_round() || !is_round_due(s)) return false;
    s.round_running = true;
    s.round_started = s.now.mono;
    s.round_visited_before = s.allocator.stats().agents_visited;
    s.round_offers = 0;
  }
  s.grants.clear();
  const Allocator::Step step =
      s.allocator.step(s.now, s.config.tunables.allocation_slice_agents, s.grants);
  for (const Grant& grant : s.grants) make_offer(s, grant);
  s.grants.clear();
  if (step == Allocator::Step::kMore) return true;
  s.round_running = false;
  recall_loans(s);
  make_inverse_offers(s);
  const AllocatorStats& stats = s.allocator.stats();
  s.emit(event::AllocationRan{
      .round = stats.rounds,
      .agents = static_cast<uint32_t>(stats.agents_visited - s.round_visited_before),
      .offers = s.round_offers});
  return false;
}

Instant next_allocation(const State& s) {
  const Instant by_filters = std::min(s.full_round_at, s.allocator.next_deadline());
  if (!s.allocator.wants_round()) return by_filters;
  return std::min(by_filters, s.round_started == Instant::min()
                                  ? s.now.mono
                                  : later(s.round_started, s.config.tunables.allocation_gap));
}

std::optional<Duration> refusal(const Filters& filters) {
  const Duration wanted = filters.refuse.value_or(limits::kFilterDefault);
  if (wanted < Duration::zero()) return limits::kFilterDefault;
  return std::min(wanted, Duration(limits::kFilterMax));
}

void take_offer(State& s, OfferEntry& offer, event::OfferEnd how) {
  s.deadlines.cancel(offer.expiry);
  unlink(offer.framework->offers, offer, &OfferEntry::at_framework);
  unlink(offer.agent->offers, offer, &OfferEntry::at_agent);
  s.emit(event::OfferEnded{.id = offer.id, .how = how});
  s.offers.erase(offer.id);
}

void end_offer(State& s, OfferEntry& offer, event::OfferEnd how, std::optional<Duration> refuse) {
  move_resources(s, *offer.agent, Column::kOffered, Column::kFree, offer.resources);
  recover(s, *offer.agent, offer.framework->handle, offer.role, offer.resources, refuse);
  const bool is_withdrawn = how == event::OfferEnd::kRescinded || how == event::OfferEnd::kTimedOut;
  if (is_withdrawn && offer.sent) queue_rescind(s, *offer.framework, offer.id);
  take_offer(s, offer, how);
}

void rescind_offers_of(State& s, AgentEntry& agent) {
  while (!agent.offers.empty()) {
    end_offer(s, *agent.offers.back(), event::OfferEnd::kRescinded, std::nullopt);
  }
}

void rescind_revocable_offers_of(State& s, AgentEntry& agent) {
  const std::vector<OfferEntry*> offers = agent.offers;
  for (OfferEntry* offer : offers) {
    if (offer->resources.revocable().empty()) continue;
    end_offer(s, *offer, event::OfferEnd::kRescinded, std::nullopt);
  }
}

void discard_offers_of(State& s, FrameworkEntry& framework) {
  while (!framework.offers.empty()) {
    end_offer(s, *framework.offers.back(), event::OfferEnd::kDiscarded, std::nullopt);
  }
  forget_inverse_offers_of(s, framework);
}

void on_offer_expired(State& s, OfferId id) {
  OfferEntry* offer = find_offer(s, id);
  if (offer != nullptr) end_offer(s, *offer, event::OfferEnd::kTimedOut, std::nullopt);
}

void on_decline(State& s, FrameworkEntry& framework, const Decline& decline) {
  const std::optional<Duration> refuse = refusal(decline.filters);
  for (const OfferId id : decline.offers) {
    OfferEntry* offer = find_offer(s, id);
    if (offer == nullptr || offer->framework != &framework) {
      s.emit(event::MessageDropped{.name = "decline", .why = "the offer is no longer valid"});
      continue;
    }
    end_offer(s, *offer, event::OfferEnd::kDeclined, refuse);
  }
}

namespace {

class AgentsWanted final : public AgentFilter {
 public:
  explicit AgentsWanted(ConstraintFilter filter) : filter_(std::move(filter)) {}
  bool allows(const AgentTraits& agent) const override {
    return filter_.allows({.hostname = agent.hostname,
                           .region = agent.region,
                           .zone = agent.zone,
                           .attributes = agent.attributes});
  }

 private:
  const ConstraintFilter filter_;
};

std::map<std::string, std::shared_ptr<const AgentFilter>> filters_of(const FrameworkInfo& info) {
  std::map<std::string, std::shared_ptr<const AgentFilter>> filters;
  for (const RoleConstraints& constraints : info.offer_constraints) {
    auto filter = ConstraintFilter::create(constraints.groups);
    CHECK(filter.has_value());  // validate() has compiled them before
    filters.emplace(constraints.role, std::make_shared<const AgentsWanted>(*std::move(filter)));
  }
  return filters;
}

std::map<std::string, std::vector<Quantities>> minimums_of(const FrameworkInfo& info) {
  std::map<std::string, std::vector<Quantities>> minimums;
  for (const RoleMinimum& minimum : info.min_allocatable) {
    minimums.emplace(minimum.role, minimum.sets);
  }
  return minimums;
}

}  // namespace

FrameworkShape shape_of(const FrameworkEntry& framework) {
  const FrameworkInfo& info = framework.info;
  return {.roles = info.roles,
          .suppressed = framework.congested ? info.roles : info.suppressed_roles,
          .revocable_resources = info.has(FrameworkCapability::kRevocableResources),
          .gpu_resources = info.has(FrameworkCapability::kGpuResources),
          .shared_resources = info.has(FrameworkCapability::kSharedResources),
          .reservation_refinement = info.has(FrameworkCapability::kReservationRefinement),
          .region_aware = info.has(FrameworkCapability::kRegionAware),
          .min_allocatable = minimums_of(info),
          .constraints = filters_of(info)};
}

void on_congestion(State& s, FrameworkEntry& framework, bool congested) {
  if (framework.congested == congested) return;
  framework.congested = congested;
  s.allocator.update_framework(framework.handle, shape_of(framework));
  if (!congested) return;
  // What has not left yet would only lengthen the queue.
  for (const OfferId id : std::exchange(framework.new_offers, {})) {
    OfferEntry* offer = find_offer(s, id);
    if (offer != nullptr) end_offer(s, *offer, event::OfferEnd::kDiscarded, std::nullopt);
  }
}

}  // namespace tepui::master
