#pragma once
// Faults are drawn per seed: first which kinds happen at all, then how often (swarm testing: a run
// in which everything fails at once hides what a run with two kinds of faults shows).

#include <cstdint>
#include <string>

#include "agent/agent.h"
#include "common/rng.h"
#include "common/time.h"
#include "master/master.h"
#include "sdk/scheduler.h"

namespace tepui::sim {

struct NetworkFaults {
  Duration delay = std::chrono::microseconds(200);      // typical, one way
  Duration delay_tail = std::chrono::milliseconds(20);  // one in tail_one_in takes up to this
  uint64_t tail_one_in = 100;
  uint64_t break_one_in = 0;    // messages at which the link dies; 0: never
  uint64_t codec_one_in = 4;    // messages that go through the real codec
  uint64_t stale_one_in = 0;    // connects that go to the leader before
  size_t congested_above = 64;  // messages in flight to a client
};

struct HostFaults {
  Duration launch_max = std::chrono::milliseconds(50);
  Duration run_max = std::chrono::seconds(20);
  uint64_t launch_fails_one_in = 0;
  uint64_t exit_fails_one_in = 8;
  uint64_t ignores_term_one_in = 4;
  uint64_t shim_dies_one_in = 0;  // nobody knows how the command ended
  uint64_t reboots_one_in = 0;    // deaths of an agent in which its machine dies too
  uint64_t grows_one_in = 0;      // starts of an agent that finds more on its machine
};

struct DiskFaults {
  Duration sync_max = std::chrono::milliseconds(10);
  uint64_t crash_one_in = 0;  // writes during which the writer dies
  uint64_t full_one_in = 0;
};

// What happens from outside, each with its mean time between two; 0: never.
struct ChaosFaults {
  Duration partition{};  // between two nodes, one way or both
  Duration isolation{};  // of one node
  Duration master_crash{};
  Duration master_depose{};  // another master is elected; this one learns it late
  Duration agent_crash{};
  Duration scheduler_crash{};
  Duration clock_jump{};
  Duration tunables{};  // reloaded with other values
  Duration operator_kill{};
  Duration operator_command{};
  Duration revocable{};  // an agent has other revocable resources than before
};

// Of a life whose masters are elected by ZooKeeper and keep the registry there.
struct EnsembleFaults {
  bool is_used = false;  // else the registry is on a disk, and its lock elects
  Duration timeout = std::chrono::seconds(6);           // of sessions
  Duration delay = std::chrono::milliseconds(1);        // of a request or an answer, typical
  Duration delay_tail = std::chrono::milliseconds(50);  // one in tail_one_in takes up to this
  uint64_t tail_one_in = 100;
  Duration watch_late{};     // a watch comes up to so much later
  Duration expiry_late{};    // a session ends up to so much later
  uint64_t loss_one_in = 0;  // requests at which the connection is lost
  // Mean times between two; 0: never.
  Duration cut{};      // of a node from the ensemble
  Duration outage{};   // of the whole ensemble
  Duration expiry{};   // of the session of a master that believes that all is well
  Duration removal{};  // of a contender's node by somebody

  static EnsembleFaults draw(Rng& rng);
};

// Of a life in which frameworks have executors of their own.
struct ExecutorFaults {
  bool are_used = false;
  // Of executors, those that …; 0: none.
  uint64_t hangs_one_in = 0;          // never subscribe
  uint64_t crashes_one_in = 0;        // die at some time
  uint64_t misbehaves_one_in = 0;     // say what they should not
  uint64_t never_ends_one_in = 0;     // do not end when they have nothing to do
  uint64_t ignores_kills_one_in = 0;  // let tasks go on that are to end
  uint64_t ignores_end_one_in = 0;    // do not end when they are told to
  // What agents are tuned to.
  Duration registration_timeout = std::chrono::minutes(1);
  Duration reregistration_timeout = std::chrono::seconds(2);
  Duration shutdown_grace = std::chrono::seconds(5);
  Duration recovery_timeout = std::chrono::minutes(15);

  static ExecutorFaults draw(Rng& rng);
  void tune(AgentTunables& tunables) const;
};

// Of a life in which launches go wrong at every step.
struct LaunchFaults {
  bool are_used = false;  // else a launch takes one step, and is told at once
  // Of launches, those that …; 0: none.
  uint64_t stalls_one_in = 0;          // wait for a download that stands still
  uint64_t fetch_fails_one_in = 0;     // or whose image is refused
  uint64_t cgroup_fails_one_in = 0;    // get none
  uint64_t limits_fail_one_in = 0;     // get it, and cannot be bounded
  uint64_t shim_fails_one_in = 0;      // have a shim that says that it cannot
  uint64_t shim_is_mute_one_in = 0;    // have one that dies before it could say anything
  uint64_t adoption_fails_one_in = 0;  // cannot be watched by the next agent, and are ended
  uint64_t resize_fails_one_in = 0;
  uint64_t destroy_hangs_one_in = 0;
  uint64_t dies_one_in = 0;        // of steps, those at which the agent dies
  uint64_t stays_down_one_in = 0;  // of its deaths, those after which it is long away
  Duration fetch_max = std::chrono::milliseconds(50);
  Duration tell_late{};  // an outcome comes up to so much later
  Duration adoption_max = std::chrono::milliseconds(5);
  Duration hang_max = std::chrono::minutes(1);

  static LaunchFaults draw(Rng& rng);
  std::string describe() const;
};

struct Faults {
  NetworkFaults network;
  HostFaults host;
  DiskFaults disk;        // the registry's
  DiskFaults agent_disk;  // of every agent
  ChaosFaults chaos;
  EnsembleFaults ensemble;
  ExecutorFaults executors;
  LaunchFaults launches;
  // All nodes begin with the wire of the first release, and each is upgraded at some time.
  bool upgrades = false;
  MasterTunables master;
  AgentTunables agent;
  Duration subscribe_backoff_min = std::chrono::milliseconds(500);
  Duration subscribe_backoff_max = std::chrono::seconds(15);

  static Faults draw(Rng& rng);
  // Nothing fails any more; tunables are such that quiet comes soon.
  static Faults healed(const Faults& before);
  std::string describe() const;
};

MasterTunables draw_master_tunables(Rng& rng);
AgentTunables draw_agent_tunables(Rng& rng);

}  // namespace tepui::sim
