#pragma once
// Amounts of memory as resources count them, in thousandths of a MB, as bytes of control files.
//
// Pure.

#include <cstdint>

namespace tepui {

inline constexpr int64_t kBytesPerMb = int64_t{1} << 20;
// The kernel rounds down to pages; so do we, so that what is read back is what was written.
inline constexpr int64_t kPageBytes = 4096;
inline constexpr int64_t kPagedBytesMax = INT64_MAX & ~(kPageBytes - 1);

// Rounded down to a page, at most kPagedBytesMax.
inline int64_t paged_bytes_of(int64_t mem_milli) {
  const int64_t whole = mem_milli / 1000;
  const int64_t rest = mem_milli % 1000;
  if (whole >= kPagedBytesMax / kBytesPerMb) return kPagedBytesMax;
  return (whole * kBytesPerMb + rest * kBytesPerMb / 1000) & ~(kPageBytes - 1);
}

}  // namespace tepui
