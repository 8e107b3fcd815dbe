#pragma once
// Runs is many runs of the simulation, spread over processes, with their outcomes in the order of
// the seeds. A process that dies in a seed takes only itself along: the seed is run again here, to
// die where it is seen.

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "tests/sim/simulation.h"

namespace tepui::sim {

class Runs {
 public:
  // Starts as many processes as `jobs`, at least one.
  Runs(uint64_t start, uint64_t seeds, const Size& size, uint64_t jobs);
  ~Runs();
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  // That of the next seed; called once for each. Without its last lines.
  Outcome next();

 private:
  struct Job {
    pid_t pid = 0;
    std::FILE* outcomes = nullptr;
  };

  const uint64_t start_;
  const Size size_;
  uint64_t taken_ = 0;
  std::vector<Job> jobs_;  // the seed start + i is run by job i % jobs
};

}  // namespace tepui::sim
