#include "master/loans.h"

#include "common/loans.h"
#include "master/isolation.h"
#include "master/offers.h"

namespace tepui::master {

Resources own_total(const AgentEntry& agent) {
  if (agent.lent.empty()) return agent.info.resources;
  return agent.info.resources - agent.lent + as_regular(agent.lent);
}

bool is_known_as(const AgentEntry& agent, const AgentInfo& info) {
  if (agent.lent.empty()) return agent.info == info;
  AgentInfo own = agent.info;
  own.resources = own_total(agent);
  return own == info;
}

void settle_loan(State& s, AgentEntry& agent) {
  if (!agent.in_allocator || agent.broken) return;
  const Resources lent = s.allocator.lent(agent.handle);
  if (lent == agent.lent) return;
  const Resources more = lent.minus(agent.lent);
  const Resources less = agent.lent.minus(lent);
  const Conversion change{.from = as_regular(more) + less, .to = more + as_regular(less)};
  if (!convert_resources(s, agent, Books::Column::kFree, change)) return;
  agent.lent = lent;
  agent.info.resources = agent.books.total();
  s.emit(event::AgentUpdated{.info = &agent.info});
}

void recover(State& s, AgentEntry& agent, FrameworkHandle framework, std::string_view role,
             const Resources& resources, std::optional<Duration> refuse) {
  s.allocator.recover(s.now, framework, agent.handle, role, resources, refuse);
  settle_loan(s, agent);
}

void recall_loans(State& s) {
  for (const AgentHandle handle : s.allocator.take_recalls()) {
    const auto* slot = s.agents.find(handle);
    if (slot != nullptr) rescind_revocable_offers_of(s, **slot);
  }
}

void set_lending(State& s, bool on) {
  s.allocator.set_lending(on);
  recall_loans(s);
}

}  // namespace tepui::master
