// The contest of the peak predictors (perf/predictor_contest.h has its rules): on a synthetic day,
// and on every trace that is given with --trace PATH. And what a sample costs each of them.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/oversubscription/predictors.h"
#include "common/check.h"
#include "common/rng.h"
#include "perf/predictor_contest.h"
#include "perf/report.h"
#include "perf/usage_generator.h"
#include "perf/usage_trace.h"

namespace tepui::perf {
namespace {

constexpr uint64_t kGeneratorSeed = 1;

struct Options {
  std::vector<std::string> traces;
  uint64_t seeds = 5;
  size_t tasks_a_machine = 10;
  std::vector<std::string> predictors;  // none: all
  PredictorSettings settings;
};

constexpr std::string_view kUsage =
    "usage: bench_predictors [--trace PATH]... [--seeds N] [--tasks N] [--predictor NAME]...\n"
    "       [--burst-sigmas MILLI] [--half-life MINUTES]\n"
    "  --trace PATH   a file or folder of PlanetLab, CloudWatch, bitbrains or Alibaba openb pods\n"
    "  --seeds N      shuffles of each trace (5)\n"
    "  --tasks N      tasks a machine (10)\n"
    "  --predictor NAME   only these\n"
    "  --burst-sigmas MILLI, --half-life MINUTES   of the predictor `burst`\n";

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 >= argc) return false;
    if (name == "--trace") {
      options.traces.emplace_back(argv[i + 1]);
      continue;
    }
    if (name == "--predictor") {
      options.predictors.emplace_back(argv[i + 1]);
      continue;
    }
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (value == 0 || value > 1'000'000) return false;
    if (name == "--seeds") {
      options.seeds = value;
    } else if (name == "--tasks" && value <= kMaxTaskSlots) {
      options.tasks_a_machine = value;
    } else if (name == "--burst-sigmas") {
      options.settings.burst_sigmas_milli = static_cast<uint32_t>(value);
    } else if (name == "--half-life") {
      options.settings.moments_half_life = std::chrono::minutes(value);
    } else {
      return false;
    }
  }
  return true;
}

double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Nanoseconds for a sample of one task, with a prediction after each round of 100 tasks.
Measurement cost_of(const std::string& name) {
  return [name] {
    constexpr TaskSlot kTasks = 100;
    constexpr int kRounds = 2000;
    Rng rng(7);
    std::vector<std::vector<int64_t>> usage;
    for (TaskSlot slot = 0; slot < kTasks; ++slot) {
      usage.push_back(generated_usage(rng, 4000, kRounds));
    }
    auto predictor = make_predictor(name, {});
    CHECK(predictor.has_value());
    for (TaskSlot slot = 0; slot < kTasks; ++slot) {
      (*predictor)->on_task_added(slot, {.request = 4000, .limit = 4000});
    }
    int64_t sum = 0;
    const double start = cpu_ns();
    for (int round = 0; round < kRounds; ++round) {
      const Instant now(std::chrono::seconds(15) * round);
      for (TaskSlot slot = 0; slot < kTasks; ++slot) {
        (*predictor)->on_sample(slot, now, usage[slot][static_cast<size_t>(round)]);
      }
      sum += (*predictor)->predict(now).peak;
    }
    const double taken = cpu_ns() - start;
    CHECK(sum > 0);
    return taken / (kTasks * kRounds);
  };
}

struct Row {
  std::string name;
  std::vector<Score> scores;  // by seed
};

double mean(const Row& row, double Score::* part) {
  double sum = 0;
  for (const Score& score : row.scores) sum += score.*part;
  return sum / static_cast<double>(row.scores.size());
}

// With the cost of a sample where there is one.
void print_and_keep(const std::string& trace, const std::vector<Row>& rows, Report& report) {
  fmt::print("{:<14} {:>9} {:>13} {:>12} {:>12} {:>10}\n", "predictor", "reclaim %",
             "gap to oracle", "violations %", "worst seed %", "severity %");
  const double best = mean(rows[0], &Score::reclaim);
  for (const Row& row : rows) {
    double worst = 0;
    for (const Score& score : row.scores) worst = std::max(worst, score.violations);
    const double reclaim = mean(row, &Score::reclaim);
    fmt::print("{:<14} {:>9.2f} {:>13.2f} {:>12.3f} {:>12.3f} {:>10.1f}\n", row.name, reclaim,
               best - reclaim, mean(row, &Score::violations), worst, mean(row, &Score::severity));
    const auto keep = [&](std::string_view what, Better better, double Score::* part) {
      std::vector<double> values;
      for (const Score& score : row.scores) values.push_back(score.*part);
      report.add({.name = fmt::format("predictors/{}/{}/{}", trace, row.name, what),
                  .unit = "%",
                  .better = better,
                  .sample = sample_of(std::move(values)),
                  .against = std::nullopt});
    };
    keep("reclaim", Better::kHigher, &Score::reclaim);
    keep("violations", Better::kLower, &Score::violations);
    keep("severity", Better::kLower, &Score::severity);
  }
  fmt::print("\n");
}

void hold(const UsageTrace& trace, const Options& options, Report& report) {
  std::vector<Row> rows = {{.name = "oracle"}, {.name = "hindsight"}};
  for (const std::string& name : options.predictors) rows.push_back({.name = name});
  size_t machines = 0;
  size_t predictions = 0;
  for (uint64_t seed = 1; seed <= options.seeds; ++seed) {
    const Contest contest(trace, seed, options.tasks_a_machine);
    machines = contest.machines();
    predictions += contest.predictions();
    rows[0].scores.push_back(contest.oracle());
    rows[1].scores.push_back(contest.hindsight());
    for (size_t i = 2; i < rows.size(); ++i) {
      rows[i].scores.push_back(contest.run(rows[i].name, options.settings));
    }
  }
  fmt::print("{}: {} tasks, {} machines of {}, {} shuffles, {} predictions\n", trace.name,
             trace.tasks.size(), machines, options.tasks_a_machine, options.seeds, predictions);
  if (machines == 0) {
    fmt::print("  too few tasks for a machine\n\n");
    return;
  }
  print_and_keep(trace.name, rows, report);
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  if (options.predictors.empty()) {
    options.predictors.assign(kPredictorNames.begin(), kPredictorNames.end());
  }
  for (const std::string& name : options.predictors) {
    if (const auto made = make_predictor(name, options.settings); !made) {
      fmt::print(stderr, "bench_predictors: {}\n", made.error().message);
      return 2;
    }
  }
  const auto traces = read_usage_traces(options.traces);
  if (!traces) {
    fmt::print(stderr, "bench_predictors: {}\n", traces.error().message);
    return 1;
  }
  Report report("predictors");
  fmt::print("{}", Report::header());
  hold(generated_trace(kGeneratorSeed), options, report);
  hold(generated_churn(kGeneratorSeed), options, report);
  for (const UsageTrace& trace : *traces) hold(trace, options, report);
  fmt::print("a sample of one of 100 tasks, with a prediction for all of them each round\n");
  for (const std::string& name : options.predictors) {
    const Subject subject{.name = fmt::format("predictors/sample/{}", name),
                          .measure = cost_of(name)};
    const Sample sample = report.measure({.unit = "ns", .better = Better::kLower}, subject, 9);
    fmt::print("{:<14} {:>7.1f} ns (spread {:.1f}, n {})\n", name, sample.p50, sample.spread,
               sample.n);
  }
  return report.write();
}

}  // namespace
}  // namespace tepui::perf

int main(int argc, char** argv) { return tepui::perf::run(argc, argv); }
