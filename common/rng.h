#pragma once
// Rng is a seeded source of randomness (SplitMix64 seeding xoshiro256**, Blackman and Vigna 2018).
//
// The same seed gives the same numbers on every machine and with every compiler; the distributions
// of <random> do not promise that, so the few we need are here. A core gets its Rng handed in.
//
// Pure.

#include <cstdint>

#include "common/check.h"

namespace tepui {

constexpr uint64_t split_mix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) word = split_mix64(seed);
  }

  uint64_t next() {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound), without bias worth naming (Lemire's multiply-shift).
  uint64_t below(uint64_t bound) {
    CHECK(bound > 0);
    return static_cast<uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  // Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    CHECK(low <= high);
    const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
    if (span == 0) return static_cast<int64_t>(next());
    return static_cast<int64_t>(static_cast<uint64_t>(low) + below(span));
  }

  // True with probability numerator / denominator.
  bool chance(uint64_t numerator, uint64_t denominator) { return below(denominator) < numerator; }

  // A generator of its own, for a part that must not disturb the numbers of another.
  Rng fork() { return Rng(next()); }

 private:
  __extension__ typedef unsigned __int128 Wide;

  static constexpr uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  uint64_t state_[4];
};

}  // namespace tepui
