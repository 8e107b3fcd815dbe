// How fast a cluster stands again when its leading master is killed: agents that run tasks,
// multiplexed over few links or each with its own, against the real program over real sockets
// (perf/fleet.h). The master is killed with SIGKILL, and the next one starts at once from the same
// registry, in a directory; its start is part of the time. So is the wait that every agent draws
// before it asks (up to a second, so that they do not all come at once); `…/without_wait` is the
// same with that wait at nothing, which shows what the master itself takes.
//
// The same with two masters and a ZooKeeper: one leads, is killed, and the other takes over when
// the session of the dead has ended; then the killed one starts again to follow. (`…/zookeeper` is
// counted from the election, for the wait before is a setting.)
//
// Beside the compact re-registration in the same run: agents that say everything, and say it again
// while they wait, as those of the first release do.
//
// `updates/durable_rate` is one agent's core and its log (perf/durable_updates.h).
//
// Nothing may be lost: after each death the frameworks ask the new master for their tasks
// (reconciliation), and all must be there.
//
// Measured elsewhere, so not a peer of this run: Apache Mesos 1.12, 40,000 agents with 400,000
// tasks, in one process and without sockets: 19 s.
//
//   bench_failover                                       the whole benchmark
//   bench_failover --one [AGENTS [LINKS [whole]]]        one cluster, for profilers
//   bench_failover --updates                             only the status updates
//   bench_failover --zookeeper [AGENTS [LINKS]]          only the election

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

#include "common/io/clock.h"
#include "perf/child.h"
#include "perf/durable_updates.h"
#include "perf/fleet.h"
#include "perf/master_process.h"
#include "perf/report.h"
#include "perf/zookeeper_process.h"

namespace tepui {
namespace {

constexpr uint32_t kRounds = 3;
constexpr Duration kSessionTimeout = std::chrono::seconds(2);

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

// Two masters in ZooKeeper, of which one leads.
class Rivals {
 public:
  Rivals(std::string folder, std::string url) : folder_(std::move(folder)), url_(std::move(url)) {
    start(0);
    leader().wait_until_it_leads();
    start(1);
    masters_[1]->wait_until_it_listens();
  }

  const std::string& url() const { return url_; }
  const perf::MasterProcess& leader() const { return *masters_[leads_]; }
  void let_the_other_lead() {
    killed_at_ = now().wall;
    masters_[leads_]->child().kill_now();
    leads_ = 1 - leads_;
  }
  WallTime killed_at() const { return killed_at_; }
  void bring_back_the_dead() {
    start(1 - leads_);
    masters_[1 - leads_]->wait_until_it_listens();
  }

 private:
  void start(size_t which) {
    masters_[which].emplace(
        std::vector<std::string>{"--listen=127.0.0.1:0", "--zk=" + url_,
                                 fmt::format("--zk-session-timeout={}ms",
                                             kSessionTimeout / std::chrono::milliseconds(1))},
        fmt::format("{}/rival-{}.log", folder_, ++lives_));
  }

