#include "master/allocator/candidates.h"

#include <algorithm>
#include <bit>

#include "common/check.h"
#include "common/rng.h"

namespace tepui {

uint64_t Candidates::round_key(uint64_t seed, uint64_t round) {
  uint64_t state = seed;
  state = split_mix64(state) ^ round;
  return split_mix64(state);
}

uint64_t Candidates::rank(uint64_t round_key, uint32_t agent) {
  uint64_t state = round_key ^ agent;
  return (split_mix64(state) & ~uint64_t{kAgentsMax - 1}) | agent;
}

void Candidates::set_free(uint32_t agent, bool free) {
  CHECK(agent < kAgentsMax);
  if (agent >= places_.size()) places_.resize(agent + 1);
  Place& place = places_[agent];
  if ((place.in_free != kNowhere) == free) return;
  if (free) {
    place.in_free = static_cast<uint32_t>(free_.size());
    free_.push_back(agent);
  } else {
    untouch(agent);
    places_[free_.back()].in_free = place.in_free;
    drop(free_, place.in_free);
    place.in_free = kNowhere;
  }
}

bool Candidates::is_free(uint32_t agent) const {
  return agent < places_.size() && places_[agent].in_free != kNowhere;
}

void Candidates::touch(uint32_t agent) {
  if (!is_free(agent) || places_[agent].in_touched != kNowhere) return;
  places_[agent].in_touched = static_cast<uint32_t>(touched_.size());
  touched_.push_back(agent);
}

void Candidates::untouch(uint32_t agent) {
  const uint32_t at = places_[agent].in_touched;
  if (at == kNowhere) return;
  places_[touched_.back()].in_touched = at;
  drop(touched_, at);
  places_[agent].in_touched = kNowhere;
}

void Candidates::drop(std::vector<uint32_t>& list, uint32_t at) {
  list[at] = list.back();
  list.pop_back();
}

void Candidates::take(uint64_t round_key, std::vector<uint32_t>& order) {
  const std::vector<uint32_t>& agents = all_ ? free_ : touched_;
  ranks_.clear();
  for (const uint32_t agent : agents) ranks_.push_back(rank(round_key, agent));
  for (const uint32_t agent : touched_) places_[agent].in_touched = kNowhere;
  touched_.clear();
  all_ = false;
  sort_ranks();
  order.clear();
  for (const uint64_t rank : ranks_) order.push_back(rank & (kAgentsMax - 1));
}

void Candidates::arrange(uint64_t round_key, std::vector<uint32_t>& order) {
  ranks_.clear();
  for (const uint32_t agent : order) ranks_.push_back(rank(round_key, agent));
  sort_ranks();
  order.clear();
  for (const uint64_t rank : ranks_) order.push_back(rank & (kAgentsMax - 1));
}

// Ranks are spread evenly, so dealing them to about as many buckets leaves little to sort.
void Candidates::sort_ranks() {
  if (ranks_.size() > 64) {
    const int shift = std::countl_zero(ranks_.size());
    starts_.assign((UINT64_MAX >> shift) + 2, 0);
    for (const uint64_t rank : ranks_) ++starts_[(rank >> shift) + 1];
    for (size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
    sorted_.resize(ranks_.size());
    for (const uint64_t rank : ranks_) sorted_[starts_[rank >> shift]++] = rank;
    ranks_.swap(sorted_);
  }
  for (size_t i = 1; i < ranks_.size(); ++i) {
    const uint64_t rank = ranks_[i];
    size_t at = i;
    for (; at > 0 && ranks_[at - 1] > rank; --at) ranks_[at] = ranks_[at - 1];
    ranks_[at] = rank;
  }
}

}  // namespace tepui
