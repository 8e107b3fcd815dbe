#pragma once
// What this machine, and this process's privileges, permit of confinement: tried, not guessed.

#include <vector>

#include "agent/isolator_choice.h"
#include "common/capabilities.h"

namespace tepui {

// Of those that need no controller of cgroups. Makes short-lived processes: before the loop.
std::vector<MissingIsolator> find_missing_confinement(const IsolatorSet& wanted);

// What this process may itself: it can give no more to others.
CapabilitySet own_capabilities();

}  // namespace tepui
