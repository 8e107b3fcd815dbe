#include "agent/isolators/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/isolators/megabytes.h"

namespace tepui {

namespace {

constexpr int64_t kMemoryBytesMin = 32 * kBytesPerMb;

int64_t part_of(int64_t bytes, int64_t percent) {
  // In two parts, so that nothing overflows.
  return (bytes / 100 * percent + bytes % 100 * percent / 100) & ~(kPageBytes - 1);
}

void plan_maximum(const IsolationInput& input, int64_t bytes, IsolationPlan& plan) {
  const IsolationSettings& settings = input.settings;
  if (settings.memory_high_percent > 0 && settings.memory_high_percent < 100) {
    plan.push_back(
        {"memory", "memory.high", fmt::format("{}", part_of(bytes, settings.memory_high_percent))});
  }
  plan.push_back({"memory", "memory.max", fmt::format("{}", bytes)});
  const int64_t swap = part_of(bytes, std::clamp<int64_t>(settings.swap_percent, 0, 100));
  plan.push_back({"memory", "memory.swap.max", fmt::format("{}", swap)});
}

}  // namespace

void plan_memory(const IsolationInput& input, IsolationPlan& plan) {
  const int64_t request = input.resources.total_milli("mem");
  // Revocable memory is what others did not use: it is taken back before it is protected.
  const int64_t guaranteed = input.resources.non_revocable().total_milli("mem");
  if (guaranteed > 0) {
    plan.push_back({"memory", "memory.low",
                    fmt::format("{}", std::max(paged_bytes_of(guaranteed), kMemoryBytesMin))});
  }
  const int64_t maximum = input.limits.mem_milli.value_or(request);
  if (maximum != kUnlimited) {
    plan_maximum(input, std::max(paged_bytes_of(maximum), kMemoryBytesMin), plan);
  }
  // A command that lost one of its processes is not worth keeping: all go, and the status says so.
  plan.push_back({"memory", "memory.oom.group", "1"});
}

}  // namespace tepui
