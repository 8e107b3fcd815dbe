#include "master/allocator/random_order.h"

#include <algorithm>
#include <bit>

#include "common/rng.h"

namespace tepui {

namespace {
__extension__ typedef unsigned __int128 Wide;
}  // namespace

uint64_t RandomOrder::key_of(uint64_t round_key, uint32_t agent) {
  uint64_t state = round_key ^ (uint64_t{agent} << 32);
  return split_mix64(state);
}

uint64_t RandomOrder::key_of(uint64_t key, std::string_view role) {
  uint64_t state = key;
  for (const char c : role) {
    state ^= static_cast<unsigned char>(c);
    state = split_mix64(state);
  }
  return state;
}

uint64_t RandomOrder::draw(uint64_t key, uint32_t nth, uint64_t total) {
  uint64_t state = key + nth;
  return static_cast<uint64_t>((static_cast<Wide>(split_mix64(state)) * total) >> 64);
}

uint64_t RandomOrder::part(uint64_t parent, int64_t weight_milli, int64_t siblings_milli) {
  const Wide part = static_cast<Wide>(parent) * static_cast<Wide>(weight_milli) /
                    static_cast<Wide>(siblings_milli);
  return std::max<uint64_t>(1, static_cast<uint64_t>(part));
}

void RandomOrder::reload() {
  version_ = sorter_.version();
  sorter_.list_leaves(leaves_);
  sums_.assign(leaves_.size() + 1, 0);
  total_ = 0;
  drawn_.clear();
  for (size_t i = 0; i < leaves_.size(); ++i) add(i, leaves_[i].relative_weight, false);
}

void RandomOrder::add(size_t index, uint64_t weight, bool negative) {
  const uint64_t change = negative ? -weight : weight;  // modulo 2^64
  total_ += change;
  for (size_t i = index + 1; i < sums_.size(); i += i & -i) sums_[i] += change;
}

void RandomOrder::begin(uint64_t key) {
  key_ = key;
  if (version_ != sorter_.version()) return reload();
  for (const size_t index : drawn_) add(index, leaves_[index].relative_weight, false);
  drawn_.clear();
}

DrfSorter::Client RandomOrder::next() {
  if (total_ == 0) return DrfSorter::kNone;
  uint64_t rest = draw(key_, static_cast<uint32_t>(drawn_.size()), total_);
  size_t at = 0;
  for (size_t step = std::bit_floor(sums_.size()); step > 0; step /= 2) {
    if (at + step >= sums_.size() || sums_[at + step] > rest) continue;
    at += step;
    rest -= sums_[at];
  }
  drawn_.push_back(at);
  add(at, leaves_[at].relative_weight, true);
  return leaves_[at].client;
}

}  // namespace tepui
