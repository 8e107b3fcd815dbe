#include "agent/isolators/cpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "agent/isolators/weight.h"

namespace tepui {

namespace {

constexpr int64_t kPeriodUs = 100'000;
constexpr int64_t kQuotaUsMin = 1'000;

void plan_maximum(const IsolationInput& input, IsolationPlan& plan) {
  std::optional<int64_t> limit = input.limits.cpus_milli;
  if (!limit && input.settings.cpu_max_of_requests) limit = input.resources.total_milli("cpus");
  if (!limit || *limit > kCpusMilliMax) return;
  const int64_t quota = std::max(*limit * kPeriodUs / 1000, kQuotaUsMin);
  plan.push_back({"cpu", "cpu.max", fmt::format("{} {}", quota, kPeriodUs)});
  // Before its quota a burst has to be possible: so the order.
  const int64_t burst = quota * std::clamp<int64_t>(input.settings.cpu_burst_percent, 0, 100) / 100;
  if (burst > 0) plan.push_back({"cpu", "cpu.max.burst", fmt::format("{}", burst)});
}

}  // namespace

void plan_cpu(const IsolationInput& input, IsolationPlan& plan) {
  const bool idle = input.settings.revocable_idle &&
                    input.resources.non_revocable().total_milli("cpus") == 0 &&
                    input.resources.total_milli("cpus") > 0;
  // The kernel takes no weight beside the idle class.
  if (idle && std::ranges::find(input.settings.missing_files, "cpu.idle") ==
                  input.settings.missing_files.end()) {
    plan.push_back({"cpu", "cpu.idle", "1"});
  } else {
    plan.push_back({"cpu", "cpu.weight", fmt::format("{}", weight_of(input.resources))});
  }
  plan_maximum(input, plan);
}

}  // namespace tepui
