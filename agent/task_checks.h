#pragma once
// TaskChecks says when the check and the health check of one task are to look again, and what their
// findings mean. It starts nothing itself: whoever runs the task starts the probes that are due and
// tells what they saw.
//
// Invariants: of each kind at most one probe is out; the next is due an interval after the end of
// the last; a change is reported once. A health check counts failures in a row, but none within the
// grace period until the first success; a probe that takes longer than its timeout is given up and
// counts as one that saw nothing.
//
// Pure.

#include <cstdint>
#include <memory>
#include <optional>

#include "common/checks.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

class TaskChecks {
 public:
  enum class Kind : uint8_t { kCheck, kHealth };

  // What a finding changes.
  struct Report {
    bool changed = false;  // the framework is to be told, with `reason`
    bool kill = false;     // unhealthy too often in a row
    TaskReason reason = TaskReason::kNone;
  };
  struct Step {
    enum class What : uint8_t { kStart, kGiveUp } what = What::kStart;
    Kind kind = Kind::kCheck;
    Report report;  // kGiveUp: what follows from it
  };

  TaskChecks() = default;
  explicit TaskChecks(std::shared_ptr<const TaskSpec> spec);

  // The task runs. `known` is what was last told of it, if that was in an earlier life of the
  // agent.
  void begin(Instant now, const TaskStatus* known);
  // It is being killed or has ended: nothing is due any more, what was seen does not matter.
  void end();

  // One after the other, until there is none.
  std::optional<Step> next_step(Instant now);
  // What a probe saw, as in CheckStatus; nothing: it did not come to an end.
  Report on_result(Instant now, Kind kind, std::optional<int32_t> value);

  const CheckInfo& info(Kind kind) const;
  Instant deadline() const;  // kNever: nothing will be due
  std::optional<bool> healthy() const { return healthy_; }
  std::optional<CheckStatus> check() const { return check_; }
  uint32_t failures() const { return failures_; }  // in a row

 private:
  struct Track {
    Instant due = kNever;  // of the next probe, or of giving up the one that is out
    bool out = false;
  };

  Track& track(Kind kind) { return kind == Kind::kCheck ? check_track_ : health_track_; }
  Report on_checked(std::optional<int32_t> value);
  Report on_health(Instant now, bool is_healthy);

  std::shared_ptr<const TaskSpec> spec_;
  Track check_track_;
  Track health_track_;
  std::optional<CheckStatus> check_;
  std::optional<bool> healthy_;
  uint32_t failures_ = 0;
  Instant began_{};
};

}  // namespace tepui
