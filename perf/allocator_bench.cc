// How long a round of the allocator takes: when all agents are free, when nothing changed, when one
// agent changed; and against the plain way to do the same (tests/master/allocator_oracle), which
// visits every agent and sums all shares anew for each.
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
#include "perf/report.h"
#include "tests/master/allocator_oracle.h"

namespace tepui {
namespace {

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Size {
  uint32_t agents;
  uint32_t frameworks;
  std::string text() const { return fmt::format("{}x{}", agents, frameworks); }
};

class Cluster {
 public:
  Cluster(std::unique_ptr<Allocator> allocator, Size size) : allocator_(std::move(allocator)) {
    for (uint32_t i = 0; i < 100; ++i) {
      allocator_->set_weight(role(i), 1000 + 1000 * (i % 3));
      if (i < 10) allocator_->set_weight(fmt::format("dept{}", i), 1000 + 500 * (i % 4));
    }
    for (uint32_t i = 0; i < size.frameworks; ++i) {
      allocator_->add_framework({.index = i, .generation = 1}, {.roles = {role(i % 100)}});
    }
    for (uint32_t i = 0; i < size.agents; ++i) {
      const std::string total =
          fmt::format("cpus:{};mem:{}GB;disk:1TB;ports:[31000-32000]", 16 << i % 4, 64 << i % 3);
      allocator_->add_agent({.index = i, .generation = 1},
                            {.total = Resources::parse(total).value(), .hostname = "host"});
    }
    grants_.reserve(size.agents);
  }

  // Microseconds from the request to the grants.
  double round() {
    grants_.clear();
    const double start = now_us();
    allocator_->request_full_round();
    while (allocator_->step({}, UINT32_MAX, grants_) == Allocator::Step::kMore) {
    }
    return now_us() - start;
  }

  double full_round() {
    give_back(grants_.size());
    return round();
  }

  // Nothing changed since the round before.
  double idle_round() {
    if (!began_) full_round();
    began_ = true;
    constexpr int kRepeats = 1000;
    const double start = now_us();
    for (int i = 0; i < kRepeats; ++i) round();
    return (now_us() - start) / kRepeats;
  }

  // One agent came back, and is granted again; both count.
  double one_agent_round() {
    if (!began_) full_round();
    began_ = true;
    if (held_.empty()) held_ = std::move(grants_);
    constexpr int kRepeats = 100;
    const double start = now_us();
    for (int i = 0; i < kRepeats; ++i) {
      Grant& grant = held_[next_++ * 7919 % held_.size()];
      allocator_->recover({}, grant.framework, grant.agent, grant.role, grant.resources, {});
      round();
      CHECK(grants_.size() == 1);
      grant = std::move(grants_[0]);
    }
    return (now_us() - start) / kRepeats;
  }

 private:
  static std::string role(uint32_t i) { return fmt::format("dept{}/team{}", i % 10, i / 10); }

  void give_back(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const Grant& grant = grants_[i];
      allocator_->recover({}, grant.framework, grant.agent, grant.role, grant.resources, {});
    }
  }

  std::unique_ptr<Allocator> allocator_;
  std::vector<Grant> grants_;
  std::vector<Grant> held_;
  size_t next_ = 0;
  bool began_ = false;
};

std::unique_ptr<Cluster> fast(Size size) {
  return std::make_unique<Cluster>(std::make_unique<DrfAllocator>(AllocatorOptions{}, 7), size);
}

std::unique_ptr<Cluster> plain(Size size) {
  return std::make_unique<Cluster>(std::make_unique<AllocatorOracle>(AllocatorOptions{}, 7), size);
}

int run() {
  perf::Report report("allocator");
  const perf::Metric ms = {.unit = "ms", .better = perf::Better::kLower};
  const perf::Metric us = {.unit = "us", .better = perf::Better::kLower};

  const Size small = {.agents = 1000, .frameworks = 100};
  const auto ours = fast(small);
  const auto theirs = plain(small);
  report.compare(ms,
                 {.name = "allocator/full/" + small.text(),
                  .measure = [&] { return ours->full_round() / 1e3; }},
                 {.name = "plain", .measure = [&] { return theirs->full_round() / 1e3; }}, 5);

  for (const Size size : {Size{10000, 1000}, Size{20000, 2000}}) {
    const auto cluster = fast(size);
    report.measure(ms,
                   {.name = "allocator/full/" + size.text(),
                    .measure = [&] { return cluster->full_round() / 1e3; }},
                   21);
  }
  const Size large = {.agents = 20000, .frameworks = 2000};
  const auto idle = fast(large);
  report.measure(
      us, {.name = "allocator/idle/" + large.text(), .measure = [&] { return idle->idle_round(); }},
      11);
  const auto one = fast(large);
  report.measure(us,
                 {.name = "allocator/one_agent/" + large.text(),
                  .measure = [&] { return one->one_agent_round(); }},
                 11);
  return report.finish();
}

}  // namespace
}  // namespace tepui

int main() { return tepui::run(); }
