#include "agent/isolators/disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/isolators/megabytes.h"

namespace tepui {

namespace {

constexpr std::string_view kFile = "disk.max";

}  // namespace

void plan_disk(const IsolationInput& input, IsolationPlan& plan) {
  const int64_t requested =
      input.resources.filter([](const Resource& item) { return !item.kind->disk; })
          .total_milli("disk");
  if (requested == 0) return;
  plan.push_back({"disk", std::string(kFile), fmt::format("{}", paged_bytes_of(requested))});
}

std::optional<int64_t> disk_limit(const IsolationPlan& plan) {
  const auto write = std::ranges::find(plan, kFile, &ControlWrite::file);
  if (write == plan.end()) return std::nullopt;
  int64_t bytes = 0;
  std::from_chars(write->value.data(), write->value.data() + write->value.size(), bytes);
  return bytes;
}

}  // namespace tepui