  const std::string folder_;
  const std::string url_;
  std::optional<perf::MasterProcess> masters_[2];
  size_t leads_ = 0;
  int lives_ = 0;
  WallTime killed_at_{};
};

WallTime election_of(const perf::MasterProcess& master) {
  const std::optional<WallTime> elected = master.elected_at();
  if (!elected) throw std::runtime_error("the master's log does not say when it was elected");
  return *elected;
}

void expect_all(perf::Fleet& fleet, const perf::FleetOptions& options) {
  const uint64_t tasks = uint64_t{options.agents} * options.tasks_per_agent;
  if (const uint64_t known = fleet.count_tasks(); known != tasks) {
    throw std::runtime_error(fmt::format("{} of {} tasks are known", known, tasks));
  }
}

// One number a death, of each.
struct Found {
  std::vector<double> back_secs;
  std::vector<double> first_offer_ms;  // after the election
  std::vector<double> cpu_us;          // of the master, an agent
  std::vector<double> sent;            // bytes by the peers, an agent
  std::vector<double> election_ms;     // after the death
};

Found die(Phoenix& phoenix, perf::Fleet& fleet, const perf::FleetOptions& options) {
  Found found;
  for (uint32_t i = 0; i <= kRounds; ++i) {
    const perf::Fleet::Return back = fleet.outlive([&] { phoenix.die_and_rise(); });
    const double cpu_us = to_millis(phoenix.master().child().processor_time()) * 1e3;
    expect_all(fleet, options);
    std::fprintf(stderr,
                 "%u agents: back after %.3f s, %.1f us and %.0f bytes an agent, %llu said all, "
                 "%llu links were lost\n",
                 options.agents, back.all_back_secs, cpu_us / options.agents,
                 double(back.bytes_sent) / options.agents,
                 static_cast<unsigned long long>(back.said_all),
                 static_cast<unsigned long long>(back.links_lost));
    if (i == 0) continue;  // the warm-up
    found.back_secs.push_back(back.all_back_secs);
    found.first_offer_ms.push_back(to_millis(back.first_offer - election_of(phoenix.master())));
    found.cpu_us.push_back(cpu_us / options.agents);
    found.sent.push_back(double(back.bytes_sent) / options.agents);
  }
  return found;
}

Found depose(Rivals& rivals, perf::Fleet& fleet, const perf::FleetOptions& options) {
  Found found;
  for (uint32_t i = 0; i <= kRounds; ++i) {
    const perf::Fleet::Return back = fleet.outlive([&] { rivals.let_the_other_lead(); });
    expect_all(fleet, options);
    const Duration election = election_of(rivals.leader()) - rivals.killed_at();
    rivals.bring_back_the_dead();
    std::fprintf(stderr, "%u agents: elected after %.0f ms, back %.3f s later\n", options.agents,
                 to_millis(election), back.all_back_secs - to_secs(election));
    if (i == 0) continue;  // the warm-up
    found.election_ms.push_back(to_millis(election));
    found.back_secs.push_back(back.all_back_secs - to_secs(election));
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

Found be_deposed(const Scenario& scenario) {
  const perf::TemporaryFolder folder;
  const perf::ZookeeperProcess zookeeper(folder.path());
  Rivals rivals(folder.path(), zookeeper.url());
  perf::FleetOptions options = scenario.options;
  options.master = rivals.url();
  perf::Fleet fleet(options);
  return depose(rivals, fleet, options);
}

perf::Outcome against(perf::Outcome ours, std::string name, std::vector<double> values) {
  ours.against =
      perf::Outcome::Against{.name = std::move(name), .sample = perf::sample_of(std::move(values))};
  return ours;
}

void measure_updates(perf::Report& report) {
  report.measure({.unit = "updates/s", .better = perf::Better::kHigher},
                 {.name = "updates/durable_rate",
                  .measure =
                      [] {
                        const perf::TemporaryFolder folder;
                        return perf::durable_updates_per_sec(folder.path(), {});
                      }},
                 kRounds);
}

void measure_election(perf::Report& report, const Scenario& scenario) {
  if (!perf::ZookeeperProcess::available()) {
    std::fprintf(stderr, "ZooKeeper is not installed: the election is not measured\n");
    return;
  }
  const Found found = be_deposed(scenario);
  report.add(against(outcome("failover/election", "ms", found.election_ms), "session timeout",
                     {to_millis(kSessionTimeout)}));
  report.add(outcome(scenario.name, "s", found.back_secs));
}

// Both kinds of agents, one cluster after the other.
void measure_many(perf::Report& report, const Scenario& many) {
  Scenario whole = many;
  whole.options.compact = false;
  const Found found = live_through(many);
  const Found plain = live_through(whole);
  constexpr const char* kPlain = "everything said";
  report.add(against(outcome(many.name, "s", found.back_secs), kPlain, plain.back_secs));
  report.add(against(outcome("failover/first_offer", "ms", found.first_offer_ms), kPlain,
                     plain.first_offer_ms));
  report.add(against(outcome("failover/cpu_per_agent", "us", found.cpu_us), kPlain, plain.cpu_us));
  report.add(against(outcome("failover/bytes_per_agent", "B", found.sent), kPlain, plain.sent));
}

Scenario scenario(std::string name, uint32_t agents, uint32_t links) {
  return {.name = std::move(name), .options = {.agents = agents, .links = links}};
}

int measure() {
  perf::Report report("failover");
  measure_updates(report);
  const Scenario many = scenario("failover/all_back/40000x400000", 40'000, 2'000);
  measure_many(report, many);
  Scenario at_once = many;
  at_once.name += "/without_wait";
  at_once.options.registration_backoff = {};
  report.add(outcome(at_once.name, "s", live_through(at_once).back_secs));
  const Scenario own = scenario("failover/all_back/10000x10000conn", 10'000, 10'000);
  report.add(outcome(own.name, "s", live_through(own).back_secs));
  measure_election(report, scenario("failover/all_back/10000x100000/zookeeper", 10'000, 500));
  return report.finish();
}

int part(const std::vector<std::string>& words) {
  perf::Report report("failover_part");
  const auto number = [&words](size_t at, uint32_t otherwise) {
    return at < words.size() ? uint32_t(std::strtoul(words[at].c_str(), nullptr, 10)) : otherwise;
  };
  Scenario one = scenario("failover/all_back/one", number(1, 40'000), number(2, 2'000));
  if (words[0] == "--updates") {
    measure_updates(report);
  } else if (words[0] == "--zookeeper") {
    measure_election(report, one);
  } else {
    one.options.compact = words.size() < 4 || words[3] != "whole";
    const Found found = live_through(one);
    report.add(outcome(one.name, "s", found.back_secs));
    report.add(outcome("failover/first_offer", "ms", found.first_offer_ms));
    report.add(outcome("failover/cpu_per_agent", "us", found.cpu_us));
    report.add(outcome("failover/bytes_per_agent", "B", found.sent));
  }
  return report.finish();
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
    return argc > 1 ? part({argv + 1, argv + argc}) : measure();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_failover: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace tepui

int main(int argc, char** argv) { return tepui::run(argc, argv); }
