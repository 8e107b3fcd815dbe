// What it costs to measure a thousand containers: by the iterator, by hooks and files that are kept
// open, by those files alone, by opening, reading and closing them each time as scripts do, and by
// systemd-cgtop. And what the hooks cost those who are measured, at each switch of tasks.
//
// The containers are cgroups with a process each that wakes up ten times a second, so that the
// kernel has something to add up for every one of them. A sampling costs the processor time of this
// process with all its threads, those of the kernel that work for it among them; samplings are
// 100 ms apart.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/linux/cgroup_discovery.h"
#include "agent/linux/sampler.h"
#include "common/check.h"
#include "common/io/clock.h"
#include "perf/report.h"
#include "perf/switch_cost.h"
#include "tests/agent/linux/cgroup_tree.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr int kContainers = 1000;
constexpr int kSamplings = 10;  // of one round
constexpr uint32_t kRounds = 7;
constexpr uint32_t kSwitchRounds = 15;
constexpr Duration kGap = 100ms;

double micros(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

double processor_us(int who) {
  rusage usage{};
  CHECK(getrusage(who, &usage) == 0);
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

void pause_for(Duration time) {
  const timespec wait{.tv_sec = time.count() / 1'000'000'000,
                      .tv_nsec = time.count() % 1'000'000'000};
  nanosleep(&wait, nullptr);
}

std::string name_of_container(int number) { return fmt::format("container-{}", number); }

void start_containers(CgroupTree& tree) {
  for (int i = 0; i < kContainers; ++i) {
    const CgroupTree::Cgroup cgroup = tree.make(name_of_container(i));
    tree.start(cgroup, [i] {
      close_range(3, ~0U, 0);
      pause_for(Duration(i * 100'000));  // not all at once
      while (true) {
        pause_for(kGap);
        for (int work = 0; work < 5000; ++work) {
          asm volatile("");
        }
      }
    });
  }
}

class Owner final : public SamplerOwner {
 public:
  void on_oom_victim(const ContainerId&, int64_t) override {}
  void on_sampling_failed(const Error& error) override {
    fmt::print(stderr, "{}\n", error.message);
    CHECK(!"a sampling failed");
  }
};

// Microseconds of processor time for one sampling of all.
double sample_with(const CgroupTree& tree, SampleSource source) {
  const std::unique_ptr<Reactor> reactor = *Reactor::create();
  Owner owner;
  Sampler sampler(*reactor, {.cgroup = tree.top().path, .best = source, .interval = kGap}, owner);
  sampler.prepare();
  CHECK(sampler.begin().has_value());
  CHECK(sampler.source() == source);
  for (int i = 0; i < kContainers; ++i) {
    CHECK(sampler.add({.value = std::to_string(i)}, name_of_container(i)));
  }
  const auto run_to = [&](uint64_t samplings) {
    while (sampler.counts().samplings < samplings) reactor->run_once(kNever);
  };
  run_to(2);  // the first opens the files
  const double before = processor_us(RUSAGE_SELF);
  run_to(2 + kSamplings);
  const double spent = processor_us(RUSAGE_SELF) - before;
  const Sample& last = sampler.find({.value = "1"})->latest();
  CHECK(last.cpu_usage_ns.value() > 0);
  return spent / kSamplings;
}

// As a script does it: each file opened, read and closed.
double poll_files(const CgroupTree& tree) {
  const double before = processor_us(RUSAGE_SELF);
  for (int sampling = 0; sampling < kSamplings; ++sampling) {
    pause_for(kGap);
    for (int i = 0; i < kContainers; ++i) {
      for (const char* file : {"cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure"}) {
        const std::string path =
            fmt::format("{}/{}/{}", tree.top().path, name_of_container(i), file);
        const Fd opened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        char text[4096];
        if (opened) CHECK(read(opened.get(), text, sizeof text) > 0);
      }
    }
  }
  return (processor_us(RUSAGE_SELF) - before) / kSamplings;
}

// systemd-cgtop wants a machine with one hierarchy: in a mount namespace it sees v2 alone. Its
// processor time for so many refreshes, or nothing if it does not run.
std::optional<double> cgtop_us(int refreshes) {
  const Result<CgroupFacts> facts = read_cgroup_facts();
  CHECK(facts.has_value());
  const Result<CgroupPlace> place = choose_cgroup_place(*facts);
  CHECK(place.has_value());
  const pid_t child = fork();
  if (child == 0) {
    const bool alone =
        place->mount_point == "/sys/fs/cgroup" ||
        (unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(place->mount_point.c_str(), "/sys/fs/cgroup", nullptr, MS_BIND, nullptr) == 0);
    const Fd nowhere(open("/dev/null", O_WRONLY));
    dup2(nowhere.get(), 1);
    dup2(nowhere.get(), 2);
    if (alone) {
      execlp("systemd-cgtop", "systemd-cgtop", "--batch", "--raw", "--delay=100ms",
             fmt::format("--iterations={}", refreshes).c_str(), nullptr);
    }
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  CHECK(wait4(child, &status, 0, &usage) == child);
  if (status != 0) return std::nullopt;
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

void add_single(perf::Report& report, const std::string& name, const char* unit, double value) {
  report.add({.name = name,
              .unit = unit,
              .better = perf::Better::kLower,
              .sample = {.p50 = value, .spread = 0, .n = 1},
              .against = {}});
}

void add_samplings(perf::Report& report, CgroupTree& tree) {
  const perf::Metric cost{.unit = "us a sampling", .better = perf::Better::kLower};
  const auto by = [&tree](const char* name, SampleSource source) {
    return perf::Subject{.name = fmt::format("sampling/{}/{}", name, kContainers),
                         .measure = [&tree, source] { return sample_with(tree, source); }};
  };
  const perf::Subject iterator = by("iterator", SampleSource::kIterator);
  const perf::Subject hooks = by("hooks", SampleSource::kHooks);
  const perf::Subject files = by("files", SampleSource::kFiles);
  const perf::Subject polling{.name = fmt::format("sampling/polling/{}", kContainers),
                              .measure = [&tree] { return poll_files(tree); }};
  report.compare(cost, iterator, files, kRounds);
  report.compare(cost, files, polling, kRounds);
  report.compare(cost, hooks, files, kRounds);
  const double once =
      perf::sample_of({iterator.measure(), iterator.measure(), iterator.measure()}).p50;
  add_single(report, fmt::format("sampling/iterator/{}/core_share", kContainers),
             "% of a core at 10 Hz", once * 10 / 1e6 * 100);
  constexpr int kRefreshes = 10;
  const std::optional<double> one = cgtop_us(1);
  const std::optional<double> many = cgtop_us(1 + kRefreshes);
  if (one && many) {
    add_single(report, fmt::format("sampling/systemd-cgtop/{}", kContainers), "us a sampling",
               (*many - *one) / kRefreshes);
  } else {
    fmt::print(stderr, "systemd-cgtop does not run here\n");
  }
}

void add_switches(perf::Report& report, CgroupTree& tree) {
  using perf::SwitchHooks;
  const auto elapsed = [&tree](const char* name, SwitchHooks hooks) {
    return perf::Subject{.name = name, .measure = [&tree, hooks] {
                           return measure_switches(tree, hooks, false).ns;
                         }};
  };
  const perf::Metric time{.unit = "ns a switch", .better = perf::Better::kLower};
  const perf::Subject none = elapsed("hooks/switch/elapsed/none", SwitchHooks::kNone);
  report.compare(time, elapsed("hooks/switch/elapsed", SwitchHooks::kCounts), none, kSwitchRounds);
  report.compare(time, elapsed("hooks/switch/elapsed/waits", SwitchHooks::kCountsAndWaits), none,
                 kSwitchRounds);
  const auto instructions = [&tree](const char* name, SwitchHooks hooks) {
    return perf::Subject{.name = name, .measure = [&tree, hooks] {
                           return measure_switches(tree, hooks, false).instructions;
                         }};
  };
  const perf::Metric count{.unit = "instructions a switch", .better = perf::Better::kLower};
  const perf::Subject bare = instructions("hooks/switch/instructions/none", SwitchHooks::kNone);
  if (bare.measure() > 0) {
    report.compare(count, instructions("hooks/switch/instructions", SwitchHooks::kCounts), bare,
                   kRounds);
    report.compare(count,
                   instructions("hooks/switch/instructions/waits", SwitchHooks::kCountsAndWaits),
                   bare, kRounds);
  } else {
    fmt::print(stderr, "this machine counts no instructions\n");
  }
  const perf::Metric run{.unit = "ns a run", .better = perf::Better::kLower};
  for (const auto& [name, hooks] :
       {std::pair{"hooks/switch", SwitchHooks::kCounts},
        std::pair{"hooks/switch/waits", SwitchHooks::kCountsAndWaits}}) {
    report.measure(
        run,
        {.name = name,
         .measure = [&tree, hooks = hooks] { return measure_switches(tree, hooks, true).hook_ns; }},
        kRounds);
  }
}

int run() {
  Result<CgroupTree> tree = CgroupTree::create("tepui-bench-sampling");
  if (!tree) {
    fmt::print(stderr, "{}\n", tree.error().message);
    return 1;
  }
  perf::Report report("sampling");
  add_switches(report, *tree);
  start_containers(*tree);
  add_samplings(report, *tree);
  return report.finish();
}

}  // namespace
}  // namespace tepui

int main() { return tepui::run(); }
