#pragma once
// Checks as people write them: what to look at, `http:8080/health`, `tcp:8080` or `command:test -e
// ready`, and how, `delay=0secs,interval=1secs,timeout=5secs`; a health check also has
// `grace=10secs` and `failures=3`. What is not said is as in common/checks.h. Pure.

#include <string_view>

#include "common/checks.h"
#include "common/result.h"

namespace tepui::cli {

Result<CheckInfo> parse_check(std::string_view target, std::string_view options);
Result<HealthCheckInfo> parse_health_check(std::string_view target, std::string_view options);

}  // namespace tepui::cli
