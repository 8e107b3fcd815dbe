// tepui-sim runs the simulation for many seeds: one line of progress, and at a failure the command
// that repeats it, with the last events. Exit status 1: a promise was broken.

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/sim/runs.h"
#include "tests/sim/simulation.h"

namespace tepui::sim {
namespace {

constexpr std::string_view kUsage =
    "usage: tepui-sim [--seeds N] [--start S] [--seed S] [--agents N] [--frameworks N] [--tasks "
    "N]\n"
    "                 [--jobs N] [--speed] [--verbose] [--counters]\n"
    "Runs the real cores on a virtual clock under faults drawn from each seed.\n"
    "  --seeds N       how many seeds, one after another (100)\n"
    "  --start S       the first of them (1)\n"
    "  --seed S        only this one, with the last events printed if it fails\n"
    "  --agents N, --frameworks N, --tasks N (per framework): instead of numbers from the seed\n"
    "  --jobs N        how many seeds at the same time (as many as there are processors)\n"
    "  --speed         clusters of 100 nodes (2 masters, 90 agents, 8 frameworks) under all "
    "faults,\n"
    "                  but tuned as they are by default\n"
    "  --verbose       prints every event\n"
    "  --counters      prints how often each rare path was reached\n"
    "At the end: how much faster than real time all that went.\n";

struct Options {
  uint64_t seeds = 100;
  uint64_t start = 1;
  uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  Size size;
  bool verbose = false;
  bool counters = false;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--speed") {
      options.size.agents = 90;
      options.size.frameworks = 8;
      options.size.is_tuned_by_default = true;
      continue;
    }
    if (flag == "--verbose" || flag == "--counters") {
      (flag == "--verbose" ? options.verbose : options.counters) = true;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    char* end = nullptr;
    const uint64_t number = std::strtoull(argv[++i], &end, 10);
    if (*end != '\0' || end == argv[i]) return std::nullopt;
    if (flag == "--seeds") {
      options.seeds = number;
    } else if (flag == "--start") {
      options.start = number;
    } else if (flag == "--seed") {
      options.start = number;
      options.seeds = 1;
    } else if (flag == "--jobs") {
      options.jobs = number;
    } else if (flag == "--agents") {
      options.size.agents = static_cast<uint32_t>(number);
    } else if (flag == "--frameworks") {
      options.size.frameworks = static_cast<uint32_t>(number);
    } else if (flag == "--tasks") {
      options.size.tasks = static_cast<uint32_t>(number);
    } else {
      return std::nullopt;
    }
  }
  return options;
}

void report(uint64_t seed, const Options& options, const Outcome& failed) {
  // The same seed gives the same run: this time with the events kept.
  if (!options.verbose) {
    const Outcome again = run(seed, options.size, Tracing::kLast);
    for (const std::string& line : again.last_lines) fmt::print("{}\n", line);
    if (again.hash != failed.hash)
      fmt::print("the second run of this seed differs from the first\n");
  }
  fmt::print("\nseed {} failed: {}: {}\nreplay: {}\n", seed, failed.violation->checker,
             failed.violation->what, replay_command(seed, options.size));
}

// One line that moves on a terminal, else a line now and then.
void show_progress(uint64_t passed, uint64_t seeds, uint64_t events) {
  const bool moves = isatty(STDOUT_FILENO) == 1;
  const bool last = passed == seeds;
  if (!last && passed % (moves ? 10 : 100) != 0) return;
  fmt::print("{}{} of {} seeds passed, {} events{}", moves ? "\r" : "", passed, seeds, events,
             moves && !last ? "" : "\n");
  std::fflush(stdout);
}

// With thousands apart: "2,345".
std::string grouped(double number) {
  std::string text = fmt::format("{:.0f}", number);
  for (size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

// How much of simulated time passes in one second, and in one second of one processor, which does
// not depend on what else runs on the machine.
class Speed {
 public:
  void add(const Outcome& outcome) {
    ++runs_;
    nodes_ += outcome.nodes;
    simulated_ += outcome.virtual_time;
  }
  void print() const {
    const double real =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    fmt::print(
        "{:.{}f} nodes: {} times real time, {} times the time of one processor\n",
        static_cast<double>(nodes_) / static_cast<double>(runs_), nodes_ % runs_ == 0 ? 0 : 1,
        grouped(to_secs(simulated_) / real),
        grouped(to_secs(simulated_) / (cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN))));
  }

 private:
  // Of processes that have ended.
  static double cpu_seconds(int whose) {
    rusage used{};
    getrusage(whose, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  }

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t runs_ = 0;
  uint64_t nodes_ = 0;
  Duration simulated_{};
};

struct Total {
  uint64_t events = 0;
  Speed speed;
  std::map<std::string, uint64_t> counters;
  bool failed = false;
};

void add(const Outcome& outcome, Total& total) {
  total.events += outcome.events;
  total.speed.add(outcome);
  for (const auto& [name, count] : outcome.counters) total.counters[name] += count;
  total.failed = outcome.violation.has_value();
}

void run_one(uint64_t seed, const Options& options, Total& total) {
  const Outcome outcome = run(seed, options.size, options.verbose ? Tracing::kAll : Tracing::kOff);
  add(outcome, total);
  if (total.failed) return report(seed, options, outcome);
  fmt::print("seed {}: {} events in {:.0f} virtual seconds, hash {:016x}\n{}\n", seed,
             outcome.events, to_secs(outcome.virtual_time), outcome.hash, outcome.faults);
}

void run_many(const Options& options, Total& total) {
  Runs runs(options.start, options.seeds, options.size, options.jobs);
  for (uint64_t i = 0; i < options.seeds; ++i) {
    const Outcome outcome = runs.next();
    add(outcome, total);
    if (total.failed) return report(options.start + i, options, outcome);
    show_progress(i + 1, options.seeds, total.events);
  }
}

int run_all(const Options& options) {
  Total total;
  if (options.seeds == 1 || options.verbose) {
    for (uint64_t i = 0; i < options.seeds && !total.failed; ++i) {
      run_one(options.start + i, options, total);
    }
  } else {
    run_many(options, total);
  }
  if (total.failed) return 1;
  total.speed.print();
  if (options.counters) {
    for (const auto& [name, count] : total.counters) fmt::print("{:12} {}\n", count, name);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse(argc, argv);
  if (!options) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  return run_all(*options);
}

}  // namespace tepui::sim

int main(int argc, char** argv) { return tepui::sim::main(argc, argv); }
