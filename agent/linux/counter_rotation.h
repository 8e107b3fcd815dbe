#pragma once
// CounterRotation decides whose hardware counters are open, where there are more containers than
// can be counted at once: each is counted for a turn, then the next ones are, in the order in which
// they came. Who is being counted goes on as long as nobody waits.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "common/time.h"

namespace tepui {

class CounterRotation {
 public:
  struct Turn {
    std::vector<uint32_t> end;
    std::vector<uint32_t> begin;
    bool operator==(const Turn&) const = default;
  };

  // At most `capacity` (1 or more) are counted at once, each for `turn` if others wait.
  CounterRotation(size_t capacity, Duration turn) : capacity_(capacity), turn_(turn) {}

  void add(uint32_t slot) { waiting_.push_back(slot); }
  // Whoever is removed is counted no more; that is not said again.
  void remove(uint32_t slot);
  // What changes now. Places that are free are given at once.
  Turn advance(Instant now);

  // The longest counted first.
  const std::deque<uint32_t>& counted() const { return counted_; }

 private:
  const size_t capacity_;
  const Duration turn_;
  Instant turned_{};
  std::deque<uint32_t> waiting_;
  std::deque<uint32_t> counted_;
};

}  // namespace tepui
