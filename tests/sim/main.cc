// tepui-sim runs the simulation for many seeds: one line of progress, and at a failure the command
// that repeats it, with the last events. Exit status 1: a promise was broken.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/simulation.h"

namespace tepui::sim {
namespace {

constexpr std::string_view kUsage =
    "usage: tepui-sim [--seeds N] [--start S] [--seed S] [--agents N] [--frameworks N] [--tasks "
    "N]\n"
    "                 [--verbose] [--counters]\n"
    "Runs the real cores on a virtual clock under faults drawn from each seed.\n"
    "  --seeds N       how many seeds, one after another (100)\n"
    "  --start S       the first of them (1)\n"
    "  --seed S        only this one, with the last events printed if it fails\n"
    "  --agents N, --frameworks N, --tasks N (per framework): instead of numbers from the seed\n"
    "  --verbose       prints every event\n"
    "  --counters      prints how often each rare path was reached\n";

struct Options {
  uint64_t seeds = 100;
  uint64_t start = 1;
  Size size;
  bool verbose = false;
  bool counters = false;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
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

int run_all(const Options& options) {
  uint64_t events = 0;
  std::map<std::string, uint64_t> counters;
  for (uint64_t seed = options.start; seed < options.start + options.seeds; ++seed) {
    const Outcome outcome =
        run(seed, options.size, options.verbose ? Tracing::kAll : Tracing::kOff);
    events += outcome.events;
    for (const auto& [name, count] : outcome.counters) counters[name] += count;
    if (outcome.violation) {
      report(seed, options, outcome);
      return 1;
    }
    if (options.seeds == 1) {
      fmt::print("seed {}: {} events in {:.0f} virtual seconds, hash {:016x}\n{}\n", seed,
                 outcome.events, to_secs(outcome.virtual_time), outcome.hash, outcome.faults);
    } else {
      show_progress(seed + 1 - options.start, options.seeds, events);
    }
  }
  if (options.counters) {
    for (const auto& [name, count] : counters) fmt::print("{:12} {}\n", count, name);
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
