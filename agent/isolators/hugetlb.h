#pragma once
// The hugetlb isolator: huge pages of each size that the kernel has are for those who request the
// resource of that size, hugetlb_2MB or hugetlb_1GB, in MB. Others get none. Reservations are
// limited as well, so that mmap fails and nobody is killed by SIGBUS later.
//
// Pure.

#include <string>
#include <string_view>

#include "agent/isolation_plan.h"

namespace tepui {

void plan_hugetlb(const IsolationInput& input, IsolationPlan& plan);

// "hugetlb.2MB.rsvd.max"
std::string hugetlb_reserved_file(std::string_view size);

}  // namespace tepui
