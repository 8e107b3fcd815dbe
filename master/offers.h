#pragma once
// Offers: what the allocator grants becomes one offer per framework, role and agent, and ends
// exactly once: accepted, declined, rescinded, timed out, or discarded because nobody is left to
// answer it.
//
// Invariant: an offer exists only while its framework is connected and its agent is connected and
// sound; its resources are in the offered column of the agent's books.
//
// Pure.

#include <optional>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

// Begins or continues an allocation round if one is wanted and due. True: more slices wait.
bool run_allocation(State& s);
// When the next round may be wanted by time alone.
Instant next_allocation(const State& s);

// Of offers and inverse offers; never used twice, not by another leader either.
OfferId next_offer_id(State& s);

// How long a refusal lasts: absent or negative means the default, zero no filter at all.
std::optional<Duration> refusal(const Filters& filters);

// The resources go back to the agent's free ones. `refuse`: see Allocator::recover.
void end_offer(State& s, OfferEntry& offer, event::OfferEnd how, std::optional<Duration> refuse);
// The offer ends, its resources stay in the offered column: the caller books them.
void take_offer(State& s, OfferEntry& offer, event::OfferEnd how);

void rescind_offers_of(State& s, AgentEntry& agent);
// Those with anything revocable in them.
void rescind_revocable_offers_of(State& s, AgentEntry& agent);
void discard_offers_of(State& s, FrameworkEntry& framework);
void on_offer_expired(State& s, OfferId id);
void on_decline(State& s, FrameworkEntry& framework, const Decline& decline);

// What of the framework goes to the allocator. A congested session suppresses all its roles there,
// which keeps its filters.
FrameworkShape shape_of(const FrameworkEntry& framework);
void on_congestion(State& s, FrameworkEntry& framework, bool congested);

}  // namespace tepui::master
