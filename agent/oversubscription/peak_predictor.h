#pragma once
// PeakPredictor says how high the use of one resource by the tasks of this machine may rise within
// the horizon, from samples of what they used. The horizon is an hour: no rule has a parameter for
// it, the contest (perf/predictor_contest.h) judges all of them by the peak of the next hour. One
// instance for cpus (thousandths), another for memory (bytes of the working set: page cache is
// given back when it is asked for, and would hide what tasks need).
//
// A prediction lies between 0 and what is allocated, whatever was sampled. A task whose history is
// too young, or of which no sample came lately, counts with its limit. Slots are dense and chosen
// by the caller; all samples of one round carry the same time. Neither a sample nor a prediction
// allocates, the memory of a task is fixed, and the same inputs give the same predictions. Amounts
// are integers; statistics between them are doubles, rounded up when they leave.
//
// Pure.

#include <chrono>
#include <cstdint>

#include "common/time.h"

namespace tepui {

using TaskSlot = uint32_t;

// Slots and amounts are bounded so that the sum of all fits an int64 and an amount fits a double
// exactly. 2^50 bytes are a petabyte. A larger amount counts as this one.
inline constexpr TaskSlot kMaxTaskSlots = 4096;
inline constexpr int64_t kMaxTaskAmount = int64_t{1} << 50;

struct TaskTerms {
  int64_t request = 0;  // what is allocated for the task
  int64_t limit = 0;    // what it can use at most; below the request it counts as the request
};

struct Prediction {
  int64_t peak = 0;
  int64_t allocated = 0;  // the sum of requests
};

struct PredictorSettings {
  // How long after its first sample a task counts with its limit.
  Duration min_history = std::chrono::minutes(30);
  // How long after its last sample a task counts with its limit again.
  Duration max_silence = std::chrono::minutes(15);
  // After this time a sample counts half. Autopilot has 12 h for its percentiles.
  Duration moments_half_life = std::chrono::hours(3);
  Duration percentile_half_life = std::chrono::hours(12);
  uint32_t borg_permille = 900;        // of the sum of limits
  uint32_t percentile_permille = 990;  // of a task's samples
  uint32_t sigmas_milli = 5000;        // N of N-sigma, in thousandths
  uint32_t burst_sigmas_milli = 2500;  // of the predictor `burst`
};

class PeakPredictor {
 public:
  PeakPredictor() = default;
  PeakPredictor(const PeakPredictor&) = delete;
  PeakPredictor& operator=(const PeakPredictor&) = delete;
  virtual ~PeakPredictor() = default;

  // A slot that is taken is given to the new task. `slot` is below kMaxTaskSlots.
  virtual void on_task_added(TaskSlot slot, const TaskTerms& terms) = 0;
  // Nothing happens if the slot is free.
  virtual void on_task_removed(TaskSlot slot) = 0;
  // A sample of a free slot, or one that is not later than the last of its task, is ignored.
  virtual void on_sample(TaskSlot slot, Instant at, int64_t usage) = 0;
  virtual Prediction predict(Instant now) const = 0;
};

}  // namespace tepui
