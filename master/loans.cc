#include "master/loans.h"

#include "common/loans.h"
#include "master/agents.h"
#include "master/isolation.h"
#include "master/offers.h"

namespace tepui::master {

Resources own_total(const AgentEntry& agent) {
  if (agent.lent.empty() && agent.excess.empty()) return agent.info.resources;
  return agent.info.resources - agent.lent - agent.excess + as_regular(agent.lent);
}

bool is_known_as(const AgentEntry& agent, const AgentInfo& info) {
  if (agent.lent.empty() && agent.excess.empty()) return agent.info == info;
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

namespace {
// The total of books, info and allocator.
bool change_total(State& s, AgentEntry& agent, const Conversion& change) {
  if (!convert_resources(s, agent, Books::Column::kFree, change)) return false;
  agent.info.resources = agent.books.total();
  s.allocator.update_agent(agent.handle, shape_of(agent));
  s.emit(event::AgentUpdated{.info = &agent.info});
  return true;
}

void drop_excess(State& s, AgentEntry& agent) {
  if (!agent.in_allocator || agent.broken) return;
  const Resources back = common_part(agent.excess, agent.books.column(Books::Column::kFree));
  if (back.empty()) return;
  if (change_total(s, agent, {.from = back, .to = {}})) agent.excess -= back;
}
}  // namespace

void keep_what_runs(State& s, AgentEntry& agent, const Resources& revocable) {
  const Resources lacking = revocable.minus(agent.books.column(Books::Column::kFree));
  if (lacking.empty()) return;
  if (change_total(s, agent, {.from = {}, .to = lacking})) agent.excess += lacking;
}

void recover(State& s, AgentEntry& agent, FrameworkHandle framework, std::string_view role,
             const Resources& resources, std::optional<Duration> refuse) {
  s.allocator.recover(s.now, framework, agent.handle, role, resources, refuse);
  settle_loan(s, agent);
  if (!agent.excess.empty()) drop_excess(s, agent);
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
