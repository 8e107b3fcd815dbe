#pragma once
// The file of a maintenance schedule: windows with hosts, a start, a duration, and whether they
// drain.
//
//   [[window]]
//   hosts = ["node1", "node2"]
//   start = "2026-12-01T08:00:00Z"   # or "in 2hrs"
//   duration = "90mins"              # absent: for good
//   drain = true                     # absent: false

#include <string_view>

#include "common/io/document.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui::cli {

Result<UpdateMaintenanceSchedule> parse_schedule(const Document& document, std::string_view file,
                                                 WallTime now);
// "2026-12-01T08:00:00Z", or "in 2hrs" from now.
Result<WallTime> parse_start(std::string_view text, WallTime now);

}  // namespace tepui::cli
