#include "agent/isolators/pids.h"

#include <fmt/format.h>

namespace tepui {

void plan_pids(const IsolationInput& input, IsolationPlan& plan) {
  if (input.settings.pids_max <= 0) return;
  plan.push_back({"pids", "pids.max", fmt::format("{}", input.settings.pids_max)});
}

}  // namespace tepui
