// Goal: the division has the properties that the paper proves of Dominant Resource Fairness
// (Ghodsi et al., NSDI 2011, section 4) where resources divide finely: sharing incentive,
// envy-freeness, Pareto efficiency, strategy-proofness.
// Method: one large agent, frameworks that want as many small tasks of one size as they can get.
// Each takes one task of what it is offered and gives back the rest; it refuses what its task does
// not fit into. Tasks do not divide, so all is true but for a task or two.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/rng.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kSlack = 2;  // tasks

struct Task {
  int64_t cpus = 0;
  int64_t mem = 0;
  Resources resources() const { return Resources::scalars({{"cpus", cpus}, {"mem", mem}}); }
};

// How many tasks of that size fit.
int64_t fit(const Task& task, int64_t cpus, int64_t mem) {
  return std::min(cpus / task.cpus, mem / task.mem);
}

constexpr Task kCluster = {.cpus = 400'000, .mem = 600'000};

// The number of tasks of each when all ask for these sizes.
std::vector<int64_t> divide(const std::vector<Task>& tasks) {
  DrfAllocator allocator(AllocatorOptions{}, 1);
  const AgentHandle agent = {.index = 0, .generation = 1};
  allocator.add_agent(agent, {.total = kCluster.resources(), .hostname = "h"});
  std::vector<std::string> roles;
  for (uint32_t i = 0; i < tasks.size(); ++i) {
    roles.push_back(std::string(1, static_cast<char>('a' + i)));
    allocator.add_framework({.index = i, .generation = 1}, {.roles = {roles[i]}});
  }
  std::vector<int64_t> running(tasks.size(), 0);
  while (allocator.wants_round()) {
    std::vector<Grant> grants;
    while (allocator.step({}, 10, grants) == Allocator::Step::kMore) {
    }
    for (const Grant& grant : grants) {
      const uint32_t who = grant.framework.index;
      const Resources task = tasks[who].resources();
      if (grant.resources.contains(task)) {
        ++running[who];
        allocator.recover({}, grant.framework, agent, roles[who], grant.resources - task, {});
      } else {
        allocator.recover({}, grant.framework, agent, roles[who], grant.resources, 24h);
      }
    }
  }
  return running;
}

std::vector<Task> some_tasks(Rng& rng) {
  std::vector<Task> tasks(static_cast<size_t>(rng.between(2, 6)));
  for (Task& task : tasks) task = {.cpus = rng.between(1, 9) * 500, .mem = rng.between(1, 9) * 500};
  return tasks;
}

TEST(Fairness, TheExampleOfThePaper) {
  // 9 cpus and 18 GB between <1 cpu, 4 GB> and <3 cpus, 1 GB>, in units of the test's cluster.
  const std::vector<Task> tasks = {{.cpus = 400, .mem = 1'200}, {.cpus = 1'200, .mem = 300}};
  const std::vector<int64_t> running = divide(tasks);
  const int64_t first = running[0] * tasks[0].mem * 1000 / kCluster.mem;
  const int64_t second = running[1] * tasks[1].cpus * 1000 / kCluster.cpus;
  EXPECT_LE(std::abs(first - second), 4);
}

TEST(Fairness, NobodyHasLessThanWithAPartOfItsOwn) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const std::vector<Task> tasks = some_tasks(rng);
    const std::vector<int64_t> running = divide(tasks);
    const auto count = static_cast<int64_t>(tasks.size());
    for (size_t i = 0; i < tasks.size(); ++i) {
      EXPECT_GE(running[i] + kSlack, fit(tasks[i], kCluster.cpus / count, kCluster.mem / count))
          << "seed " << seed;
    }
  }
}

TEST(Fairness, NobodyWouldRatherHaveWhatAnotherHas) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const std::vector<Task> tasks = some_tasks(rng);
    const std::vector<int64_t> running = divide(tasks);
    for (size_t i = 0; i < tasks.size(); ++i) {
      for (size_t j = 0; j < tasks.size(); ++j) {
        const int64_t theirs = fit(tasks[i], running[j] * tasks[j].cpus, running[j] * tasks[j].mem);
        EXPECT_GE(running[i] + kSlack + 9, theirs) << "seed " << seed;
      }
    }
  }
}

TEST(Fairness, NothingIsLeftThatAnybodyCouldUse) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const std::vector<Task> tasks = some_tasks(rng);
    const std::vector<int64_t> running = divide(tasks);
    Task left = kCluster;
    for (size_t i = 0; i < tasks.size(); ++i) {
      left.cpus -= running[i] * tasks[i].cpus;
      left.mem -= running[i] * tasks[i].mem;
    }
    EXPECT_GE(left.cpus, 0);
    EXPECT_GE(left.mem, 0);
    for (const Task& task : tasks) EXPECT_EQ(fit(task, left.cpus, left.mem), 0) << "seed " << seed;
  }
}

TEST(Fairness, NobodyGainsByAskingForWhatItDoesNotNeed) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const std::vector<Task> tasks = some_tasks(rng);
    const std::vector<int64_t> honest = divide(tasks);
    const size_t liar = rng.below(tasks.size());
    std::vector<Task> claimed = tasks;
    claimed[liar] = {.cpus = rng.between(1, 9) * 500, .mem = rng.between(1, 9) * 500};
    const int64_t given = divide(claimed)[liar];
    const int64_t useful = fit(tasks[liar], given * claimed[liar].cpus, given * claimed[liar].mem);
    // The last task of a large claim is worth several small ones.
    EXPECT_LE(useful, honest[liar] + kSlack + 9) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tepui
