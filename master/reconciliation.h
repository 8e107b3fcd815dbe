#pragma once
// Reconciliation answers a framework what became of its tasks, as far as this master can know. What
// it cannot know yet (an agent of the registry that has not come back) it does not answer: the
// framework asks again.
//
// Pure.

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

void on_reconcile(State& s, FrameworkEntry& framework, const Reconcile& message);
void reconcile_one(State& s, FrameworkEntry& framework, const Reconcile::Item& item);

}  // namespace tepui::master
