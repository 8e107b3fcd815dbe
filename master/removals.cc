#include "master/removals.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "master/agents.h"
#include "master/sessions.h"

namespace tepui::master {

namespace {

using Leaving = AgentEntry::Leaving;

void give_up_next(State& s) {
  auto* slot = s.agents.find(s.removals.front());
  s.removals.pop_front();
  if (slot == nullptr) return;
  AgentEntry& agent = **slot;
  agent.removal_queued = false;
  std::string why = std::exchange(agent.removal_why, {});
  if (why.empty() || agent.leaving != Leaving::kNo) return;  // uses up nothing
  s.removal_allowed_at = later(s.now.mono, s.config.tunables.removal_gap);
  give_up(s, agent, std::move(why));
}

}  // namespace

void want_removal(State& s, AgentEntry& agent, std::string why) {
  if (agent.leaving != Leaving::kNo) return;
  agent.removal_why = std::move(why);
  if (!std::exchange(agent.removal_queued, true)) s.removals.push_back(agent.handle);
  on_removal_due(s);
}

void withdraw_removal(AgentEntry& agent) { agent.removal_why.clear(); }

void on_removal_due(State& s) {
  while (!s.removals.empty() && s.removal_allowed_at <= s.now.mono) give_up_next(s);
  if (s.removals.empty()) return;
  s.removal_timer =
      s.deadlines.rearm(s.removal_timer, s.removal_allowed_at, {.kind = Due::Kind::kRemoval});
}

void review_removals(State& s) {
  s.removal_allowed_at =
      std::min(s.removal_allowed_at, later(s.now.mono, s.config.tunables.removal_gap));
  on_removal_due(s);
}

void on_recovery_over(State& s) {
  std::vector<AgentEntry*> missing;
  s.agents.each([&missing](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    if (agent->phase == AgentEntry::Phase::kRecovered) missing.push_back(agent.get());
  });
  const auto percent_max = static_cast<uint64_t>(s.config.tunables.recovery_removal_percent_max);
  if (missing.size() * 100 > percent_max * s.agents_at_election) {
    return resign(s, fmt::format("{} of {} agents did not come back after the election, and at "
                                 "most {} % may be given up for that",
                                 missing.size(), s.agents_at_election, percent_max));
  }
  for (AgentEntry* agent : missing) {
    want_removal(s, *agent, "it did not come back after the election");
  }
}

}  // namespace tepui::master
