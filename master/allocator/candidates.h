#pragma once
// Candidates knows which agents a round must visit. After a visit nobody wants what is left of an
// agent: whether anyone does depends on the agent's resources, on filters and on who takes part,
// not on the order of shares. So an agent is a candidate only when one of these changed, and only
// while something of it is free.
//
// The order of a round is a keyed hash of (seed, round, agent): leaving out agents that get nothing
// changes nothing for the others.
//
// Pure.

#include <cstdint>
#include <vector>

namespace tepui {

class Candidates {
 public:
  // Sorts agents by a hash; ties by index. Unique per agent: the low bits are the agent.
  static constexpr uint32_t kAgentsMax = 1 << 24;
  static uint64_t round_key(uint64_t seed, uint64_t round);
  // Of the first part of a round, in which guarantees are served.
  static uint64_t guarantee_key(uint64_t seed, uint64_t round) { return round_key(~seed, round); }
  static uint64_t rank(uint64_t round_key, uint32_t agent);

  // An agent whose resources nobody could be offered is never a candidate.
  void set_free(uint32_t agent, bool free);
  bool is_free(uint32_t agent) const;
  void touch(uint32_t agent);
  void touch_all() { all_ = true; }
  bool empty() const { return all_ ? free_.empty() : touched_.empty(); }

  // The candidates leave, in the order of the round.
  void take(uint64_t round_key, std::vector<uint32_t>& order);
  // The same agents in the order of another key.
  void arrange(uint64_t round_key, std::vector<uint32_t>& order);

 private:
  static constexpr uint32_t kNowhere = UINT32_MAX;

  struct Place {
    uint32_t in_free = kNowhere;
    uint32_t in_touched = kNowhere;
  };

  static void drop(std::vector<uint32_t>& list, uint32_t at);
  void untouch(uint32_t agent);
  void sort_ranks();

  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> touched_;  // subset of free_
  bool all_ = false;
  std::vector<uint64_t> ranks_;  // of one take()
  std::vector<uint64_t> sorted_;
  std::vector<uint32_t> starts_;
};

}  // namespace tepui
