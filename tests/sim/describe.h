#pragma once
// An event as one line, for people who look at a run that failed.

#include <string>

#include "common/events.h"

namespace tepui::sim {

std::string to_line(const Event& event);

}  // namespace tepui::sim
