#include "master/maintenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "master/agents.h"
#include "master/commands.h"
#include "master/drain.h"
#include "master/offers.h"

namespace tepui::master {

namespace {

// The wall clock may be set: a window that is far away is looked at again after so long.
constexpr Duration kLookAgain = std::chrono::minutes(10);

const Machine* find_machine(const State& s, std::string_view hostname) {
  const auto& machines = s.registry.registry.machines();
  const auto found = machines.find(std::string(hostname));
  return found == machines.end() ? nullptr : &found->second;
}

Result<void> check_hostname(std::string_view hostname) {
  const bool is_bad = std::ranges::any_of(hostname, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '/';
  });
  if (hostname.empty() || hostname.size() > limits::kResourceNameBytesMax || is_bad) {
    return fail(fmt::format("'{}' is not a hostname", hostname));
  }
  return {};
}

Result<void> authorize(State& s, const Asker& asker, std::string_view hostname) {
  if (s.authorizer.authorize(asker.principal, Action::kMaintenance, hostname)) return {};
  return fail(fmt::format("'{}' may not plan maintenance of '{}'", asker.principal, hostname));
}

using NewMachines = std::map<std::string, std::optional<Machine>>;

// The machines of the new schedule, and nothing for those that leave it.
Result<NewMachines> read_schedule(State& s, const Asker& asker,
                                  const UpdateMaintenanceSchedule& message) {
  NewMachines machines;
  for (const MaintenanceWindow& window : message.windows) {
    if (window.hostnames.empty()) return fail("a window names no machine");
    if (window.unavailability.duration && *window.unavailability.duration < Duration::zero()) {
      return fail("the duration of a window is negative");
    }
    for (const std::string& hostname : window.hostnames) {
      TRY(check_hostname(hostname));
      TRY(authorize(s, asker, hostname));
      Machine machine{.unavailability = window.unavailability, .drain = window.drain};
      if (const Machine* known = find_machine(s, hostname)) {
        machine.down = known->down;
        machine.drain_begun = known->drain_begun && known->drain && window.drain &&
                              known->unavailability.start == machine.unavailability.start;
      }
      if (!machines.emplace(hostname, machine).second) {
        return fail(fmt::format("machine '{}' is in two windows", hostname));
      }
    }
  }
  for (const auto& [hostname, machine] : s.registry.registry.machines()) {
    if (!machines.emplace(hostname, std::nullopt).second || !machine.down) continue;
    return fail(
        fmt::format("machine '{}' is down: stop its maintenance before it leaves the "
                    "schedule",
                    hostname));
  }
  if (machines.size() > limits::kCommandItemsMax) {
    return fail(fmt::format("a schedule of {} machines, at most {} are allowed", machines.size(),
                            limits::kCommandItemsMax));
  }
  std::erase_if(machines, [&s](const auto& entry) {
    const Machine* known = find_machine(s, entry.first);
    return known != nullptr && entry.second == *known;
  });
  return machines;
}

Result<NewMachines> next_machines(State& s, const Asker& asker, const OperateMachines& message) {
  if (message.hostnames.empty()) return fail("no machine is named");
  NewMachines machines;
  for (const std::string& hostname : message.hostnames) {
    TRY(authorize(s, asker, hostname));
    const Machine* known = find_machine(s, hostname);
    if (known == nullptr) {
      return fail(fmt::format("machine '{}' is not in the maintenance schedule", hostname));
    }
    const bool starts = message.action == OperateMachines::Action::kStart;
    if (starts == known->down) {
      return fail(fmt::format("machine '{}' is {} down", hostname, starts ? "already" : "not"));
    }
    std::optional<Machine> next;
    if (starts) {
      next = *known;
      next->down = true;
    }
    if (!machines.emplace(hostname, next).second) {
      return fail(fmt::format("machine '{}' is named twice", hostname));
    }
  }
  return machines;
}

std::vector<AgentEntry*> agents_of(State& s, const std::set<std::string_view>& hostnames) {
  std::vector<AgentEntry*> agents;
  s.agents.each([&](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    if (hostnames.contains(agent->info.hostname)) agents.push_back(agent.get());
  });
  return agents;
}

void tell(State& s, const std::string& hostname, const Machine* machine) {
  s.emit(event::MachineChanged{
      .hostname = hostname,
      .mode = machine == nullptr ? ""
              : machine->down    ? "down"
                                 : "scheduled",
      .unavailability = machine == nullptr ? nullptr : &machine->unavailability,
      .drain = machine != nullptr && machine->drain});
}

// What was offered was offered without this plan.
void plan(State& s, AgentEntry& agent, const std::optional<Unavailability>& unavailability) {
  if (agent.unavailability == unavailability) return;
  agent.unavailability = unavailability;
  ++agent.facts_version;
  rescind_offers_of(s, agent);
  rescind_inverse_offers_of(s, agent);
  if (agent.in_allocator) s.allocator.set_maintenance(agent.handle, unavailability.has_value());
  s.emit(event::AgentPlanned{
      .id = &agent.info.id,
      .unavailability = agent.unavailability ? &*agent.unavailability : nullptr});
}

void wait_for_windows(State& s) {
  Instant next = kNever;
  for (const auto& [hostname, machine] : s.registry.registry.machines()) {
    if (!machine.drain || machine.drain_begun || machine.down) continue;
    const Duration wait =
        std::clamp(std::chrono::duration_cast<Duration>(machine.unavailability.start - s.now.wall),
                   Duration::zero(), kLookAgain);
    next = std::min(next, later(s.now.mono, wait));
  }
  s.deadlines.cancel(s.window_timer);
  if (next != kNever) s.window_timer = s.deadlines.arm(next, {.kind = Due::Kind::kWindow});
}

void erase_inverse(State& s, OfferId id, std::optional<Duration> refuse) {
  const auto found = s.inverse_offers.find(id);
  const InverseGrant grant = found->second;
  s.inverse_offers.erase(found);
  s.allocator.answer_inverse(s.now, grant.framework, grant.agent, refuse);
}

}  // namespace

