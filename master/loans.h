#pragma once
// Loans as the master books them: the allocator decides what of an agent is lent, recognised,
// repaid and recalled (docs/decisions/008); here the books and the agent's total follow it.
//
// Invariant: after every input AgentEntry::lent is what the allocator says; that much of the total
// is revocable which the agent itself has as regular. Loans are repaid before anything else: while
// something is lent, nothing revocable of that kind is free. What tasks hold beyond what the agent
// has by now (excess) leaves the total as it comes back.
//
// Pure.

#include <optional>
#include <string_view>

#include "master/state.h"

namespace tepui::master {

// What the agent has by itself, whatever of it is lent or held.
Resources own_total(const AgentEntry& agent);
// The agent is known with exactly this.
bool is_known_as(const AgentEntry& agent, const AgentInfo& info);

// After the allocator may have lent something of the agent, or got it back.
void settle_loan(State& s, AgentEntry& agent);
// Allocator::recover, and what follows from it.
void recover(State& s, AgentEntry& agent, FrameworkHandle framework, std::string_view role,
             const Resources& resources, std::optional<Duration> refuse);
// Rescinds the offers by which a guarantee could be served.
void recall_loans(State& s);
// What a task holds it keeps, even if it is more than the agent has that is revocable now: it is in
// the free column then.
void keep_what_runs(State& s, AgentEntry& agent, const Resources& revocable);
void set_lending(State& s, bool on);

}  // namespace tepui::master
