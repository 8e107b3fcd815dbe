#pragma once
// Quota as operators set it: checked as a whole, recorded, told to the allocator, and then offers
// are rescinded so that limits hold and guarantees can be met.
//
// Quotas nest. Of each resource: what a role is guaranteed is its own guarantee, or the sum of
// those below it if that is more; a guarantee of its own must cover the sum; and neither it nor a
// limit below it may be above its limit.
//
// Pure.

#include <map>
#include <string>

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

// The rule above; the error names the roles and the resource.
Result<void> check_quota_tree(const std::map<std::string, Quota>& quotas);
// What all roles together are guaranteed.
Quantities total_guarantees(const std::map<std::string, Quota>& quotas);

void on_update_quota(State& s, const Asker& asker, const UpdateQuota& message);
// It is durable.
void on_recorded(State& s, const QuotaChange& change);
// What the registry has at the begin of a term.
void restore_quotas(State& s);

}  // namespace tepui::master
