#pragma once
// Accept turns offers into tasks, reservations and volumes, in a fixed order: the offers are
// checked, all of them or none; then each operation in turn takes from what they hold, and finds
// what those before it made; what is left goes back with the filter. One bad task or operation ends
// with ERROR and does not disturb the others.
//
// Pure.

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

void on_accept(State& s, FrameworkEntry& framework, Accept accept);

}  // namespace tepui::master
