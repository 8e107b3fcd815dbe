#include "tests/sim/faults.h"

#include <fmt/format.h>

#include <iterator>

#include "common/text.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {

Duration pick(Rng& rng, std::initializer_list<Duration> values) {
  return values.begin()[rng.below(values.size())];
}

// How often something happens in this run, if it happens at all.
Duration often(Rng& rng) { return pick(rng, {2s, 5s, 15s, 40s}); }
// Some repairs only show where no other fault repairs the same by accident.
ChaosFaults only_one(Rng& rng) {
  ChaosFaults chaos;
  Duration ChaosFaults::* const kinds[] = {&ChaosFaults::partition, &ChaosFaults::master_crash,
                                           &ChaosFaults::master_depose, &ChaosFaults::agent_crash,
                                           &ChaosFaults::scheduler_crash};
  chaos.*kinds[rng.below(std::size(kinds))] = often(rng);
  return chaos;
}

uint64_t one_in(Rng& rng) { return uint64_t{4} << rng.below(8); }

}  // namespace

MasterTunables draw_master_tunables(Rng& rng) {
  MasterTunables made;
  made.ping_interval = pick(rng, {100ms, 1s, 5s, 15s});
  made.ping_misses_max = static_cast<int>(rng.between(1, 5));
  made.offer_timeout = pick(rng, {0ms, 0ms, 10ms, 1s, 10s});
  made.agent_reregister_timeout = pick(rng, {1s, 30s, 2min, 10min});
  made.heartbeat_interval = pick(rng, {100ms, 1s, 15s});
  made.allocation_gap = pick(rng, {0ms, 5ms, 5ms, 1s});
  made.allocation_interval = pick(rng, {0ms, 50ms, 1s});
  made.allocation_slice_agents = static_cast<uint32_t>(rng.chance(1, 2) ? 1 : 2000);
  made.lend_guarantees = rng.chance(1, 2);
  made.completed_tasks_max = static_cast<uint32_t>(rng.chance(1, 2) ? 1 : 1000);
  // Without a draw of its own, so that seeds stay what they were.
  if (made.allocation_interval == 50ms) made.removal_gap = made.lend_guarantees ? 100ms : 5s;
  return made;
}

AgentTunables draw_agent_tunables(Rng& rng) {
  AgentTunables made;
  made.registration_backoff = pick(rng, {1ms, 100ms, 1s});
  made.registration_backoff_max = pick(rng, {10ms, 5s, 1min});
  made.update_retry_min = pick(rng, {1ms, 100ms, 1s, 10s});
  made.update_retry_max = pick(rng, {10s, 1min, 10min});
  made.kill_grace = pick(rng, {0ms, 100ms, 3s});
  return made;
}

Faults Faults::draw(Rng& rng) {
  Faults made;
  NetworkFaults& network = made.network;
  network.delay = pick(rng, {10us, 200us, 5ms, 300ms});
  network.delay_tail = pick(rng, {1ms, 100ms, 3s});
  network.tail_one_in = one_in(rng);
  if (rng.chance(1, 2)) network.break_one_in = one_in(rng) * 8;
  if (rng.chance(1, 2)) network.stale_one_in = 3;
  network.congested_above = rng.chance(1, 2) ? 2 : 64;

  HostFaults& host = made.host;
  host.launch_max = pick(rng, {1ms, 50ms, 5s});
  host.run_max = pick(rng, {10ms, 2s, 30s});
  if (rng.chance(1, 3)) host.launch_fails_one_in = one_in(rng);
  if (rng.chance(1, 3)) host.shim_dies_one_in = one_in(rng);

  DiskFaults& disk = made.disk;
  disk.sync_max = pick(rng, {100us, 10ms, 2s});
  if (rng.chance(1, 3)) disk.crash_one_in = 2 + rng.below(8);
  if (rng.chance(1, 4)) disk.full_one_in = 2 + rng.below(8);

  DiskFaults& agent_disk = made.agent_disk;
  agent_disk.sync_max = pick(rng, {100us, 10ms, 1s});
  if (rng.chance(1, 4)) agent_disk.crash_one_in = 8 + rng.below(64);
  if (rng.chance(1, 8)) agent_disk.full_one_in = 16 + rng.below(64);
  if (rng.chance(1, 3)) host.reboots_one_in = 1 + rng.below(6);
  if (rng.chance(1, 3)) host.grows_one_in = 1 + rng.below(6);

  ChaosFaults& chaos = made.chaos;
  if (rng.chance(1, 2)) chaos.partition = often(rng);
  if (rng.chance(1, 3)) chaos.isolation = often(rng);
  if (rng.chance(1, 3)) chaos.master_crash = often(rng) * 2;
  if (rng.chance(1, 3)) chaos.master_depose = often(rng) * 2;
  if (rng.chance(1, 3)) chaos.agent_crash = often(rng);
  if (rng.chance(1, 3)) chaos.scheduler_crash = often(rng);
  if (rng.chance(1, 4)) chaos.clock_jump = often(rng);
  if (rng.chance(1, 4)) chaos.tunables = often(rng);
  if (rng.chance(1, 4)) chaos.operator_kill = often(rng);
  if (rng.chance(1, 3)) chaos.operator_command = often(rng);

  if (rng.chance(1, 3)) chaos.revocable = often(rng);

  if (rng.chance(1, 4)) chaos = only_one(rng);

  if (rng.chance(1, 2)) made.master = draw_master_tunables(rng);
  if (rng.chance(1, 2)) made.agent = draw_agent_tunables(rng);
  if (rng.chance(1, 4)) made.subscribe_backoff_min = 1ms;
  if (rng.chance(1, 4)) made.subscribe_backoff_max = 20ms;
  return made;
}

