#include <fmt/format.h>

#include <type_traits>

#include "master/recorded_master.h"

namespace tepui {

namespace {

// Whoever adds a setting must write and read it here, or a replay would be of another master.
static_assert(sizeof(MasterTunables) == 80);
static_assert(sizeof(MasterConfig) == 176);
static_assert(sizeof(AllocatorOptions) == 96);

void write(JournalWriter& out, const Quantities& quantities) {
  out.number(uint64_t{quantities.items().size()});
  for (const Quantities::Item& item : quantities.items()) out.text(item.name).number(item.milli);
}

Quantities read_quantities(JournalFields& in) {
  Quantities quantities;
  for (size_t left = in.count(2 * sizeof(uint64_t)); left > 0; --left) {
    const std::string name = in.text();
    quantities.add(name, in.signed_number());
  }
  return quantities;
}

SorterPolicy read_policy(JournalFields& in) {
  return in.number() == static_cast<uint64_t>(SorterPolicy::kRandom) ? SorterPolicy::kRandom
                                                                     : SorterPolicy::kDrf;
}

void write(JournalWriter& out, const AllocatorOptions& options) {
  out.number(uint64_t{options.min_allocatable.size()});
  for (const Quantities& alternative : options.min_allocatable) write(out, alternative);
  out.number(uint64_t{options.fairness_excluded.size()});
  for (const std::string& name : options.fairness_excluded) out.text(name);
  out.text(options.region)
      .flag(options.filter_gpu_resources)
      .number(uint64_t{options.unused_returns_max})
      .number(static_cast<uint64_t>(options.role_sorter))
      .number(static_cast<uint64_t>(options.framework_sorter));
}

AllocatorOptions read_options(JournalFields& in) {
  AllocatorOptions options;
  for (size_t left = in.count(sizeof(uint64_t)); left > 0; --left) {
    options.min_allocatable.push_back(read_quantities(in));
  }
  for (size_t left = in.count(sizeof(uint64_t)); left > 0; --left) {
    options.fairness_excluded.push_back(in.text());
  }
  options.region = in.text();
  options.filter_gpu_resources = in.flag();
  options.unused_returns_max = static_cast<uint32_t>(in.number());
  options.role_sorter = read_policy(in);
  options.framework_sorter = read_policy(in);
  return options;
}

}  // namespace

void write_tunables(JournalWriter& out, const MasterTunables& tunables) {
  out.duration(tunables.ping_interval)
      .number(int64_t{tunables.ping_misses_max})
      .duration(tunables.offer_timeout)
      .duration(tunables.agent_reregister_timeout)
      .duration(tunables.heartbeat_interval)
      .duration(tunables.allocation_gap)
      .duration(tunables.allocation_interval)
      .number(uint64_t{tunables.allocation_slice_agents})
      .number(uint64_t{tunables.completed_tasks_max})
      .flag(tunables.lend_guarantees)
      .number(int64_t{tunables.recovery_removal_percent_max})
      .duration(tunables.removal_gap);
}

MasterTunables read_tunables(JournalFields& in) {
  MasterTunables tunables;
  tunables.ping_interval = in.duration();
  tunables.ping_misses_max = static_cast<int>(in.signed_number());
  tunables.offer_timeout = in.duration();
  tunables.agent_reregister_timeout = in.duration();
  tunables.heartbeat_interval = in.duration();
  tunables.allocation_gap = in.duration();
  tunables.allocation_interval = in.duration();
  tunables.allocation_slice_agents = static_cast<uint32_t>(in.number());
  tunables.completed_tasks_max = static_cast<uint32_t>(in.number());
  tunables.lend_guarantees = in.flag();
  tunables.recovery_removal_percent_max = static_cast<int>(in.signed_number());
  tunables.removal_gap = in.duration();
  return tunables;
}

void write_makeup(JournalWriter& out, const MasterMakeup& makeup) {
  out.text(makeup.config.build).text(makeup.config.hostname);
  out.number(uint64_t{makeup.config.weights.size()});
  for (const auto& [role, weight_milli] : makeup.config.weights) {
    out.text(role).number(weight_milli);
  }
  out.flag(makeup.config.require_agent_domain);
  write_tunables(out, makeup.config.tunables);
  write(out, makeup.allocator);
  out.number(makeup.seed).number(makeup.allocator_seed);
}

Result<MasterMakeup> read_makeup(std::span<const std::byte> payload) {
  JournalFields in(payload);
  MasterMakeup makeup;
  makeup.config.build = in.text();
  makeup.config.hostname = in.text();
  for (size_t left = in.count(2 * sizeof(uint64_t)); left > 0; --left) {
    std::string role = in.text();
    makeup.config.weights.emplace_back(std::move(role), in.signed_number());
  }
  makeup.config.require_agent_domain = in.flag();
  makeup.config.tunables = read_tunables(in);
  makeup.allocator = read_options(in);
  makeup.seed = in.number();
  makeup.allocator_seed = in.number();
  if (!in.ok() || !in.at_end()) {
    return fail(
        "the head of the journal does not say how the master was made (written by another "
        "version of this program?)");
  }
  return makeup;
}

}  // namespace tepui
