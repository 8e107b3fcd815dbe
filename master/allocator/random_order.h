#pragma once
// RandomOrder draws the clients of a sorter at random, without replacement: at each draw a client
// comes with a probability in proportion to its relative weight, which is its part of the weights
// of its active siblings times the relative weight of their parent.
//
// A draw is a keyed hash: the same key gives the same order, whatever was drawn before. Weights are
// integers, in parts of 2^62; one that rounds to nothing counts as 1.
//
// Pure.

#include <cstdint>
#include <string_view>
#include <vector>

#include "master/allocator/drf_sorter.h"

namespace tepui {

class RandomOrder {
 public:
  static constexpr uint64_t kWhole = uint64_t{1} << 62;

  explicit RandomOrder(const DrfSorter& sorter) : sorter_(sorter) {}

  // For each agent of a round another one, and for each role another again.
  static uint64_t key_of(uint64_t round_key, uint32_t agent);
  static uint64_t key_of(uint64_t key, std::string_view role);
  // The nth draw with this key, in [0, total).
  static uint64_t draw(uint64_t key, uint32_t nth, uint64_t total);
  // A child's part of its parent's weight.
  static uint64_t part(uint64_t parent, int64_t weight_milli, int64_t siblings_milli);

  // One walk, as that of DrfSorter.
  void begin(uint64_t key);
  DrfSorter::Client next();

 private:
  void reload();
  void add(size_t index, uint64_t weight, bool negative);

  const DrfSorter& sorter_;
  uint64_t version_ = 0;                 // of the sorter's active clients and weights
  std::vector<DrfSorter::Leaf> leaves_;  // in order of path
  // Sums of weights as a Fenwick tree: what is drawn goes, and comes back with the next walk.
  std::vector<uint64_t> sums_;
  uint64_t total_ = 0;
  std::vector<size_t> drawn_;
  uint64_t key_ = 0;
};

}  // namespace tepui
