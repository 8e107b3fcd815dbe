#pragma once
// The memory isolator: memory.low is the request, without its revocable part; memory.max is the
// limit, or the request where none is given; both at least 32 MB, rounded down to pages, with
// memory.oom.group. memory.high and memory.swap.max are the configured parts of memory.max; without
// a word there is no swap: what would be killed must not crawl instead. An unlimited limit writes
// nothing: a fresh cgroup has no maximum.
//
// Pure.

#include "agent/isolation_plan.h"

namespace tepui {

void plan_memory(const IsolationInput& input, IsolationPlan& plan);

}  // namespace tepui
