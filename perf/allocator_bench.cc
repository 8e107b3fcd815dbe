// How long a round of the allocator takes: when all agents are free, when nothing changed, when one
// agent changed; a full one against the usual way to do the same (perf/plain_division.h), which
// sorts the roles anew for each agent.
//
// Times are processor time of the one thread that computes: a round neither waits nor sleeps, and
// what else runs on the machine is not its work.
//
// The cluster: agents of four sizes with cpus, mem, disk and ports; roles in ten departments of ten
// teams with weights; each framework in one role. A full round goes from the request to the list of
// grants; giving everything back between rounds is not measured.

#include <time.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/check.h"
#include "master/allocator/drf_allocator.h"
#include "perf/plain_division.h"
#include "perf/report.h"

namespace tepui {
namespace {

double spent_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Size {
  uint32_t agents;
  uint32_t frameworks;
  std::string text() const { return fmt::format("{}x{}", agents, frameworks); }
};

Resources total_of(uint32_t agent) {
  const std::string text = fmt::format("cpus:{};mem:{}GB;disk:1TB;ports:[31000-32000]",
                                       16 << agent % 4, 64 << agent % 3);
  return Resources::parse(text).value();
}
int64_t department_weight(uint32_t department) { return 1000 + 500 * (department % 4); }
int64_t team_weight(uint32_t team) { return 1000 + 1000 * (team % 3); }

class Cluster {
 public:
  Cluster(std::unique_ptr<Allocator> allocator, Size size) : allocator_(std::move(allocator)) {
    for (uint32_t i = 0; i < 100; ++i) {
      allocator_->set_weight(role(i), team_weight(i));
      if (i < 10) allocator_->set_weight(fmt::format("dept{}", i), department_weight(i));
    }
    for (uint32_t i = 0; i < size.frameworks; ++i) {
      allocator_->add_framework({.index = i, .generation = 1}, {.roles = {role(i % 100)}});
    }
    for (uint32_t i = 0; i < size.agents; ++i) {
      allocator_->add_agent({.index = i, .generation = 1},
                            {.total = total_of(i), .hostname = "host"});
    }
    grants_.reserve(size.agents);
  }

  // Microseconds from the request for a round over free agents to the list of grants.
  double full_round() {
    for (const Grant& grant : grants_) give_back(grant);
    grants_.clear();
    const double start = spent_us();
    round();
    return spent_us() - start;
  }

  // Microseconds of a round when nothing changed since the one before.
  double idle_round() {
    begin();
    constexpr int kRepeats = 1000;
    const double start = spent_us();
    for (int i = 0; i < kRepeats; ++i) round();
    return (spent_us() - start) / kRepeats;
  }

  // One agent came back, and is granted again; both count.
  double one_agent_round() {
    begin();
    constexpr int kRepeats = 100;
    const double start = spent_us();
    for (int i = 0; i < kRepeats; ++i) {
      Grant& grant = held_[next_++ * 7919 % held_.size()];
      give_back(grant);
      grants_.clear();
      round();
      CHECK(grants_.size() == 1);
      grant = std::move(grants_[0]);
    }
    return (spent_us() - start) / kRepeats;
  }

 private:
  static std::string role(uint32_t i) { return fmt::format("dept{}/team{}", i % 10, i / 10); }

  // Everything is granted, and the grants are kept aside.
  void begin() {
    if (!held_.empty()) return;
    round();
    held_ = std::exchange(grants_, {});
  }

  void round() {
    allocator_->request_full_round();
    while (allocator_->step({}, UINT32_MAX, grants_) == Allocator::Step::kMore) {
    }
  }

  void give_back(const Grant& grant) {
    allocator_->recover({}, grant.framework, grant.agent, grant.role, grant.resources, {});
  }

  std::unique_ptr<Allocator> allocator_;
  std::vector<Grant> grants_;
  std::vector<Grant> held_;
  size_t next_ = 0;
};

// The same cluster, divided the usual way.
class PlainCluster {
 public:
  explicit PlainCluster(Size size) {
    for (uint32_t i = 0; i < size.frameworks; ++i) {
      auto& department = division_.child(division_.root(), fmt::format("dept{}", i % 10));
      department.weight = static_cast<double>(department_weight(i % 10)) / 1000;
      auto& team = division_.child(department, fmt::format("team{}", i % 100 / 10));
      team.weight = static_cast<double>(team_weight(i % 100)) / 1000;
      division_.child(team, fmt::format("{:08x}", i));
    }
    for (uint32_t i = 0; i < size.agents; ++i) division_.add_agent(total_of(i));
    given_.reserve(size.agents);
  }

  double full_round() {
    division_.clear();
    given_.clear();
    const double start = spent_us();
    division_.divide(given_);
    return spent_us() - start;
  }

 private:
  perf::PlainDivision division_;
  std::vector<perf::PlainDivision::Given> given_;
};

std::unique_ptr<Cluster> cluster_of(Size size) {
  return std::make_unique<Cluster>(std::make_unique<DrfAllocator>(AllocatorOptions{}, 7), size);
}

int run() {
  perf::Report report("allocator");
  const perf::Metric ms = {.unit = "ms", .better = perf::Better::kLower};
  const perf::Metric us = {.unit = "us", .better = perf::Better::kLower};

  for (const Size size : {Size{1000, 100}, Size{10000, 1000}, Size{20000, 2000}}) {
    const auto ours = cluster_of(size);
    PlainCluster plain(size);
    report.compare(
        ms,
        {.name = "allocator/full/" + size.text(),
         .measure = [&] { return ours->full_round() / 1e3; }},
        {.name = "sorting anew per agent", .measure = [&] { return plain.full_round() / 1e3; }},
        size.agents > 10000 ? 11 : 21);
  }
  const Size large = {.agents = 20000, .frameworks = 2000};
  const auto idle = cluster_of(large);
  report.measure(
      us, {.name = "allocator/idle/" + large.text(), .measure = [&] { return idle->idle_round(); }},
      11);
  const auto one = cluster_of(large);
  report.measure(us,
                 {.name = "allocator/one_agent/" + large.text(),
                  .measure = [&] { return one->one_agent_round(); }},
                 11);
  return report.finish();
}

}  // namespace
}  // namespace tepui

int main() { return tepui::run(); }
