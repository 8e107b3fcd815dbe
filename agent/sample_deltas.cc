#include "agent/sample_deltas.h"

#include <fmt/format.h>

#include <bit>

#include "common/check.h"

namespace tepui {

namespace {

constexpr int64_t kAbsent = -1;

int64_t raw(const Measured& count) { return count.known() ? count.value() : kAbsent; }

// Small numbers of either sign become small ones without. Wraps, as the addition that undoes it.
uint64_t zigzag(int64_t from, int64_t to) {
  const uint64_t change = static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
  return (change << 1) ^ (0 - (change >> 63));
}

int64_t add_zigzag(int64_t from, uint64_t value) {
  const uint64_t change = (value >> 1) ^ (0 - (value & 1));
  return static_cast<int64_t>(static_cast<uint64_t>(from) + change);
}

class VarintReader {
 public:
  explicit VarintReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::optional<uint64_t> next() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      if (shift == 63 && byte > 1) return std::nullopt;
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace

SampleBase::Counts& SampleBase::of(uint32_t number) {
  const auto [found, added] = counts_.try_emplace(number);
  if (added) found->second.fill(kAbsent);
  return found->second;
}

void SampleDeltaWriter::begin() {
  bytes_.clear();
  last_ = 0;
  samples_ = 0;
}

void SampleDeltaWriter::put(uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<std::byte>(value));
}

void SampleDeltaWriter::add(uint32_t number, const Sample& sample) {
  CHECK(number != 0);
  put(zigzag(last_, number));
  last_ = number;
  ++samples_;
  SampleBase::Counts& counts = base_.of(number);
  uint64_t mask = 0;
  for (size_t i = 0; i < kSampleFields.size(); ++i) {
    if (raw(sample.*kSampleFields[i].member) != counts[i]) mask |= uint64_t{1} << i;
  }
  put(mask);
  for (; mask != 0; mask &= mask - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(mask));
    const int64_t value = raw(sample.*kSampleFields[i].member);
    put(zigzag(counts[i], value));
    counts[i] = value;
  }
}

Result<std::vector<NumberedSample>> read_sample_deltas(std::span<const std::byte> bytes, Instant at,
                                                       SampleBase& base) {
  std::vector<NumberedSample> samples;
  VarintReader reader(bytes);
  int64_t number = 0;
  while (!reader.at_end()) {
    const std::optional<uint64_t> step = reader.next();
    const std::optional<uint64_t> mask = reader.next();
    if (!step || !mask) return fail("the samples end too early");
    const int64_t next = add_zigzag(number, *step);
    if (next <= 0 || next > UINT32_MAX) {
      return fail(fmt::format("the number after container {} is {}", number, next));
    }
    number = next;
    if (kSampleFields.size() < 64 && *mask >> kSampleFields.size() != 0) {
      return fail(fmt::format("the mask {:#x} of container {} names fields that nobody knows",
                              *mask, number));
    }
    SampleBase::Counts& counts = base.of(static_cast<uint32_t>(number));
    for (uint64_t left = *mask; left != 0; left &= left - 1) {
      const std::optional<uint64_t> change = reader.next();
      if (!change) return fail("the samples end too early");
      int64_t& count = counts[static_cast<size_t>(std::countr_zero(left))];
      count = add_zigzag(count, *change);
      if (count < kAbsent) {
        return fail(fmt::format("a count of container {} is {}", number, count));
      }
    }
    NumberedSample& one = samples.emplace_back();
    one.number = static_cast<uint32_t>(number);
    one.sample.at = at;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] != kAbsent) one.sample.*kSampleFields[i].member = counts[i];
    }
  }
  return samples;
}

}  // namespace tepui
