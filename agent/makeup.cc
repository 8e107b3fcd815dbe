// What an agent is made with, in its journal.

#include <utility>

#include "agent/checkpoint_wire.h"
#include "agent/recorded_agent.h"
#include "common/registry_wire.h"

namespace tepui {

// Whoever adds a setting must write and read it here, or a replay would be of another agent.
static_assert(sizeof(IsolationSettings) == 192);
static_assert(sizeof(AgentTunables) == 72 + sizeof(IsolationSettings));

namespace {

void write_texts(JournalWriter& out, const std::vector<std::string>& texts) {
  out.number(uint64_t{texts.size()});
  for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> read_texts(JournalFields& in) {
  constexpr size_t kTextBytesMin = 1;  // its length
  std::vector<std::string> texts(in.count(kTextBytesMin));
  for (std::string& text : texts) text = in.text();
  return texts;
}

void write_isolation(JournalWriter& out, const IsolationSettings& settings) {
  out.flag(settings.cpu_max_of_requests)
      .number(settings.cpu_burst_percent)
      .flag(settings.revocable_idle)
      .number(settings.memory_high_percent)
      .number(settings.swap_percent)
      .number(settings.pids_max)
      .number(settings.io_max.read_bytes)
      .number(settings.io_max.write_bytes)
      .number(settings.io_max.read_operations)
      .number(settings.io_max.write_operations)
      .number(settings.io_latency_us)
      .number(settings.egress_max_bytes);
  for (const auto* texts : {&settings.io_devices, &settings.hugepage_sizes, &settings.devices,
                            &settings.missing_files}) {
    write_texts(out, *texts);
  }
}

IsolationSettings read_isolation(JournalFields& in) {
  IsolationSettings settings;
  settings.cpu_max_of_requests = in.flag();
  settings.cpu_burst_percent = in.signed_number();
  settings.revocable_idle = in.flag();
  settings.memory_high_percent = in.signed_number();
  settings.swap_percent = in.signed_number();
  settings.pids_max = in.signed_number();
  settings.io_max.read_bytes = in.signed_number();
  settings.io_max.write_bytes = in.signed_number();
  settings.io_max.read_operations = in.signed_number();
  settings.io_max.write_operations = in.signed_number();
  settings.io_latency_us = in.signed_number();
  settings.egress_max_bytes = in.signed_number();
  for (auto* texts : {&settings.io_devices, &settings.hugepage_sizes, &settings.devices,
                      &settings.missing_files}) {
    *texts = read_texts(in);
  }
  return settings;
}

}  // namespace

void write_tunables(JournalWriter& out, const AgentTunables& tunables) {
  out.duration(tunables.registration_backoff)
      .duration(tunables.registration_backoff_max)
      .duration(tunables.update_retry_min)
      .duration(tunables.update_retry_max)
      .duration(tunables.kill_grace)
      .duration(tunables.executor_registration_timeout)
      .duration(tunables.executor_reregistration_timeout)
      .duration(tunables.executor_shutdown_grace)
      .duration(tunables.recovery_timeout);
  write_isolation(out, tunables.isolation);
}

AgentTunables read_agent_tunables(JournalFields& in) {
  AgentTunables tunables;
  tunables.registration_backoff = in.duration();
  tunables.registration_backoff_max = in.duration();
  tunables.update_retry_min = in.duration();
  tunables.update_retry_max = in.duration();
  tunables.kill_grace = in.duration();
  tunables.executor_registration_timeout = in.duration();
  tunables.executor_reregistration_timeout = in.duration();
  tunables.executor_shutdown_grace = in.duration();
  tunables.recovery_timeout = in.duration();
  tunables.isolation = read_isolation(in);
  return tunables;
}

void write_makeup(JournalWriter& out, const AgentMakeup& makeup) {
  const AgentConfig& config = makeup.config;
  write_tunables(out, config.tunables);
  out.text(encode_agent(config.info))
      .text(encode_checkpoint(
          {.total = config.configured, .operations = config.operations, .destroying = {}}))
      .text(config.ground.boot_id)
      .text(config.ground.runtime_dir)
      .text(config.ground.cgroup_root)
      .text(config.build)
      .text(config.principal)
      .text(config.executor_socket)
      .text(config.work_dir)
      .number(uint64_t{config.confinement.isolators.to_ullong()})
      .number(config.confinement.capabilities)
      .flag(config.confinement.allow_unconfined)
      .text(config.confinement.cgroup_mount);
  write_texts(out, config.confinement.private_directories);
  write_texts(out, config.confinement.volume_host_paths);
  write_texts(out, config.confinement.image_directories);
  out.number(makeup.seed);
}

Result<AgentMakeup> read_agent_makeup(std::span<const std::byte> payload) {
  JournalFields in(payload);
  AgentMakeup makeup;
  AgentConfig& config = makeup.config;
  config.tunables = read_agent_tunables(in);
  const std::string info = in.text();
  const std::string resources = in.text();
  config.ground.boot_id = in.text();
  config.ground.runtime_dir = in.text();
  config.ground.cgroup_root = in.text();
  config.build = in.text();
  config.principal = in.text();
  config.executor_socket = in.text();
  config.work_dir = in.text();
  config.confinement.isolators = IsolatorSet(in.number());
  config.confinement.capabilities = in.number();
  config.confinement.allow_unconfined = in.flag();
  config.confinement.cgroup_mount = in.text();
  config.confinement.private_directories = read_texts(in);
  config.confinement.volume_host_paths = read_texts(in);
  config.confinement.image_directories = read_texts(in);
  makeup.seed = in.number();
  if (!in.ok() || !in.at_end()) return fail("the head does not hold what makes an agent");
  config.info = TRY(decode_agent(info));
  StoredCheckpoint stored = TRY(decode_checkpoint(resources));
  config.configured = std::move(stored.total);
  config.operations = std::move(stored.operations);
  return makeup;
}

}  // namespace tepui
