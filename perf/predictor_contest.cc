#include "perf/predictor_contest.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "agent/oversubscription/predictors.h"
#include "common/check.h"
#include "common/rng.h"

namespace tepui::perf {

namespace {

constexpr size_t kMachines = 60;
constexpr size_t kWarmUp = 24;  // samples of five minutes
constexpr size_t kEvery = 3;
constexpr size_t kHorizon = 12;
constexpr size_t kHistory = 120;

size_t end_of(const TaskUsage& task) { return task.first + task.usage_milli.size(); }
bool runs_at(const TaskUsage& task, size_t at) { return task.first <= at && at < end_of(task); }

Instant time_of(size_t sample) { return Instant(std::chrono::minutes(5) * sample); }

// What the tasks used until `at` (not with it), in the last hours.
void feed(PeakPredictor& predictor, const std::vector<const TaskUsage*>& tasks, size_t at) {
  const size_t begin = at > kHistory ? at - kHistory : 0;
  for (size_t now = begin; now <= at; ++now) {
    for (TaskSlot slot = 0; slot < tasks.size(); ++slot) {
      const TaskUsage& task = *tasks[slot];
      if (now == end_of(task)) predictor.on_task_removed(slot);
      if (!runs_at(task, now)) continue;
      if (now == std::max(task.first, begin)) {
        predictor.on_task_added(slot, {.request = task.limit_milli, .limit = task.limit_milli});
      }
      if (now < at) predictor.on_sample(slot, time_of(now), task.usage_milli[now - task.first]);
    }
  }
}

}  // namespace

Contest::Contest(const UsageTrace& trace, uint64_t seed, size_t tasks_a_machine) {
  std::vector<size_t> order(trace.tasks.size());
  std::iota(order.begin(), order.end(), 0);
  Rng rng(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  machines_.resize(std::min(kMachines, order.size() / tasks_a_machine));
  size_t next = 0;
  for (Machine& machine : machines_) {
    for (size_t i = 0; i < tasks_a_machine; ++i) {
      machine.tasks.push_back(&trace.tasks[order[next++]]);
    }
    for (size_t at = kWarmUp; at + kHorizon < kSamplesADay; at += kEvery) {
      Question question{.at = at};
      std::vector<int64_t> totals(kHorizon);
      // Only of who is there now: who comes later brings an allocation of its own.
      for (const TaskUsage* task : machine.tasks) {
        if (!runs_at(*task, at)) continue;
        question.limits += task->limit_milli;
        for (size_t i = 0; i < kHorizon && at + i < end_of(*task); ++i) {
          totals[i] += task->usage_milli[at + i - task->first];
        }
      }
      question.peak = *std::ranges::max_element(totals);
      if (question.limits > 0) machine.questions.push_back(question);
    }
  }
}

size_t Contest::predictions() const {
  size_t count = 0;
  for (const Machine& machine : machines_) count += machine.questions.size();
  return count;
}

template <class Predict>
Score Contest::score(const Predict& predict) const {
  Score sum;
  size_t asked = 0;
  size_t violations = 0;
  for (const Machine& machine : machines_) {
    for (const Question& question : machine.questions) {
      const int64_t predicted = predict(machine, question);
      sum.reclaim += 1 - static_cast<double>(predicted) / static_cast<double>(question.limits);
      ++asked;
      if (predicted >= question.peak) continue;
      ++violations;
      sum.severity +=
          static_cast<double>(question.peak - predicted) / static_cast<double>(question.peak);
    }
  }
  if (asked == 0) return {};
  const auto all = static_cast<double>(asked);
  const auto low = static_cast<double>(violations);
  return {.reclaim = 100 * sum.reclaim / all,
          .violations = 100 * low / all,
          .severity = violations > 0 ? 100 * sum.severity / low : 0};
}

Score Contest::oracle() const {
  return score([](const Machine&, const Question& question) { return question.peak; });
}

Score Contest::hindsight() const {
  return score([](const Machine& machine, const Question& question) {
    int64_t highest = 0;
    for (const Question& any : machine.questions) highest = std::max(highest, any.peak);
    return std::min(highest, question.limits);
  });
}

Score Contest::run(std::string_view name, const PredictorSettings& settings) const {
  return score([name, &settings](const Machine& machine, const Question& question) {
    auto predictor = make_predictor(name, settings);
    CHECK(predictor.has_value());
    feed(**predictor, machine.tasks, question.at);
    return (*predictor)->predict(time_of(question.at)).peak;
  });
}

}  // namespace tepui::perf
