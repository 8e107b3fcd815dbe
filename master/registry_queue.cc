#include "master/registry_queue.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "master/agents.h"
#include "master/commands.h"
#include "master/drain.h"
#include "master/maintenance.h"
#include "master/quota.h"
#include "master/registration.h"
#include "master/sessions.h"
#include "master/state.h"
#include "master/weights.h"

namespace tepui::master {

namespace {

void add_writes(RegistryQueue& queue, std::vector<StoreWrite> writes) {
  queue.waiting_writes.insert(queue.waiting_writes.end(), std::make_move_iterator(writes.begin()),
                              std::make_move_iterator(writes.end()));
}

std::vector<StoreWrite> apply(Registry& registry, const CommandChange& command) {
  std::vector<StoreWrite> writes;
  const auto add = [&writes](std::vector<StoreWrite> more) {
    writes.insert(writes.end(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
  };
  if (const auto* quota = std::get_if<QuotaChange>(&command)) {
    for (const auto& item : quota->quotas) add(registry.set_quota(item.role, item.quota));
  } else if (const auto* weights = std::get_if<WeightsChange>(&command)) {
    for (const auto& item : weights->weights)
      add(registry.set_weight(item.role, item.weight_milli));
  } else if (const auto* machines = std::get_if<MachinesChange>(&command)) {
    for (const auto& [hostname, machine] : machines->machines) {
      add(registry.set_machine(hostname, machine));
    }
  } else if (const auto* standing = std::get_if<StandingChange>(&command)) {
    add(registry.set_standing(standing->agent, standing->standing));
  }
  return writes;
}

void complete(State& s, const CommandChange& command) {
  if (const auto* quota = std::get_if<QuotaChange>(&command)) return on_recorded(s, *quota);
  if (const auto* weights = std::get_if<WeightsChange>(&command)) return on_recorded(s, *weights);
  if (const auto* machines = std::get_if<MachinesChange>(&command)) {
    return on_recorded(s, *machines);
  }
  if (const auto* standing = std::get_if<StandingChange>(&command)) on_recorded(s, *standing);
}

std::vector<StoreWrite> apply(State& s, const RegistryChange& change) {
  Registry& registry = s.registry.registry;
  switch (change.kind) {
    case RegistryChange::Kind::kAdmit:
      return registry.admit(change.info);
    case RegistryChange::Kind::kReadmit:
      return registry.admit(change.message->info);
    case RegistryChange::Kind::kUnreachable:
      return registry.mark_unreachable(change.agent, s.now.wall);
    case RegistryChange::Kind::kRemove:
      return registry.set_gone(change.agent,
                               {.since = s.now.wall, .by_operator = change.by_operator});
    case RegistryChange::Kind::kCommand:
      return apply(registry, change.command);
    case RegistryChange::Kind::kForget:
      return registry.remove(change.agent);
  }
  return {};
}

void complete(State& s, const RegistryChange& change) {
  switch (change.kind) {
    case RegistryChange::Kind::kAdmit:
      return on_admitted(s, change);
    case RegistryChange::Kind::kReadmit:
      return on_readmitted(s, change);
    case RegistryChange::Kind::kUnreachable:
      return on_marked_unreachable(s, change.agent, change.why);
    case RegistryChange::Kind::kRemove:
      return on_removed(s, change.agent, change.why, change.by_operator);
    case RegistryChange::Kind::kCommand:
      return complete(s, change.command);
    case RegistryChange::Kind::kForget:
      return on_forgotten(s, change.agent);
  }
}

}  // namespace

Result<void> open_registry(State& s, const StoreContents& contents) {
  s.registry.registry = TRY(Registry::load(contents));
  Registry& registry = s.registry.registry;
  if (registry.cluster().empty()) {
    add_writes(s.registry, registry.set_cluster(fmt::format("{:08x}", s.rng.next() >> 32)));
  }
  for (const auto& [id, info] : registry.agents()) {
    add_agent(s, info, AgentEntry::Phase::kRecovered);
  }
  for (const auto& [id, since] : registry.unreachable()) {
    AgentEntry& agent = add_agent(s, {.id = id}, AgentEntry::Phase::kUnreachable);
    agent.unreachable_since = since;
    s.unreachable_order.push_back(id);
  }
  for (const auto& [id, departed] : registry.gone()) s.agents_removed.add(id);
  for (const auto& [id, standing] : registry.standings()) {
    if (AgentEntry* agent = find_agent(s, id)) agent->standing = standing;
  }
  return {};
}

void submit(State& s, RegistryChange change) {
  add_writes(s.registry, apply(s, change));
  s.registry.waiting.push_back(std::move(change));
}

void submit(State& s, CommandChange command, std::optional<Asker> asker) {
  RegistryChange change{.kind = RegistryChange::Kind::kCommand};
  change.command = std::move(command);
  change.asker = std::move(asker);
  submit(s, std::move(change));
}

void write_registry(State& s) {
  RegistryQueue& queue = s.registry;
  if (queue.token != 0 || (queue.waiting.empty() && queue.waiting_writes.empty())) return;
  std::vector<StoreWrite> writes = std::exchange(queue.waiting_writes, {});
  if (writes.empty()) {  // it says what the registry says already
    for (const RegistryChange& change : std::exchange(queue.waiting, {})) {
      complete(s, change);
      if (change.asker) answer(s, *change.asker, {});
    }
    return write_registry(s);
  }
  queue.under_way = std::exchange(queue.waiting, {});
  queue.under_way_keys = writes.size();
  queue.under_way_bytes = 0;
  for (const StoreWrite& write : writes) {
    queue.under_way_bytes += write.key.size() + (write.value ? write.value->size() : 0);
  }
  queue.token = ++queue.last_token;
  s.effects.persist(queue.token, std::move(writes));
}

void on_registry_written(State& s, uint64_t token) {
  RegistryQueue& queue = s.registry;
  if (token == 0 || token != queue.token) return;  // of an earlier term as leader
  queue.token = 0;
  s.emit(event::RegistryWritten{.token = token,
                                .bytes = queue.under_way_bytes,
                                .keys = static_cast<uint32_t>(queue.under_way_keys)});
  for (const RegistryChange& change : std::exchange(queue.under_way, {})) {
    complete(s, change);
    if (change.asker) answer(s, *change.asker, {});
  }
}

void on_registry_failed(State& s, uint64_t token, const Error& error) {
  if (token != s.registry.token) return;
  s.emit(event::RegistryFailed{.error = error.message});
  resign(s, "the registry cannot be written: " + error.message);
}

}  // namespace tepui::master
