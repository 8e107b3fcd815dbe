#pragma once
// UsageHistory is what one container used of each contended resource in the last readings, and
// Suffering how badly a container was off in the same ones: culprits are found by both.
//
// A place in them is a reading of all containers, by number, which only grows; what was not
// measured in a reading is 0, which blames nobody.
//
// Pure. Bounded: all memory is in the objects.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "agent/qos/signals.h"
#include "agent/sample.h"

namespace tepui {

inline constexpr size_t kReadingsKept = 64;  // 6 s at ten a second

// In the units that a correction needs: thousandths of a processor, kB in use, kB a second through
// block devices, kB a second sent.
class UsageHistory {
 public:
  void add(uint64_t reading, const Sample& sample);
  int64_t at(Contended contended, uint64_t reading) const;
  // Of the last reading that was added.
  int64_t latest(Contended contended) const;
  // The mean of the last `readings`, up to the last one that was added.
  int64_t mean(Contended contended, size_t readings) const;
  // In use now and what of it may be unused files in its cache; for limits on memory.
  int64_t memory_bytes() const { return memory_bytes_; }

 private:
  using Row = std::array<int32_t, kContendedCount>;
  std::array<Row, kReadingsKept> rows_{};
  uint64_t latest_ = 0;  // the reading of the newest row, plus one; 0: none
  int64_t memory_bytes_ = 0;
  std::optional<Sample> before_;
};

// In thousandths: 0 is as bad as is just borne, above it is worse (1000: without end), below better
// (-1000: not at all). After CPI², section 4.2: 1 - threshold/value, or value/threshold - 1.
class Suffering {
 public:
  void add(uint64_t reading, int64_t value, int64_t threshold);
  int64_t at(uint64_t reading) const;

 private:
  std::array<int16_t, kReadingsKept> rows_{};
  uint64_t latest_ = 0;  // likewise
};

// What is used while the other suffers, the more it suffers the more that counts, less half of what
// is used while it does not; in the unit of UsageHistory. Whoever uses little cannot be much to
// blame, nor who uses less when it is bad; who uses the same all the time is, by half. Over the
// readings up to and including `reading`; 0 where nobody suffered.
//
// CPI² correlates with a suspect's use as a part of its own, which finds who takes part in the
// rhythm, however small; and a suspect that used something for long while all was well is acquitted
// for as long as that is remembered. Neither is wanted here: the first has nothing to give back,
// the second may have begun to use much more just now.
int64_t blame(const UsageHistory& usage, Contended contended, const Suffering& suffering,
              uint64_t reading);

}  // namespace tepui
