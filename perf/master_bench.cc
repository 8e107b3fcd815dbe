// What the master adds to a task's life: tasks per second, launch latency and processor time
// through the real program, with 1,000 simulated agents and four frameworks over real sockets
// (perf/load.h). A task counts when it was offered, accepted, launched, RUNNING, FINISHED, and both
// updates were acknowledged.
//
// Beside it in the same run: a relay (perf/relay.h) that passes the same messages on and decides
// nothing, the floor of sockets and codec. The load shares the machine with both. Latency is taken
// with 100 tasks at once, so that it shows the way and not the queue.
//
// Measured elsewhere, so not a peer of this run: Apache Mesos 1.12, 2,600 tasks/s with 1,000 fake
// agents and 0.5 ms of master processor time a task.
//
//   bench_master                           the whole benchmark
//   bench_master ADDRESS TASKS [AT_ONCE]   only loads a master that runs already, for profilers

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/io/clock.h"
#include "perf/child.h"
#include "perf/load.h"
#include "perf/master_process.h"
#include "perf/relay.h"
#include "perf/report.h"

namespace tepui {
namespace {

constexpr uint32_t kTasks = 40'000;  // of one round
constexpr uint32_t kRounds = 5;
constexpr uint32_t kAtOnce = 100;
constexpr uint32_t kLatencyTasks = 20'000;

// Starts a relay in a copy of this process, and reads where it listens.
std::pair<perf::Child, std::string> start_relay() {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) throw std::runtime_error("cannot make a pipe");
  perf::Child relay = perf::Child::copy([&] { return perf::run_relay(pipe_ends[1]); });
  close(pipe_ends[1]);
  char line[128] = {};
  const ssize_t size = read(pipe_ends[0], line, sizeof line - 1);
  close(pipe_ends[0]);
  if (size <= 1) throw std::runtime_error("the relay did not start");
  return {std::move(relay), std::string(line, static_cast<size_t>(size) - 1)};
}

// One number a round, beside what the round is measured by.
struct Costs {
  std::vector<double> all_us;
  std::vector<double> loop_us;
};

double round(perf::Load& load, const perf::Child& server, Costs& costs) {
  const Duration all = server.processor_time();
  const Duration loop = server.first_thread_time();
  const double secs = load.run({.tasks = kTasks}).secs;
  costs.all_us.push_back(to_millis(server.processor_time() - all) * 1e3 / kTasks);
  costs.loop_us.push_back(to_millis(server.first_thread_time() - loop) * 1e3 / kTasks);
  return kTasks / secs;
}

perf::Outcome outcome(std::string name, std::string unit, std::vector<double> values) {
  return {.name = std::move(name),
          .unit = std::move(unit),
          .better = perf::Better::kLower,
          .sample = perf::sample_of(std::move(values)),
          .against = std::nullopt};
}

perf::Outcome against(perf::Outcome ours, std::vector<double> relay) {
  ours.against = perf::Outcome::Against{.name = "relay without books",
                                        .sample = perf::sample_of(std::move(relay))};
  return ours;
}

// Of all tasks of one round, in milliseconds.
double percentile(std::vector<double> values, size_t percent) {
  std::sort(values.begin(), values.end());
  return values.at(std::min(values.size() - 1, values.size() * percent / 100));
}

struct Latencies {
  std::vector<double> p50;
  std::vector<double> p99;
};

Latencies latencies(perf::Load& load) {
  Latencies found;
  for (uint32_t i = 0; i < kRounds; ++i) {
    const auto ms = load.run({.tasks = kLatencyTasks, .at_once = kAtOnce}).launch_ms;
    found.p50.push_back(percentile(ms, 50));
    found.p99.push_back(percentile(ms, 99));
  }
  return found;
}

int measure() {
  auto [relay, relay_address] = start_relay();  // first: a copy must be of one thread
  const perf::TemporaryFolder folder;
  const perf::MasterProcess master(
      {"--listen=127.0.0.1:0", "--registry=file:" + folder.path() + "/registry"},
      folder.path() + "/master.log");
  master.wait_until_it_leads();
  perf::Load master_load({.master = master.address()});
  perf::Load relay_load({.master = relay_address});

  perf::Report report("master");
  Costs ours;
  Costs floor;
  report.compare(
      {.unit = "tasks/s", .better = perf::Better::kHigher},
      {.name = "master/tasks", .measure = [&] { return round(master_load, master.child(), ours); }},
      {.name = "relay without books", .measure = [&] { return round(relay_load, relay, floor); }},
      kRounds);
  for (auto* values : {&ours.all_us, &ours.loop_us, &floor.all_us, &floor.loop_us}) {
    values->erase(values->begin());  // the warm-up
  }
  report.add(against(outcome("master/cpu_per_task", "us", ours.all_us), floor.all_us));
  report.add(against(outcome("master/loop_cpu_per_task", "us", ours.loop_us), floor.loop_us));
  report.add(outcome("master/memory", "MB", {master.child().resident_mb()}));
  Latencies master_ms = latencies(master_load);
  Latencies relay_ms = latencies(relay_load);
  report.add(against(outcome("master/launch_latency_p50", "ms", std::move(master_ms.p50)),
                     std::move(relay_ms.p50)));
  report.add(against(outcome("master/launch_latency_p99", "ms", std::move(master_ms.p99)),
                     std::move(relay_ms.p99)));
  return report.finish();
}

int load_only(int argc, char** argv) {
  perf::Load load({.master = argv[1]});
  const auto tasks = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  const auto at_once =
      argc > 3 ? static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)) : UINT32_MAX;
  const double secs = load.run({.tasks = tasks, .at_once = at_once}).secs;
  std::printf("%u tasks in %.3f s, %.0f tasks/s\n", tasks, secs, tasks / secs);
  return 0;
}

int run(int argc, char** argv) {
  // Until the load listens to them, so that nothing is left behind whenever they come.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  try {
    return argc > 2 ? load_only(argc, argv) : measure();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_master: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace tepui

int main(int argc, char** argv) { return tepui::run(argc, argv); }
