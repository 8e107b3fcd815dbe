#include "master/allocator/unused_returns.h"

#include <algorithm>

namespace tepui {

Duration UnusedReturns::on_returned(Instant now, Client client, uint32_t agent,
                                    const Resources& returned, const Resources& kept) {
  if (max_ == 0) return {};
  Seen* seen = find_or_add(now, client, agent);
  if (seen == nullptr) return {};
  const bool in_a_row = seen->times > 0 && seen->kept == kept && seen->returned.contains(returned);
  seen->times = in_a_row ? seen->times + 1 : 1;
  seen->returned = returned;
  seen->kept = kept;
  if (seen->times <= max_) return {};
  Duration wait = kFirst;
  for (uint32_t i = max_ + 1; i < seen->times && wait < kLongest; ++i) wait *= 2;
  return std::min(wait, kLongest);
}

UnusedReturns::Seen* UnusedReturns::find_or_add(Instant now, Client client, uint32_t agent) {
  const auto counted = seen_.find(client);
  const bool is_known = counted != seen_.end() && counted->second.contains(agent);
  if (!is_known && size() >= room_) {
    if (by_age_.empty()) return nullptr;
    const Pair oldest = by_age_.begin()->second;
    if (now - seen_.at(oldest.client).at(oldest.agent).at <= kKept) return nullptr;
    remove(oldest);
  }
  Seen& seen = seen_[client][agent];
  if (is_known) by_age_.erase(seen.serial);
  seen.at = now;
  seen.serial = ++last_serial_;
  by_age_.emplace_hint(by_age_.end(), seen.serial, Pair{.client = client, .agent = agent});
  return &seen;
}

void UnusedReturns::remove(const Pair& pair) {
  const auto client = seen_.find(pair.client);
  const auto at = client->second.find(pair.agent);
  by_age_.erase(at->second.serial);
  client->second.erase(at);
  if (client->second.empty()) seen_.erase(client);
}

void UnusedReturns::remove_client(Client client) {
  const auto at = seen_.find(client);
  if (at == seen_.end()) return;
  for (const auto& [agent, seen] : at->second) by_age_.erase(seen.serial);
  seen_.erase(at);
}

void UnusedReturns::remove_agent(uint32_t agent) {
  for (auto at = seen_.begin(); at != seen_.end();) {
    const auto client = at++;  // it may go with its last agent
    if (client->second.contains(agent)) remove({.client = client->first, .agent = agent});
  }
}

}  // namespace tepui
