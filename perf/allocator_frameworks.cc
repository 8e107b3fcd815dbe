#include "perf/allocator_frameworks.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/limits.h"
#include "common/resources.h"
#include "perf/allocator_cluster.h"

namespace tepui::perf {

namespace {

// What a framework that has all it wants does with further offers.
enum class Finished { kSuppresses, kDeclines, kReturns };

struct Wants {
  uint32_t tasks = 0;
  uint32_t per_offer = 0;
  Resources task;
};

// Frees the rest of an offer as often as the task fits into it, at most `most` times.
uint32_t launch(Resources& rest, const Resources& task, uint32_t most) {
  uint32_t launched = 0;
  for (; launched < most && rest.contains(task); ++launched) rest -= task;
  return launched;
}

struct Result {
  double us = 0;  // in rounds
  uint32_t rounds = 0;
  uint32_t launched = 0;
};

class MultiFramework {
 public:
  explicit MultiFramework(Finished finished) : finished_(finished), cluster_(usual_options()) {
    const auto task = [](int64_t cpus_milli, int64_t mem_mb) {
      return Resources::scalars({{"cpus", cpus_milli}, {"mem", mem_mb * 1000}});
    };
    for (int i = 0; i < 4; ++i) add(fmt::format("service-{}", i), {4000, 100, task(70, 400)});
    for (int i = 0; i < 500; ++i) add("build", {5, 1, task(100, 4000)});
    for (int i = 0; i < 50; ++i) add(fmt::format("batch-{}", i), {20, 5, task(1000, 1000)});
    for (int i = 0; i < 80; ++i) {
      cluster_.add_agent(Resources::scalars({{"cpus", 64'000}, {"mem", 488'000'000}}));
    }
  }

  // Until every task is launched, or nothing was for so long that nothing will be.
  Result run() {
    constexpr uint32_t kPatience = 3000;
    Result result;
    uint32_t wanted = 0;
    for (const Wants& wants : wants_) wanted += wants.tasks;
    for (uint32_t quiet = 0; result.launched < wanted && quiet < kPatience; ++quiet) {
      result.us += cluster_.round();
      ++result.rounds;
      const uint32_t launched = answer_offers();
      if (launched > 0) quiet = 0;
      result.launched += launched;
      // The least gap between two rounds that freed resources ask for.
      cluster_.now.mono += std::chrono::milliseconds(5);
    }
    return result;
  }

 private:
  void add(const std::string& role, Wants wants) {
    cluster_.add_framework(role);
    wants_.push_back(std::move(wants));
  }

  uint32_t answer_offers() {
    uint32_t launched = 0;
    for (Grant& grant : cluster_.grants()) {
      Wants& wants = wants_[grant.framework.index];
      const bool had_all = wants.tasks == 0;
      const uint32_t now =
          launch(grant.resources, wants.task, std::min(wants.tasks, wants.per_offer));
      wants.tasks -= now;
      launched += now;
      std::optional<Duration> refuse;
      if (finished_ == Finished::kReturns) refuse = Duration{};  // without a filter
      if (finished_ == Finished::kDeclines && had_all) refuse = limits::kFilterDefault;
      cluster_.allocator().recover(cluster_.now, grant.framework, grant.agent, grant.role,
                                   grant.resources, refuse);
      if (wants.tasks == 0 && !had_all && finished_ == Finished::kSuppresses) {
        cluster_.allocator().suppress(grant.framework, {});
      }
    }
    cluster_.grants().clear();
    return launched;
  }

  const Finished finished_;
  AllocatorCluster cluster_;
  std::vector<Wants> wants_;  // by framework
};

void measure(Report& report, const std::string& name, Finished finished) {
  std::vector<double> times;
  Result last;
  for (int i = 0; i < 5; ++i) {
    last = MultiFramework(finished).run();
    times.push_back(last.us / 1e3);
  }
  const auto add = [&](const std::string& row, const char* unit, Better better, Sample sample) {
    report.add({.name = row, .unit = unit, .better = better, .sample = sample, .against = {}});
  };
  add(name, "ms", Better::kLower, sample_of(std::move(times)));
  add(name + "/rounds", "rounds", Better::kLower, sample_of({static_cast<double>(last.rounds)}));
  add(name + "/launched", "tasks", Better::kHigher,
      sample_of({static_cast<double>(last.launched)}));
}

}  // namespace

void measure_multi_framework(Report& report) {
  measure(report, "allocator/multi_framework", Finished::kSuppresses);
  measure(report, "allocator/multi_framework/decline", Finished::kDeclines);
  measure(report, "allocator/multi_framework/return", Finished::kReturns);
}

}  // namespace tepui::perf
