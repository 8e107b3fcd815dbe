#include "agent/isolators/disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/isolators/megabytes.h"

namespace tepui {

namespace {

constexpr std::string_view kQuotaFile = "disk.max";
constexpr std::string_view kImageFile = "disk.image";

std::optional<int64_t> bytes_of(const IsolationPlan& plan, std::string_view file) {
  const auto write = std::ranges::find(plan, file, &ControlWrite::file);
  if (write == plan.end()) return std::nullopt;
  int64_t bytes = 0;
  std::from_chars(write->value.data(), write->value.data() + write->value.size(), bytes);
  return bytes;
}

}  // namespace

void plan_disk(const IsolationInput& input, IsolationPlan& plan) {
  const int64_t requested =
      input.resources.filter([](const Resource& item) { return !item.kind->disk; })
          .total_milli("disk");
  if (requested == 0) return;
  const std::string bytes = fmt::format("{}", paged_bytes_of(requested));
  plan.push_back({"disk", std::string(kQuotaFile), bytes});
  plan.push_back({std::string(kDiskImageIsolator), std::string(kImageFile), bytes});
}

std::optional<int64_t> disk_limit(const IsolationPlan& plan) { return bytes_of(plan, kQuotaFile); }

std::optional<int64_t> image_size(const IsolationPlan& plan) { return bytes_of(plan, kImageFile); }

}  // namespace tepui
