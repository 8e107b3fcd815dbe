#pragma once
// Ladder is how far the corrections of one container have gone: for each contended resource a stack
// of the steps that were taken, which is undone from its top. What holds for the container is all
// of them together, the smallest of each.
//
// Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/corrections.h"
#include "agent/qos/settings.h"
#include "agent/qos/usage_history.h"
#include "common/time.h"

namespace tepui {

class Ladder {
 public:
  struct Taken {
    Step step = Step::kIdle;
    int64_t value = 0;     // of a maximum, in the unit of its correction
    int64_t permille = 0;  // of kCpuMax, as a part of the time
    Instant at{};
  };

  // What comes next: again the same one, with half of it, until its floor; then the one after it.
  // kOfferLess is not a container's. Nothing: the end of the ladder, or of what makes a difference.
  std::optional<Taken> next(Contended contended, const QosSettings& settings,
                            const UsageHistory& usage, bool may_lose_memory) const;
  // The one that is asked for, whatever comes next.
  void take(Contended contended, Taken taken);
  // The last one of this resource.
  std::optional<Taken> undo(Contended contended);

  const std::vector<Taken>& taken(Contended contended) const {
    return stacks_[static_cast<size_t>(contended)];
  }
  bool none() const;
  bool frozen() const { return frozen_since().has_value(); }
  std::optional<Instant> frozen_since() const;
  Corrections corrections() const;

  // Maxima are halved at most so often: what is left of a processor then is a thousandth.
  static constexpr size_t kRepeatedMax = 10;

 private:
  std::array<std::vector<Taken>, kContendedCount> stacks_;
};

}  // namespace tepui
