#include "master/allocator/demand.h"

namespace tepui {

void Demand::measure(const Resources& resources, uint32_t agent, ClusterTotals& totals) {
  shared.clear();
  amounts.assign(totals.size(), 0);
  for (const Resource& item : resources.items()) {
    if (!item.is_scalar()) continue;
    const auto name = totals.intern(item.name());
    if (!name) continue;
    if (*name >= amounts.size()) amounts.resize(totals.size(), 0);
    if (item.kind->shared) {
      shared.push_back({.agent = agent,
                        .kind = item.kind,
                        .name = *name,
                        .milli = item.scalar_milli(),
                        .holders = item.shares});
    } else {
      amounts[*name] += item.scalar_milli();
    }
  }
}

}  // namespace tepui
