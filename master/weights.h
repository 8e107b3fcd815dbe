#pragma once
// Weights of roles as operators set them. Pure.

#include "common/messages.h"
#include "master/asker.h"
#include "master/state.h"

namespace tepui::master {

void on_update_weights(State& s, const Asker& asker, const UpdateWeights& message);
// It is durable. Outstanding offers were made by the old weights; if any of the roles is in use,
// all are rescinded, so that the next round is fair.
void on_recorded(State& s, const WeightsChange& change);
// What the registry has at the begin of a term, and of the configuration what it lacks.
void restore_weights(State& s);

}  // namespace tepui::master
