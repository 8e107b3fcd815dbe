#pragma once
// The weight of a container beside others, for processors and for disks: 100 per requested cpu and
// 1 per revocable cpu, as operators know it from Mesos on cgroup v2, between 1 and 10000.
//
// Pure.

#include <algorithm>
#include <cstdint>

#include "common/resources.h"

namespace tepui {

// A million processors: more than any machine has, and a quota that the kernel still takes.
inline constexpr int64_t kCpusMilliMax = 1'000'000'000;

inline int64_t weight_of(const Resources& resources) {
  constexpr int64_t kPerCpu = 100;
  constexpr int64_t kPerRevocableCpu = 1;
  const int64_t regular = resources.non_revocable().total_milli("cpus");
  const int64_t revocable = resources.revocable().total_milli("cpus");
  const int64_t weight = (std::min(regular, kCpusMilliMax) * kPerCpu +
                          std::min(revocable, kCpusMilliMax) * kPerRevocableCpu) /
                         1000;
  return std::clamp<int64_t>(weight, 1, 10'000);
}

}  // namespace tepui
