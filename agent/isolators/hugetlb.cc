#include "agent/isolators/hugetlb.h"

#include <fmt/format.h>

#include "agent/isolators/megabytes.h"

namespace tepui {

std::string hugetlb_reserved_file(std::string_view size) {
  return fmt::format("hugetlb.{}.rsvd.max", size);
}

void plan_hugetlb(const IsolationInput& input, IsolationPlan& plan) {
  for (const std::string& size : input.settings.hugepage_sizes) {
    const std::string bytes =
        fmt::format("{}", paged_bytes_of(input.resources.total_milli("hugetlb_" + size)));
    plan.push_back({"hugetlb", fmt::format("hugetlb.{}.max", size), bytes});
    plan.push_back({"hugetlb", hugetlb_reserved_file(size), bytes});
  }
}

}  // namespace tepui
