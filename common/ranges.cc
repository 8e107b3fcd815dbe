#include "common/ranges.h"

#include <algorithm>
#include <iterator>

namespace tepui {

void normalize(Ranges& ranges) {
  std::sort(ranges.begin(), ranges.end());
  size_t used = 0;
  for (const Range& range : ranges) {
    // `last` may be the largest number, so the neighbour is found by subtraction.
    if (used > 0 &&
        (range.first <= ranges[used - 1].last || range.first - ranges[used - 1].last == 1)) {
      ranges[used - 1].last = std::max(ranges[used - 1].last, range.last);
    } else {
      ranges[used++] = range;
    }
  }
  ranges.resize(used);
}

void normalize(Set& set) {
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
}

bool includes(const Ranges& outer, const Ranges& inner) {
  auto at = outer.begin();
  for (const Range& range : inner) {
    while (at != outer.end() && at->last < range.first) ++at;
    if (at == outer.end() || range.first < at->first || at->last < range.last) return false;
  }
  return true;
}

bool includes(const Set& outer, const Set& inner) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

void unite(Ranges& ranges, const Ranges& other) {
  ranges.reserve(ranges.size() + other.size());
  ranges.insert(ranges.end(), other.begin(), other.end());
  normalize(ranges);
}

void unite(Set& set, const Set& other) {
  set.reserve(set.size() + other.size());
  set.insert(set.end(), other.begin(), other.end());
  normalize(set);
}

Ranges difference(const Ranges& ranges, const Ranges& other) {
  Ranges left;
  left.reserve(ranges.size() + other.size());
  auto cut = other.begin();
  for (const Range& range : ranges) {
    uint64_t first = range.first;
    bool rest = true;  // [first, range.last] is still to be answered
    while (cut != other.end() && cut->last < first) ++cut;
    // A cut can reach into the next range too, so `cut` itself moves only past what ends here.
    for (auto at = cut; at != other.end() && at->first <= range.last; ++at) {
      if (at->first > first) left.push_back({first, at->first - 1});
      if (at->last >= range.last) {
        rest = false;
        break;
      }
      first = at->last + 1;
      cut = at;
    }
    if (rest) left.push_back({first, range.last});
  }
  return left;
}

Set difference(const Set& set, const Set& other) {
  Set left;
  std::set_difference(set.begin(), set.end(), other.begin(), other.end(), std::back_inserter(left));
  return left;
}

}  // namespace tepui
