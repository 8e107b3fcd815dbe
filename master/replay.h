#pragma once
// Replay tells the present state as the events that would have led to it, in slices, for a reader
// that starts or fell behind.
//
// Pure.

#include <cstddef>

#include "common/events.h"
#include "master/state.h"

namespace tepui::master {

// See Master::replay_state.
bool replay(const State& s, EventSink& sink, ReplayCursor& cursor, size_t events_max);

}  // namespace tepui::master
