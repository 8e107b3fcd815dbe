#include "master/drain.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "master/agents.h"
#include "master/commands.h"
#include "master/offers.h"
#include "master/outbox.h"

namespace tepui::master {

namespace {

using Drain = Standing::Drain;
using Leaving = AgentEntry::Leaving;

// The standing that follows, or why not.
Result<Standing> next_standing(const Standing& now, const OperateAgent& message) {
  switch (message.action) {
    case OperateAgent::Action::kDrain:
      if (message.max_grace && *message.max_grace < Duration::zero()) {
        return fail("the grace period is negative");
      }
      return Standing{.deactivated = true,
                      .drain = Drain::kDraining,
                      .max_grace = message.max_grace,
                      .mark_gone = message.mark_gone};
    case OperateAgent::Action::kDeactivate: {
      if (now.drain != Drain::kNo) return fail(fmt::format("the agent is {}", to_text(now.drain)));
      Standing standing = now;
      standing.deactivated = true;
      return standing;
    }
    case OperateAgent::Action::kReactivate:
      if (now.drain == Drain::kDraining) {
        return fail("the agent is still draining: wait until it is drained");
      }
      if (!now.deactivated) return fail("the agent is not deactivated");
      return Standing{};
    case OperateAgent::Action::kGone:
      break;
  }
  return now;
}

void tell(State& s, const AgentEntry& agent) {
  s.emit(event::AgentStanding{.id = &agent.info.id,
                              .deactivated = agent.standing.deactivated,
                              .draining = to_text(agent.standing.drain)});
}

void send_drain(State& s, AgentEntry& agent) {
  if (agent.standing.drain != Drain::kDraining || !agent.is_connected()) return;
  send_now(s, agent, DrainAgent{.max_grace = agent.standing.max_grace});
  note_fewer_tasks(s, agent);  // it may have none
}

}  // namespace

void on_operate_agent(State& s, const Asker& asker, const OperateAgent& message) {
  AgentEntry* agent = find_agent(s, message.agent_id);
  const std::string& id = message.agent_id.value;
  if (agent == nullptr || agent->leaving == Leaving::kRemoved) {
    const bool is_gone = agent != nullptr || s.agents_removed.contains(message.agent_id);
    return answer(s, asker,
                  is_gone ? fmt::format("agent '{}' is gone", id)
                          : fmt::format("agent '{}' is not known", id));
  }
  if (!s.authorizer.authorize(asker.principal, Action::kOperateAgent, id)) {
    return answer(s, asker, fmt::format("'{}' may not operate agents", asker.principal));
  }
  if (message.action == OperateAgent::Action::kGone) {
    return mark_gone(s, *agent, "an operator marked it gone", asker);
  }
  Result<Standing> next = next_standing(s.registry.registry.standing_of(message.agent_id), message);
  if (!next) return answer(s, asker, next.error().message);
  submit(s, StandingChange{.agent = message.agent_id, .standing = *std::move(next)}, asker);
}

void drain_by_schedule(State& s, const AgentEntry& agent) {
  if (agent.leaving == Leaving::kRemoved) return;
  if (s.registry.registry.standing_of(agent.info.id).drain != Drain::kNo) return;
  submit(s,
         StandingChange{.agent = agent.info.id,
                        .standing = {.deactivated = true, .drain = Drain::kDraining}},
         std::nullopt);
}

void on_recorded(State& s, const StandingChange& change) {
  AgentEntry* agent = find_agent(s, change.agent);
  if (agent == nullptr || agent->leaving == Leaving::kRemoved) return;
  agent->standing = change.standing;
  if (agent->in_allocator && agent->phase == AgentEntry::Phase::kConnected) {
    s.allocator.set_agent_active(agent->handle, !agent->standing.deactivated);
  }
  if (agent->standing.deactivated) rescind_offers_of(s, *agent);
  tell(s, *agent);
  send_drain(s, *agent);
  if (agent->standing.drain == Drain::kDrained && agent->standing.mark_gone) {
    mark_gone(s, *agent, "it was drained to be gone", std::nullopt);
  }
}

void apply_standing(State& s, AgentEntry& agent) {
  if (agent.standing == Standing{}) return;
  if (agent.in_allocator && agent.standing.deactivated) {
    s.allocator.set_agent_active(agent.handle, false);
  }
  tell(s, agent);
  send_drain(s, agent);
}

void note_fewer_tasks(State& s, const AgentEntry& agent) {
  if (agent.standing.drain == Drain::kDraining) s.drain_checks.push_back(agent.handle);
}

void settle_drained(State& s) {
  for (const AgentHandle handle : std::exchange(s.drain_checks, {})) {
    const auto* slot = s.agents.find(handle);
    if (slot == nullptr) continue;
    const AgentEntry& agent = **slot;
    // Of an agent that is out of reach it is not known what still runs.
    if (!agent.is_connected() || !agent.tasks.empty()) continue;
    Standing standing = s.registry.registry.standing_of(agent.info.id);
    if (standing.drain != Drain::kDraining || agent.standing != standing) continue;
    standing.drain = Drain::kDrained;
    submit(s, StandingChange{.agent = agent.info.id, .standing = standing}, std::nullopt);
  }
}

}  // namespace tepui::master
