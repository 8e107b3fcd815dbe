#include "master/allocator/unused_returns.h"

#include <algorithm>

namespace tepui {

Duration UnusedReturns::on_returned(Client client, uint32_t agent, const Resources& returned,
                                    const Resources& kept) {
  if (max_ == 0) return {};
  Seen& seen = seen_[client][agent];
  const bool in_a_row = seen.times > 0 && seen.kept == kept && seen.returned.contains(returned);
  seen.times = in_a_row ? seen.times + 1 : 1;
  seen.returned = returned;
  seen.kept = kept;
  if (seen.times <= max_) return {};
  Duration wait = kFirst;
  for (uint32_t i = max_ + 1; i < seen.times && wait < kLongest; ++i) wait *= 2;
  return std::min(wait, kLongest);
}

void UnusedReturns::remove_agent(uint32_t agent) {
  for (auto at = seen_.begin(); at != seen_.end();) {
    at->second.erase(agent);
    at = at->second.empty() ? seen_.erase(at) : std::next(at);
  }
}

}  // namespace tepui
