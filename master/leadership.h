#pragma once
// Leadership: how a master begins to lead, with what the registry says and nothing else, and how it
// stops, keeping nothing.
//
// Pure.

#include <cstdint>
#include <string_view>

#include "common/store.h"
#include "master/state.h"

namespace tepui::master {

void begin_to_lead(State& s, uint64_t epoch, const StoreContents& contents);
void stop_leading(State& s, std::string_view why);
// After the interval between full rounds may have changed.
void restart_allocation_timer(State& s);

}  // namespace tepui::master
