#include "master/isolation.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "master/agents.h"
#include "master/offers.h"
#include "master/sessions.h"

namespace tepui::master {

namespace {
bool any_revocable(const Resources& resources) {
  return std::ranges::any_of(resources.items(),
                             [](const Resource& item) { return item.kind->revocable; });
}
}  // namespace

bool stays_sound(State& s, AgentEntry& agent, const Result<void>& booked) {
  if (booked.has_value()) return true;
  agent.broken = true;
  s.broken.push_back({.agent = agent.handle, .why = booked.error().message});
  return false;
}

bool move_resources(State& s, AgentEntry& agent, Books::Column from, Books::Column to,
                    const Resources& what) {
  if (agent.broken) return false;
  if (!agent.in_allocator) return true;  // closed: an agent out of reach holds nothing
  if (!stays_sound(s, agent, agent.books.move(from, to, what))) return false;
  const bool is_run = from == Books::Column::kAllocated || to == Books::Column::kAllocated;
  if (is_run && any_revocable(what)) {
    const Resources& allocated = agent.books.column(Books::Column::kAllocated);
    s.allocator.set_running(agent.handle, allocated.revocable());
  }
  return true;
}

bool convert_resources(State& s, AgentEntry& agent, Books::Column column,
                       const Conversion& conversion) {
  if (agent.broken || !agent.in_allocator) return false;
  return stays_sound(s, agent, agent.books.convert(column, conversion));
}

void isolate_broken(State& s) {
  while (!s.broken.empty()) {
    const std::vector<State::Broken> broken = std::exchange(s.broken, {});
    for (const State::Broken& item : broken) {
      const auto* slot = s.agents.find(item.agent);
      if (slot == nullptr) continue;
      AgentEntry& agent = **slot;
      s.emit(event::AgentBroken{.id = &agent.info.id, .why = item.why});
      leave_allocator(s, agent);  // first: whoever of the two erred, it takes nothing back now
      rescind_offers_of(s, agent);
      if (!agent.session.is_null()) {
        close_session(s, agent.session, "the books of this agent do not balance: " + item.why);
      }
    }
  }
}

}  // namespace tepui::master