EnsembleFaults EnsembleFaults::draw(Rng& rng) {
  EnsembleFaults made;
  made.is_used = rng.chance(1, 3);
  made.timeout = pick(rng, {2s, 6s, 10s});
  made.delay = pick(rng, {100us, 2ms, 50ms});
  made.delay_tail = pick(rng, {10ms, 500ms, 2s});
  made.tail_one_in = one_in(rng);
  if (rng.chance(1, 2)) made.watch_late = pick(rng, {10ms, 1s, 10s});
  if (rng.chance(1, 2)) made.expiry_late = pick(rng, {100ms, 2s, 10s});
  if (rng.chance(1, 3)) made.loss_one_in = 2 + rng.below(30);
  if (rng.chance(1, 3)) made.cut = often(rng);
  if (rng.chance(1, 4)) made.outage = often(rng) * 2;
  if (rng.chance(1, 3)) made.expiry = often(rng);
  if (rng.chance(1, 6)) made.removal = often(rng);
  return made;
}

ExecutorFaults ExecutorFaults::draw(Rng& rng) {
  ExecutorFaults made;
  made.are_used = rng.chance(1, 3);
  if (rng.chance(1, 3)) made.hangs_one_in = 2 + rng.below(8);
  if (rng.chance(1, 3)) made.crashes_one_in = 1 + rng.below(8);
  if (rng.chance(1, 3)) made.misbehaves_one_in = 1 + rng.below(4);
  if (rng.chance(1, 3)) made.never_ends_one_in = 1 + rng.below(4);
  if (rng.chance(1, 2)) made.ignores_kills_one_in = 1 + rng.below(4);
  if (rng.chance(1, 2)) made.ignores_end_one_in = 1 + rng.below(4);
  made.registration_timeout = pick(rng, {1s, 10s, 1min});
  made.reregistration_timeout = pick(rng, {100ms, 2s, 15s});
  made.shutdown_grace = pick(rng, {0s, 1s, 5s});
  made.recovery_timeout = pick(rng, {1s, 5s, 15min});
  return made;
}

void ExecutorFaults::tune(AgentTunables& tunables) const {
  tunables.executor_registration_timeout = registration_timeout;
  tunables.executor_reregistration_timeout = reregistration_timeout;
  tunables.executor_shutdown_grace = shutdown_grace;
  tunables.recovery_timeout = recovery_timeout;
}

LaunchFaults LaunchFaults::draw(Rng& rng) {
  LaunchFaults made;
  made.are_used = rng.chance(1, 2);
  if (!made.are_used) return made;
  if (rng.chance(1, 3)) made.stalls_one_in = 2 + rng.below(10);
  if (rng.chance(1, 3)) made.fetch_fails_one_in = 2 + rng.below(10);
  if (rng.chance(1, 3)) made.cgroup_fails_one_in = 2 + rng.below(20);
  if (rng.chance(1, 3)) made.limits_fail_one_in = 2 + rng.below(20);
  if (rng.chance(1, 3)) made.shim_fails_one_in = 2 + rng.below(10);
  if (rng.chance(1, 3)) made.shim_is_mute_one_in = 2 + rng.below(10);
  if (rng.chance(1, 2)) made.adoption_fails_one_in = 1 + rng.below(3);
  if (rng.chance(1, 2)) made.resize_fails_one_in = 1 + rng.below(8);
  if (rng.chance(1, 3)) made.destroy_hangs_one_in = 2 + rng.below(10);
  if (rng.chance(1, 3)) made.dies_one_in = 8 + rng.below(64);
  if (rng.chance(1, 4)) made.stays_down_one_in = 1 + rng.below(4);
  made.fetch_max = pick(rng, {1ms, 50ms, 2s, 30s});
  made.tell_late = pick(rng, {0ms, 1ms, 100ms, 5s});
  made.adoption_max = pick(rng, {5ms, 100ms, 10s});
  return made;
}