void on_update_schedule(State& s, const Asker& asker, const UpdateMaintenanceSchedule& message) {
  Result<NewMachines> machines = read_schedule(s, asker, message);
  if (!machines) return answer(s, asker, machines.error().message);
  if (machines->empty()) return answer(s, asker, {});  // it is so already
  submit(s, MachinesChange{.machines = *std::move(machines)}, asker);
}

void on_operate_machines(State& s, const Asker& asker, const OperateMachines& message) {
  Result<NewMachines> machines = next_machines(s, asker, message);
  if (!machines) return answer(s, asker, machines.error().message);
  submit(s, MachinesChange{.machines = *std::move(machines)}, asker);
}

void on_recorded(State& s, const MachinesChange& change) {
  std::set<std::string_view> hostnames;
  for (const auto& [hostname, machine] : change.machines) {
    tell(s, hostname, machine ? &*machine : nullptr);
    hostnames.insert(hostname);
  }
  for (AgentEntry* agent : agents_of(s, hostnames)) {
    const std::optional<Machine>& machine = change.machines.at(agent->info.hostname);
    if (machine && machine->down) {
      remove_agent(s, *agent, "its machine went down for maintenance");
      continue;
    }
    plan(s, *agent, machine ? std::optional(machine->unavailability) : std::nullopt);
    if (machine && machine->drain_begun) drain_by_schedule(s, *agent);
  }
  wait_for_windows(s);
}

void restore_machines(State& s) {
  for (const auto& [hostname, machine] : s.registry.registry.machines()) {
    tell(s, hostname, &machine);
  }
  wait_for_windows(s);
}

bool is_down(const State& s, std::string_view hostname) {
  const Machine* machine = find_machine(s, hostname);
  return machine != nullptr && machine->down;
}

void apply_schedule(State& s, AgentEntry& agent) {
  const Machine* machine = find_machine(s, agent.info.hostname);
  agent.unavailability.reset();
  if (machine == nullptr) return;
  plan(s, agent, machine->unavailability);
  if (machine->drain_begun) drain_by_schedule(s, agent);
}

