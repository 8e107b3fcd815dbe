#pragma once
// Trial runs an estimator and a controller on samples that were recorded, and says what they would
// have lent and done, and how often the estimate would have been too bold.
//
// What it cannot know: how the work would have reacted. What a correction takes from a task, that
// task still uses in the recording, and what would have been lent in addition nobody used.
//
// Pure.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "agent/qos/controller.h"
#include "agent/qos/oversight_settings.h"

namespace tepui {

struct TrialResult {
  struct Task {
    std::string name;  // of the task, or of the executor
    std::string role;
    bool revocable = false;
    Duration seen{};
    Duration suffered{};  // by any rule
    Duration corrected{};
    Duration frozen{};
    uint64_t steps = 0;  // that were taken against it
    bool evicted = false;
  };

  uint64_t readings = 0;
  Duration span{};  // of the samples
  // Processors, over the time: what was allocated and not revocable, and what of it would have been
  // lent.
  double allocated_cpu_secs = 0;
  double lent_cpu_secs = 0;
  // Estimates after which, within the horizon, more was used than they left; those whose horizon
  // the recording does not reach are not counted. Severity: by how much of what was used, on
  // average.
  uint64_t estimates = 0;
  uint64_t violations = 0;
  double severity = 0;
  QosController::Counts counts;
  std::map<ContainerId, Task> tasks;

  double reclaimed() const {
    return allocated_cpu_secs > 0 ? lent_cpu_secs / allocated_cpu_secs : 0;
  }
};

class Trial {
 public:
  explicit Trial(const OversightSettings& settings, Duration horizon = std::chrono::hours(1));

  // As recorded, in that order.
  void on_container(const ContainerFacts& facts);
  void on_gone(const ContainerId& id);
  void on_sample(const ContainerId& id, const Sample& sample);
  // That was one reading.
  void on_sampled(Now now);

  TrialResult result() const;
  const std::deque<QosDecision>& decisions() const { return controller_.decisions(); }

 private:
  struct Estimate {
    Instant until{};
    int64_t left_milli = 0;  // of processors, to those that paid
    int64_t peak_milli = 0;
  };
  struct Member {
    int64_t allocated_milli = 0;
    bool revocable = false;
    std::optional<Sample> last;
    int64_t used_milli = 0;
  };

  void add_time(Duration passed);
  void judge(Instant now);

  const Duration horizon_;
  QosController controller_;
  RevocablePool pool_;
  std::map<ContainerId, Member> members_;
  std::deque<Estimate> open_;
  std::optional<Instant> last_;
  TrialResult result_;
  double severity_sum_ = 0;
};

}  // namespace tepui
