// How fast a cluster stands again when its leading master is killed: agents that run tasks,
// multiplexed over few links or each with its own, against the real program over real sockets
// (perf/fleet.h). The master is killed with SIGKILL, and the next one starts at once from the same
// registry, in a directory; its start is part of the time. So is the wait that every agent draws
// before it asks (up to a second, so that they do not all come at once); `…/without_wait` is the
// same with that wait at nothing, which shows what the master itself takes.
//
// Nothing may be lost: after each death the frameworks ask the new master for their tasks
// (reconciliation), and all must be there.
//
// Measured elsewhere, so not a peer of this run: Apache Mesos 1.12, 40,000 agents with 400,000
// tasks, in one process and without sockets: 19 s.

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "perf/child.h"
#include "perf/fleet.h"
#include "perf/master_process.h"
#include "perf/report.h"

namespace tepui {
namespace {

constexpr uint32_t kRounds = 3;

// A master that comes again at the same place, with the same registry.
class Phoenix {
 public:
  explicit Phoenix(std::string folder) : folder_(std::move(folder)) {
    start("127.0.0.1:0");
    master_->wait_until_it_leads();
    address_ = master_->address();
  }

  const std::string& address() const { return address_; }
  const perf::MasterProcess& master() const { return *master_; }
  void die_and_rise() {
    master_->child().kill_now();
    start(address_);
  }

 private:
  void start(const std::string& listen) {
    master_.emplace(
        std::vector<std::string>{"--listen=" + listen, "--registry=file:" + folder_ + "/registry"},
        fmt::format("{}/master-{}.log", folder_, ++lives_));
  }

  const std::string folder_;
  std::string address_;
  int lives_ = 0;
  std::optional<perf::MasterProcess> master_;
};

// One number a death, of each.
struct Found {
  std::vector<double> back_secs;
  std::vector<double> first_offer_ms;
  std::vector<double> cpu_us;    // of the master, an agent
  std::vector<double> sent;      // bytes by the peers, an agent
  std::vector<double> received;  // bytes by the peers, an agent
};

Found die(Phoenix& phoenix, perf::Fleet& fleet, const perf::FleetOptions& options) {
  Found found;
  for (uint32_t i = 0; i <= kRounds; ++i) {
    const perf::Fleet::Return back = fleet.outlive([&] { phoenix.die_and_rise(); });
    const double cpu_us = to_millis(phoenix.master().child().processor_time()) * 1e3;
    const uint64_t tasks = uint64_t{options.agents} * options.tasks_per_agent;
    if (const uint64_t known = fleet.count_tasks(); known != tasks) {
      throw std::runtime_error(fmt::format("{} of {} tasks are known", known, tasks));
    }
    const std::optional<WallTime> elected = phoenix.master().elected_at();
    if (!elected) throw std::runtime_error("the master's log does not say when it was elected");
    std::fprintf(stderr, "%u agents: back after %.3f s, %.1f us and %.0f bytes an agent\n",
                 options.agents, back.all_back_secs, cpu_us / options.agents,
                 double(back.bytes_sent) / options.agents);
    if (i == 0) continue;  // the warm-up
    found.back_secs.push_back(back.all_back_secs);
    found.first_offer_ms.push_back(to_millis(back.first_offer - *elected));
    found.cpu_us.push_back(cpu_us / options.agents);
    found.sent.push_back(double(back.bytes_sent) / options.agents);
    found.received.push_back(double(back.bytes_received) / options.agents);
  }
  return found;
}

perf::Outcome outcome(std::string name, std::string unit, std::vector<double> values) {
  return {.name = std::move(name),
          .unit = std::move(unit),
          .better = perf::Better::kLower,
          .sample = perf::sample_of(std::move(values)),
          .against = std::nullopt};
}

struct Scenario {
  std::string name;  // of all_back
  perf::FleetOptions options;
};

Found live_through(const Scenario& scenario) {
  const perf::TemporaryFolder folder;
  Phoenix phoenix(folder.path());
  perf::FleetOptions options = scenario.options;
  options.master = phoenix.address();
  perf::Fleet fleet(options);
  return die(phoenix, fleet, options);
}

int measure() {
  perf::Report report("failover");
  const Scenario many{.name = "failover/all_back/40000x400000",
                      .options = {.agents = 40'000, .links = 2'000}};
  const Scenario own_links{.name = "failover/all_back/10000x10000conn",
                           .options = {.agents = 10'000, .links = 10'000}};
  Scenario at_once = many;
  at_once.name += "/without_wait";
  at_once.options.registration_backoff = {};

  Found found = live_through(many);
  report.add(outcome(many.name, "s", found.back_secs));
  report.add(outcome("failover/first_offer", "ms", found.first_offer_ms));
  report.add(outcome("failover/cpu_per_agent", "us", found.cpu_us));
  report.add(outcome("failover/bytes_per_agent", "B", found.sent));
  report.add(outcome(at_once.name, "s", live_through(at_once).back_secs));
  report.add(outcome(own_links.name, "s", live_through(own_links).back_secs));
  return report.finish();
}

// For profilers: one cluster of this size, and its deaths.
int one(int argc, char** argv) {
  Scenario scenario{.options = {.agents = 40'000, .links = 2'000}};
  if (argc > 2) scenario.options.agents = uint32_t(std::strtoul(argv[2], nullptr, 10));
  if (argc > 3) scenario.options.links = uint32_t(std::strtoul(argv[3], nullptr, 10));
  live_through(scenario);
  return 0;
}

int run(int argc, char** argv) {
  // Until the fleet listens to them, so that nothing is left behind whenever they come.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  // A link is a descriptor, here and in the master, which inherits this.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  try {
    return argc > 1 ? one(argc, argv) : measure();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_failover: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace tepui

int main(int argc, char** argv) { return tepui::run(argc, argv); }
