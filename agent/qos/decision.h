#pragma once
// QosDecision is one thing that a controller did, with all of its reasons.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/corrections.h"
#include "agent/qos/settings.h"
#include "common/ids.h"
#include "common/time.h"

namespace tepui {

struct QosDecision {
  Instant at{};
  WallTime at_wall{};
  Step step = Step::kOfferLess;
  bool undone = false;  // the step is taken back
  ContainerId culprit;  // empty: it is about what is offered
  Contended contended = Contended::kCpu;
  std::string rule;  // or the policy, or why all is undone
  Signal signal = Signal::kCpuPressure;
  int64_t value = 0;        // of the signal, in its unit
  int64_t threshold = 0;    // that it is above; of what is undone the recovery that it is below
  ContainerId victim;       // empty: nobody, or not one alone
  int64_t blame = 0;        // of the culprit (agent/qos/usage_history.h)
  Corrections corrections;  // of the culprit from now on, all of them
  int64_t offered_permille = 1000;  // of the estimate, of this resource, from now on
  bool operator==(const QosDecision&) const = default;
};

// "idle class, at most 0.5 cpus", "50 % of unused cpu is offered": what holds from now on.
std::string effect_of(const QosDecision& decision);
// "waits: run_queue_p99 of VICTIM is 9000 us, above 4000 us"; the victim by its container, where it
// has no other name.
std::string reason_of(const QosDecision& decision, std::string_view victim = {});

}  // namespace tepui