void on_window_due(State& s) {
  MachinesChange change;
  for (const auto& [hostname, machine] : s.registry.registry.machines()) {
    if (!machine.drain || machine.drain_begun || machine.down) continue;
    if (machine.unavailability.start > s.now.wall) continue;
    std::optional<Machine>& next = change.machines[hostname];
    next = machine;
    next->drain_begun = true;
  }
  if (change.machines.empty()) return wait_for_windows(s);
  submit(s, std::move(change), std::nullopt);
}

void make_inverse_offers(State& s) {
  std::map<FrameworkHandle, InverseOfferBatch> messages;
  for (const InverseGrant& grant : s.allocator.take_inverse_grants()) {
    const auto* framework = s.frameworks.find(grant.framework);
    const auto* agent = s.agents.find(grant.agent);
    if (framework == nullptr || agent == nullptr) continue;
    if (!(*framework)->is_connected() || !(*agent)->unavailability) {
      s.allocator.answer_inverse(s.now, grant.framework, grant.agent, std::nullopt);
      continue;
    }
    const OfferId id = next_offer_id(s);
    s.inverse_offers.emplace(id, grant);
    messages[grant.framework].offers.push_back(
        {.id = id, .agent_id = (*agent)->info.id, .unavailability = *(*agent)->unavailability});
  }
  for (auto& [handle, message] : messages) {
    s.effects.send((*s.frameworks.find(handle))->session, MasterToScheduler(std::move(message)));
  }
}

void on_inverse_answers(State& s, FrameworkEntry& framework, std::span<const OfferId> offers,
                        const Filters& filters, bool accepted) {
  for (const OfferId id : offers) {
    const auto found = s.inverse_offers.find(id);
    if (found == s.inverse_offers.end() || found->second.framework != framework.handle) {
      s.emit(event::MessageDropped{.name = "inverse offer",
                                   .why = "the inverse offer is no longer valid"});
      continue;
    }
    const auto* agent = s.agents.find(found->second.agent);
    if (agent != nullptr) {
      const AgentId& agent_id = (*agent)->info.id;
      s.inverse_answers[{agent_id, framework.info.id}] = {.accepted = accepted, .at = s.now.wall};
      s.emit(event::InverseOfferAnswered{.framework_id = &framework.info.id,
                                         .agent_id = &agent_id,
                                         .accepted = accepted,
                                         .at = s.now.wall});
    }
    // Asked again at once, a framework would answer the same again and again.
    erase_inverse(s, id, refusal(filters).value_or(limits::kFilterDefault));
  }
}

void rescind_inverse_offers_of(State& s, const AgentEntry& agent) {
  std::erase_if(s.inverse_answers,
                [&agent](const auto& entry) { return entry.first.first == agent.info.id; });
  std::vector<std::pair<OfferId, FrameworkHandle>> ending;
  for (const auto& [id, grant] : s.inverse_offers) {
    if (grant.agent == agent.handle) ending.emplace_back(id, grant.framework);
  }
  for (const auto& [id, handle] : ending) {
    erase_inverse(s, id, std::nullopt);
    const auto* framework = s.frameworks.find(handle);
    if (framework == nullptr || !(*framework)->is_connected()) continue;
    s.effects.send((*framework)->session, MasterToScheduler(RescindInverseOffers{.offers = {id}}));
  }
}

void forget_inverse_offers_of(State& s, const FrameworkEntry& framework) {
  std::vector<OfferId> ending;
  for (const auto& [id, grant] : s.inverse_offers) {
    if (grant.framework == framework.handle) ending.push_back(id);
  }
  for (const OfferId id : ending) erase_inverse(s, id, std::nullopt);
}

void forget_inverse_answers_of(State& s, const FrameworkId& framework) {
  std::erase_if(s.inverse_answers,
                [&framework](const auto& entry) { return entry.first.second == framework; });
}

}  // namespace tepui::master
