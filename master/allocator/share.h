#pragma once
// Share is a client's dominant share divided by its weight, as an exact fraction: two shares
// compare without rounding, whatever the totals and weights are.
//
// Pure.

#include <compare>
#include <cstdint>

namespace tepui {

struct Share {
  int64_t allocated = 0;  // of the dominant resource, not negative
  int64_t total = 1;      // of it in the cluster, positive
  int64_t weight_milli = 1000;

  // Grows with the share; different keys decide a comparison, equal keys leave it to <=>.
  // floor(floor(x / total) / weight) is floor(x / (total * weight)), so the key never misorders.
  uint64_t key() const {
    const Wide scaled = (static_cast<Wide>(allocated) << kKeyBits) / static_cast<Wide>(total);
    const uint64_t bounded = scaled > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(scaled);
    return bounded / static_cast<uint64_t>(weight_milli);
  }

  // Without the weight, in millionths, rounded down.
  int64_t unweighted_ppm() const {
    return static_cast<int64_t>(static_cast<Wide>(allocated) * 1'000'000 /
                                static_cast<Wide>(total));
  }

  // allocated / (total * weight), by cross-multiplication in 192 bits.
  std::strong_ordering operator<=>(const Share& other) const {
    if (total == other.total && weight_milli == other.weight_milli) {
      return allocated <=> other.allocated;
    }
    const Product ours = product(allocated, other.total, other.weight_milli);
    const Product theirs = product(other.allocated, total, weight_milli);
    if (const auto high = ours.high <=> theirs.high; high != 0) return high;
    return ours.low <=> theirs.low;
  }
  bool operator==(const Share& other) const { return (*this <=> other) == 0; }

  // allocated / total of one resource against the best so far, both without weight.
  bool is_below(int64_t other_allocated, int64_t other_total) const {
    return static_cast<Wide>(allocated) * static_cast<Wide>(other_total) <
           static_cast<Wide>(other_allocated) * static_cast<Wide>(total);
  }

 private:
  __extension__ typedef unsigned __int128 Wide;
  struct Product {
    Wide high;     // the upper 128 of 192 bits
    uint64_t low;  // the lower 64
  };

  // A share of 2^14 clusters still fits; above that, keys are equal and <=> decides.
  static constexpr int kKeyBits = 50;

  static Product product(int64_t a, int64_t b, int64_t c) {
    const Wide ab = static_cast<Wide>(a) * static_cast<Wide>(b);
    const auto factor = static_cast<Wide>(c);
    const Wide low = (ab & UINT64_MAX) * factor;
    return {.high = (ab >> 64) * factor + (low >> 64), .low = static_cast<uint64_t>(low)};
  }
};

}  // namespace tepui
