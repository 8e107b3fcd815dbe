#pragma once
// The contest: tasks are shuffled and put on machines, ten on each, at most 60 machines. After two
// hours, and then every 15 minutes, a predictor that has seen at most the last ten hours of its
// machine says how high the machine's total will rise within the next hour. Nothing is carried from
// one prediction to the next: each is made by a predictor that was fed those hours alone.
//
// For benchmarks only.

#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/oversubscription/peak_predictor.h"
#include "perf/usage_trace.h"

namespace tepui::perf {

// What a rule earned, in percent.
struct Score {
  double reclaim = 0;     // mean of 1 - predicted / sum of limits
  double violations = 0;  // predictions below the peak that came
  double severity = 0;    // by how much of that peak those were too low, on average
};

// One shuffle of a trace's tasks.
class Contest {
 public:
  Contest(const UsageTrace& trace, uint64_t seed, size_t tasks_a_machine);

  // Whoever knows each peak.
  Score oracle() const;
  // Whoever knows only the highest peak of each machine's day, and no time.
  Score hindsight() const;
  // `name` is one of kPredictorNames.
  Score run(std::string_view name, const PredictorSettings& settings) const;

  size_t machines() const { return machines_.size(); }
  size_t predictions() const;

 private:
  // What is asked at a time of a machine's day, and the answer.
  struct Question {
    size_t at = 0;
    int64_t limits = 0;
    int64_t peak = 0;
  };
  struct Machine {
    std::vector<const TaskUsage*> tasks;
    std::vector<Question> questions;
  };

  template <class Predict>
  Score score(const Predict& predict) const;

  std::vector<Machine> machines_;
};

}  // namespace tepui::perf
