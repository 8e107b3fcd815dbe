#include "master/agents.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "master/executors.h"
#include "master/loans.h"
#include "master/maintenance.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/removals.h"
#include "master/sessions.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

using Phase = AgentEntry::Phase;
using Leaving = AgentEntry::Leaving;

// Empty where the agent does not say where it listens.
std::string place_of(const AgentInfo& info) {
  return info.address.empty() ? std::string() : info.hostname + '|' + info.address;
}

void leave_place(State& s, const AgentEntry& agent) {
  const auto found = s.agents_by_place.find(place_of(agent.info));
  if (found == s.agents_by_place.end()) return;
  std::erase(found->second, &agent);
  if (found->second.empty()) s.agents_by_place.erase(found);
}

void take_place(State& s, AgentEntry& agent) {
  std::string place = place_of(agent.info);
  if (!place.empty()) s.agents_by_place[std::move(place)].push_back(&agent);
}

void erase_agent(State& s, AgentEntry& agent) {
  set_phase(s, agent, Phase::kUnreachable);  // leaves the counts
  s.deadlines.cancel(agent.ping_timer);
  leave_allocator(s, agent);
  leave_place(s, agent);
  s.agents_by_id.erase(agent.info.id);
  s.agents.erase(agent.handle);
}

void arm_ping(State& s, AgentEntry& agent) {
  agent.ping_timer = s.deadlines.rearm(
      agent.ping_timer,
      later(s.now.mono, std::min(s.config.tunables.ping_interval, agent.ping_told)),
      {.kind = Due::Kind::kPing, .object = pack(agent.handle)});
}

// Executors of frameworks that do not checkpoint end with the connection of their agent.
void lose_tasks_without_checkpoint(State& s, AgentEntry& agent) {
  const std::vector<TaskEntry*> tasks = agent.tasks;
  for (TaskEntry* entry : tasks) {
    if (entry->framework->info.checkpoint || is_terminal(entry->task.state)) continue;
    pronounce(s, *entry,
              {.state = TaskState::kLost,
               .reason = TaskReason::kAgentDisconnected,
               .message = "the agent disconnected and the framework does not checkpoint"});
  }
}

void remove(State& s, AgentEntry& agent, RegistryChange change) {
  if (agent.leaving == Leaving::kRemoved) return;
  agent.leaving = Leaving::kRemoved;
  if (!agent.session.is_null()) close_session(s, agent.session, change.why);
  change.agent = agent.info.id;
  submit(s, std::move(change));
}

}  // namespace

AgentEntry& add_agent(State& s, AgentInfo info, Phase phase) {
  auto owned = std::make_unique<AgentEntry>();
  AgentEntry& agent = *owned;
  agent.info = std::move(info);
  agent.phase = Phase::kUnreachable;
  agent.handle = s.agents.insert(std::move(owned));
  s.agents_by_id.emplace(agent.info.id, &agent);
  take_place(s, agent);
  set_phase(s, agent, phase);
  return agent;
}

void set_phase(State& s, AgentEntry& agent, Phase phase) {
  if (agent.phase == Phase::kRecovered) --s.agents_recovered;
  if (agent.phase == Phase::kRecovered && phase == Phase::kUnreachable) {
    s.allocator.expect_fewer();
  }
  if (phase == Phase::kRecovered) ++s.agents_recovered;
  agent.phase = phase;
}

void set_info(State& s, AgentEntry& agent, AgentInfo info) {
  leave_place(s, agent);
  agent.info = std::move(info);
  ++agent.facts_version;
  take_place(s, agent);
}

std::vector<AgentEntry*> agents_in_place_of(State& s, const AgentInfo& info) {
  const auto found = s.agents_by_place.find(place_of(info));
  return found == s.agents_by_place.end() ? std::vector<AgentEntry*>{} : found->second;
}

void leave_allocator(State& s, AgentEntry& agent) {
  if (!std::exchange(agent.in_allocator, false)) return;
  rescind_inverse_offers_of(s, agent);
  s.allocator.remove_agent(agent.handle);
  agent.info.resources = own_total(agent);
  agent.lent = {};
  agent.excess = {};
}

AgentShape shape_of(const AgentEntry& agent) {
  return {.total = agent.info.resources,
          .lent = agent.lent,
          .hostname = agent.info.hostname,
          .region = agent.info.domain.region,
          .zone = agent.info.domain.zone,
          .attributes = agent.info.attributes};
}

void start_pings(State& s, AgentEntry& agent) {
  agent.ping_misses = 0;
  agent.ping_unanswered = true;
  withdraw_removal(agent);
  arm_ping(s, agent);
  if (!agent.session.is_null()) send_now(s, agent, Ping{.connected = true});
}

void on_ping_due(State& s, AgentEntry& agent) {
  if (!agent.is_registered() || agent.leaving != Leaving::kNo) return;
  agent.ping_misses = agent.ping_unanswered ? agent.ping_misses + 1 : 0;
  if (agent.ping_misses >= s.config.tunables.ping_misses_max) {
    want_removal(s, agent, "it did not answer pings");
    if (agent.leaving != Leaving::kNo) return;
  }
  agent.ping_unanswered = true;
  arm_ping(s, agent);
  if (agent.phase == Phase::kConnected) send_now(s, agent, Ping{.connected = true});
}