std::string LaunchFaults::describe() const {
  if (!are_used) return {};
  return fmt::format(
      "; launches stall 1/{} fetch 1/{} cgroup 1/{} limits 1/{} shim 1/{} mute 1/{} adopt 1/{} "
      "resize 1/{} hang 1/{} die 1/{} stay down 1/{}, fetch {} told {} late, adopted in {}",
      stalls_one_in, fetch_fails_one_in, cgroup_fails_one_in, limits_fail_one_in, shim_fails_one_in,
      shim_is_mute_one_in, adoption_fails_one_in, resize_fails_one_in, destroy_hangs_one_in,
      dies_one_in, stays_down_one_in, to_text(fetch_max), to_text(tell_late),
      to_text(adoption_max));
}

Faults Faults::healed(const Faults& before) {
  Faults calm;
  calm.network.stale_one_in = 0;
  calm.host = before.host;
  calm.host.launch_fails_one_in = 0;
  calm.host.shim_dies_one_in = 0;
  calm.ensemble.is_used = before.ensemble.is_used;
  calm.executors.are_used = before.executors.are_used;
  calm.launches.are_used = before.launches.are_used;
  calm.upgrades = before.upgrades;
  calm.ensemble.timeout = before.ensemble.timeout;
  calm.master.agent_reregister_timeout = 30s;
  calm.agent.registration_backoff_max = 5s;
  calm.agent.update_retry_min = 1s;
  calm.agent.update_retry_max = 10s;
  return calm;
}

std::string Faults::describe() const {
  std::string zookeeper;
  if (ensemble.is_used) {
    zookeeper = fmt::format(
        "; zookeeper timeout {} delay {} tail {} 1/{} watch {} late {} loss 1/{} cut {} outage {} "
        "expiry {} removal {}",
        to_text(ensemble.timeout), to_text(ensemble.delay), to_text(ensemble.delay_tail),
        ensemble.tail_one_in, to_text(ensemble.watch_late), to_text(ensemble.expiry_late),
        ensemble.loss_one_in, to_text(ensemble.cut), to_text(ensemble.outage),
        to_text(ensemble.expiry), to_text(ensemble.removal));
  }
  std::string custom;
  if (executors.are_used) {
    custom = fmt::format(
        "; executors hang 1/{} crash 1/{} misbehave 1/{} never end 1/{} ignore kills 1/{} end "
        "1/{}, register {} again {} grace {} recovery {}",
        executors.hangs_one_in, executors.crashes_one_in, executors.misbehaves_one_in,
        executors.never_ends_one_in, executors.ignores_kills_one_in, executors.ignores_end_one_in,
        to_text(executors.registration_timeout), to_text(executors.reregistration_timeout),
        to_text(executors.shutdown_grace), to_text(executors.recovery_timeout));
  }
  return fmt::format(
             "delay {} tail {} break 1/{} stale 1/{}; launch {} run {} fail 1/{} shim 1/{}; sync "
             "{} crash "
             "1/{} full 1/{}; agents sync {} crash 1/{} full 1/{} reboot 1/{}; every: partition {} "
             "isolation {} master-crash {} depose {} agent-crash {} "
             "scheduler-crash {} clock {} tunables {} operator-kill {} "
             "operator-command {} revocable {}; lends {}",
             to_text(network.delay), to_text(network.delay_tail), network.break_one_in,
             network.stale_one_in, to_text(host.launch_max), to_text(host.run_max),
             host.launch_fails_one_in, host.shim_dies_one_in, to_text(disk.sync_max),
             disk.crash_one_in, disk.full_one_in, to_text(agent_disk.sync_max),
             agent_disk.crash_one_in, agent_disk.full_one_in, host.reboots_one_in,
             to_text(chaos.partition), to_text(chaos.isolation), to_text(chaos.master_crash),
             to_text(chaos.master_depose), to_text(chaos.agent_crash),
             to_text(chaos.scheduler_crash), to_text(chaos.clock_jump), to_text(chaos.tunables),
             to_text(chaos.operator_kill), to_text(chaos.operator_command),
             to_text(chaos.revocable), master.lend_guarantees) +
         zookeeper + custom + launches.describe() + (upgrades ? "; upgrades" : "");
}

}  // namespace tepui::sim
