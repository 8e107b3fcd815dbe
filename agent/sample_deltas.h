#pragma once
// The samples of one sampling as bytes: of every container what has changed since its sample
// before.
//
// For each three things, all as varints (LEB128):
//   number  of the container, less that of the one before, zigzag
//   mask    bit n: field n of kSampleFields has another value than before
//   change  of each of those, the lowest bit first: new value less old value, zigzag
// An absent count is -1 here, and before its first sample all of a container's counts are absent.
//
// So an idle container takes two bytes and a busy one some 70, where the struct has 344; nothing is
// rounded. The price is that a segment can only be read from its beginning.
//
// Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "agent/sample.h"
#include "agent/sample_fields.h"
#include "common/result.h"

namespace tepui {

// The newest counts of every container, which writer and reader keep alike.
class SampleBase {
 public:
  using Counts = std::array<int64_t, kSampleFields.size()>;
  Counts& of(uint32_t number);
  void forget(uint32_t number) { counts_.erase(number); }
  void clear() { counts_.clear(); }

 private:
  std::unordered_map<uint32_t, Counts> counts_;  // looked up, never walked
};

class SampleDeltaWriter {
 public:
  // Not 0.
  void add(uint32_t number, const Sample& sample);
  void begin();
  std::span<const std::byte> bytes() const { return bytes_; }
  uint32_t samples() const { return samples_; }
  SampleBase& base() { return base_; }

 private:
  void put(uint64_t value);

  SampleBase base_;
  std::vector<std::byte> bytes_;
  uint32_t last_ = 0;
  uint32_t samples_ = 0;
};

struct NumberedSample {
  uint32_t number = 0;  // of the container
  Sample sample;
};

// Reads what begin() to the last add() wrote; `at` is the time of all. The error says what is wrong
// with the bytes; `base` is of no use then.
Result<std::vector<NumberedSample>> read_sample_deltas(std::span<const std::byte> bytes, Instant at,
                                                       SampleBase& base);

}  // namespace tepui
