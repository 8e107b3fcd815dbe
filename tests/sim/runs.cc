#include "tests/sim/runs.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdlib>
#include <string>

namespace tepui::sim {

namespace {

// One line of numbers, then one for each counter.
void write_outcome(std::FILE* to, const Outcome& outcome) {
  fmt::print(to, "{} {} {} {} {} {}\n", outcome.violation ? 1 : 0, outcome.hash, outcome.events,
             outcome.nodes, outcome.virtual_time.count(), outcome.counters.size());
  for (const auto& [name, count] : outcome.counters) fmt::print(to, "{} {}\n", count, name);
  std::fflush(to);
}

bool read_outcome(std::FILE* from, Outcome& outcome) {
  int failed = 0;
  int64_t virtual_ns = 0;
  size_t counters = 0;
  if (std::fscanf(from, "%d %" SCNu64 " %" SCNu64 " %zu %" SCNd64 " %zu\n", &failed, &outcome.hash,
                  &outcome.events, &outcome.nodes, &virtual_ns, &counters) != 6) {
    return false;
  }
  outcome.virtual_time = Duration(virtual_ns);
  for (size_t i = 0; i < counters; ++i) {
    uint64_t count = 0;
    char name[128];
    if (std::fscanf(from, "%" SCNu64 " %127s\n", &count, name) != 2) return false;
    outcome.counters[name] = count;
  }
  return failed == 0;
}

}  // namespace

Runs::Runs(uint64_t start, uint64_t seeds, const Size& size, uint64_t jobs)
    : start_(start), size_(size) {
  const uint64_t count = std::clamp<uint64_t>(jobs, 1, std::max<uint64_t>(seeds, 1));
  std::fflush(nullptr);
  for (uint64_t i = 0; i < count; ++i) {
    int ends[2];
    const pid_t pid = pipe(ends) == 0 ? fork() : -1;
    if (pid < 0) {
      std::perror("tepui-sim: cannot start a process");
      std::exit(2);
    }
    if (pid == 0) {
      close(ends[0]);
      std::FILE* outcomes = fdopen(ends[1], "w");
      for (uint64_t seed = i; seed < seeds; seed += count) {
        write_outcome(outcomes, run(start + seed, size, Tracing::kOff));
      }
      _exit(0);
    }
    close(ends[1]);
    jobs_.push_back({.pid = pid, .outcomes = fdopen(ends[0], "r")});
  }
}

Runs::~Runs() {
  for (const Job& job : jobs_) {
    kill(job.pid, SIGKILL);
    waitpid(job.pid, nullptr, 0);
    std::fclose(job.outcomes);
  }
}

Outcome Runs::next() {
  const uint64_t index = taken_++;
  Outcome outcome;
  if (!jobs_.empty() && read_outcome(jobs_[index % jobs_.size()].outcomes, outcome)) return outcome;
  return run(start_ + index, size_, Tracing::kOff);
}

}  // namespace tepui::sim