void on_pong(AgentEntry& agent) {
  agent.ping_unanswered = false;
  agent.ping_misses = 0;
  withdraw_removal(agent);
}

void disconnect_agent(State& s, AgentEntry& agent) {
  agent.session = {};
  forget_outbox(agent);
  agent.told.clear();
  if (agent.phase != Phase::kConnected) return;
  set_phase(s, agent, Phase::kDisconnected);
  agent.ping_unanswered = true;
  if (agent.in_allocator) s.allocator.set_agent_active(agent.handle, false);
  rescind_offers_of(s, agent);
  s.emit(event::AgentDisconnected{.id = &agent.info.id});
  lose_tasks_without_checkpoint(s, agent);
}

void give_up(State& s, AgentEntry& agent, std::string why) {
  if (agent.leaving != Leaving::kNo) return;
  agent.leaving = Leaving::kToUnreachable;
  if (!agent.session.is_null()) close_session(s, agent.session, why);
  RegistryChange change{
      .kind = RegistryChange::Kind::kUnreachable, .agent = agent.info.id, .why = std::move(why)};
  submit(s, std::move(change));
}

void remove_agent(State& s, AgentEntry& agent, std::string why) {
  remove(s, agent, {.kind = RegistryChange::Kind::kRemove, .why = std::move(why)});
}

void mark_gone(State& s, AgentEntry& agent, std::string why, std::optional<Asker> asker) {
  RegistryChange change{.kind = RegistryChange::Kind::kRemove, .why = std::move(why)};
  change.asker = std::move(asker);
  change.by_operator = true;
  remove(s, agent, std::move(change));
}

void on_marked_unreachable(State& s, const AgentId& id, std::string_view why) {
  AgentEntry* agent = find_agent(s, id);
  if (agent == nullptr || agent->leaving == Leaving::kRemoved) return;
  agent->leaving = Leaving::kNo;
  agent->unreachable_since = s.now.wall;
  const std::vector<TaskEntry*> tasks = agent->tasks;
  set_phase(s, *agent, Phase::kUnreachable);
  s.deadlines.cancel(agent->ping_timer);
  s.emit(event::AgentUnreachable{.id = &agent->info.id, .why = why});
  for (TaskEntry* entry : tasks) become_unreachable(s, *entry, "the agent is unreachable");
  lose_operations(s, *agent);
  end_executors_of(s, *agent);
  leave_allocator(s, *agent);
  agent->broken = false;
  agent->frameworks.clear();
  queue_failure(s, id);

  s.unreachable_order.push_back(id);
  while (s.unreachable_order.size() > limits::kUnreachableMax) {
    RegistryChange change{.kind = RegistryChange::Kind::kForget,
                          .agent = std::move(s.unreachable_order.front())};
    s.unreachable_order.pop_front();
    const AgentEntry* oldest = find_agent(s, change.agent);
    if (oldest != nullptr && oldest->phase == Phase::kUnreachable) submit(s, std::move(change));
  }
}

void on_removed(State& s, const AgentId& id, std::string_view why, bool by_operator) {
  s.agents_removed.add(id);
  AgentEntry* agent = find_agent(s, id);
  if (agent == nullptr) return;
  const std::vector<TaskEntry*> tasks = agent->tasks;
  for (TaskEntry* entry : tasks) {
    if (!is_terminal(entry->task.state)) {
      pronounce(
          s, *entry,
          {.state = as_seen_by(*entry->framework,
                               by_operator ? TaskState::kGoneByOperator : TaskState::kGone),
           .reason = by_operator ? TaskReason::kAgentRemovedByOperator : TaskReason::kAgentRemoved,
           .message = why});
      continue;
    }
    if (!is_terminal(entry->task.update_state)) {
      // It ended, and the update that says so was still waiting for its turn at the agent.
      queue_update(
          s, *entry->framework,
          make_status(
              s, entry->task.id, id,
              {.state = entry->task.state, .reason = TaskReason::kAgentRemoved, .message = why}));
    }
    remove_task(s, *entry);
  }
  end_operations(s, *agent);
  end_executors_of(s, *agent);
  s.emit(event::AgentRemoved{.id = &agent->info.id, .why = why});
  queue_failure(s, id);
  erase_agent(s, *agent);
}

void on_forgotten(State& s, const AgentId& id) {
  AgentEntry* agent = find_agent(s, id);
  if (agent == nullptr || agent->phase != Phase::kUnreachable) return;
  const std::vector<TaskEntry*> tasks = agent->tasks;
  for (TaskEntry* entry : tasks) remove_task(s, *entry);
  end_operations(s, *agent);
  s.emit(event::AgentRemoved{.id = &agent->info.id, .why = "unreachable for too long"});
  erase_agent(s, *agent);
}

}  // namespace tepui::master
