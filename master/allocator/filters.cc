#include "master/allocator/filters.h"

#include <fmt/format.h>

#include <algorithm>

namespace tepui {

namespace {
// The references of one client among those of its agent, which are sorted.
auto of_client(auto& references, OfferFilters::Client client) {
  return std::ranges::equal_range(references, client, {},
                                  [](const auto& reference) { return reference.client; });
}
}  // namespace

void OfferFilters::add(uint32_t agent, Client client, const Resources& refused, Instant until,
                       uint64_t round) {
  if (agent >= by_agent_.size()) by_agent_.resize(agent + 1);
  std::vector<uint32_t> covered;
  for (const Reference& reference : of_client(by_agent_[agent], client)) {
    const Filter& old = slots_[reference.slot];
    if (old.until >= until && old.round == round && old.refused.contains(refused)) return;
    if (old.until <= until && refused.contains(old.refused)) covered.push_back(reference.slot);
  }
  for (const uint32_t slot : covered) remove(slot);

  uint32_t slot = static_cast<uint32_t>(slots_.size());
  if (free_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  std::vector<uint32_t>& siblings = by_client_[client];
  slots_[slot] = {.agent = agent,
                  .client = client,
                  .refused = refused,
                  .until = until,
                  .round = round,
                  .place = static_cast<uint32_t>(siblings.size())};
  siblings.push_back(slot);
  deadlines_.emplace(until, slot);
  std::vector<Reference>& references = by_agent_[agent];
  references.insert(of_client(references, client).end(), {.client = client, .slot = slot});
  ++size_;
}

bool OfferFilters::refuses(uint32_t agent, Client client, const Resources& offer) const {
  return std::ranges::any_of(of_client(by_agent_[agent], client), [&](const Reference& reference) {
    return slots_[reference.slot].refused.contains(offer);
  });
}

void OfferFilters::remove(uint32_t slot) {
  Filter& filter = slots_[slot];
  std::erase_if(by_agent_[filter.agent],
                [slot](const Reference& reference) { return reference.slot == slot; });
  const auto siblings = by_client_.find(filter.client);
  const uint32_t last = siblings->second.back();
  siblings->second[filter.place] = last;
  slots_[last].place = filter.place;
  siblings->second.pop_back();
  if (siblings->second.empty()) by_client_.erase(siblings);
  if (filter.overdue) {
    overdue_.erase(slot);
  } else {
    deadlines_.erase({filter.until, slot});
  }
  filter = Filter{};
  free_.push_back(slot);
  --size_;
}

void OfferFilters::remove_agent(uint32_t agent) {
  if (!any(agent)) return;
  const std::vector<Reference> references = by_agent_[agent];
  for (const Reference& reference : references) remove(reference.slot);
}

bool OfferFilters::remove_client(Client client) {
  const auto found = by_client_.find(client);
  if (found == by_client_.end()) return false;
  const std::vector<uint32_t> slots = found->second;
  for (const uint32_t slot : slots) remove(slot);
  return true;
}

void OfferFilters::expire(Instant now, uint64_t done, std::vector<uint32_t>& agents) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const uint32_t slot = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    slots_[slot].overdue = true;
    overdue_.insert(slot);
  }
  for (auto at = overdue_.begin(); at != overdue_.end();) {
    const uint32_t slot = *at++;
    if (slots_[slot].round >= done) continue;
    agents.push_back(slots_[slot].agent);
    remove(slot);
  }
}

std::map<uint32_t, uint32_t> OfferFilters::count_by_role() const {
  std::map<uint32_t, uint32_t> counts;
  for (const auto& [client, slots] : by_client_) {
    counts[client.role] += static_cast<uint32_t>(slots.size());
  }
  return counts;
}

Result<void> OfferFilters::audit() const {
  size_t by_agent = 0;
  for (uint32_t agent = 0; agent < by_agent_.size(); ++agent) {
    const std::vector<Reference>& references = by_agent_[agent];
    by_agent += references.size();
    if (!std::ranges::is_sorted(references, {}, &Reference::client)) {
      return fail(fmt::format("the filters of agent {} are out of order", agent));
    }
    for (const Reference& reference : references) {
      const Filter& filter = slots_[reference.slot];
      if (filter.agent != agent || filter.client != reference.client) {
        return fail(fmt::format("filter {} is not one of agent {}", reference.slot, agent));
      }
    }
  }
  size_t by_client = 0;
  for (const auto& [client, slots] : by_client_) {
    by_client += slots.size();
    for (uint32_t i = 0; i < slots.size(); ++i) {
      const Filter& filter = slots_[slots[i]];
      if (filter.place == i && filter.client == client) continue;
      return fail(fmt::format("filter {} is not one of framework {} in role {}", slots[i],
                              client.framework, client.role));
    }
  }
  if (by_agent != size_ || by_client != size_ || deadlines_.size() + overdue_.size() != size_) {
    return fail(fmt::format("{} filters, but {} by agent, {} by client, {} with an end", size_,
                            by_agent, by_client, deadlines_.size() + overdue_.size()));
  }
  return {};
}

}  // namespace tepui
