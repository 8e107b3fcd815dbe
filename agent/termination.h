#pragma once
// Termination is the ending of one task on request: SIGTERM to the command, then, when the grace is
// over, the whole container.
//
// Invariants: the deadline only ever comes nearer; each of the two steps is taken at most once in a
// life of the agent; a kill that somebody requested outranks one by the completion timer.
//
// Pure.

#include <cstdint>

#include "common/time.h"

namespace tepui {

enum class KillCause : uint8_t {
  kNone,
  kCompletionTime,    // max_completion_time is over
  kRequested,         // by the framework or an operator
  kDrained,           // an operator empties the agent
  kFrameworkRemoved,  // its framework was torn down
  kAgentShutdown,     // the agent ends
  kUnhealthy,         // its health check failed too often
  kGroupEnded,        // another task of its group did not finish
  kPreempted,         // revocable, and in the way of those that paid
};

class Termination {
 public:
  enum class Step : uint8_t {
    kNone,
    kTerminate,  // SIGTERM to the command
    kKill,       // the whole container at once
  };

  // Of a running command. A second request may shorten the grace that is left, not lengthen it.
  Step request(Instant now, KillCause cause, Duration grace);
  // Of a container that is still being launched: its command ends as soon as it has begun.
  void request_at_launch(KillCause cause);
  // Of a command that an earlier life ran, and that is not taken up yet: with its grace, it hears
  // SIGTERM then.
  void request_before_adoption(Instant now, KillCause cause, Duration grace);
  // Of a container of an earlier life, as it was remembered. The command may have heard SIGTERM, or
  // not yet: it hears it (again). Without a deadline the end was asked at once.
  void resume(KillCause cause, bool during_launch, Instant deadline);
  // The command runs now.
  Step on_launched();
  Step on_time(Instant now);

  bool requested() const { return cause_ != KillCause::kNone; }
  bool during_launch() const { return during_launch_; }
  KillCause cause() const { return cause_; }
  Instant deadline() const { return deadline_; }  // kNever: nothing to wait for

 private:
  void take_cause(KillCause cause);
  Step finish();

  KillCause cause_ = KillCause::kNone;
  bool during_launch_ = false;
  bool finished_ = false;  // kKill was answered
  bool resumed_ = false;   // kTerminate is still to be answered
  Instant deadline_ = kNever;
};

}  // namespace tepui
