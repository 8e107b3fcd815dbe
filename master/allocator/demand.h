#pragma once
// Demand is what an allocation adds to shares: its scalars by name index, and apart from them what
// is shared, because that counts once however many hold it.
//
// Pure.

#include <cstdint>
#include <vector>

#include "common/resources.h"
#include "master/allocator/cluster_totals.h"

namespace tepui {

// An amount of a shared resource, of which one client can hold several shares.
struct SharedAmount {
  uint32_t agent = 0;
  KindRef kind;
  uint32_t name = 0;  // index in ClusterTotals
  int64_t milli = 0;
  uint32_t holders = 1;
};

struct Demand {
  Amounts amounts;  // without what is shared
  std::vector<SharedAmount> shared;

  // Becomes the demand of these resources on this agent; interns names it does not know.
  void measure(const Resources& resources, uint32_t agent, ClusterTotals& totals);
};

}  // namespace tepui
