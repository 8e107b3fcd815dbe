#include "master/allocator/inverse_offers.h"

namespace tepui {

void InverseAsking::plan(uint32_t agent) {
  unplan(agent);
  planned_[agent];
  due_.insert(agent);
}

void InverseAsking::unplan(uint32_t agent) {
  const auto found = planned_.find(agent);
  if (found == planned_.end()) return;
  for (const auto& [framework, asked] : found->second) drop(agent, framework, asked);
  planned_.erase(found);
  due_.erase(agent);
}

void InverseAsking::drop(uint32_t agent, uint32_t framework, const Asked& asked) {
  if (!asked.outstanding) deadlines_.erase({asked.refused_until, {agent, framework}});
}

void InverseAsking::touch(uint32_t agent) {
  if (planned_.contains(agent)) due_.insert(agent);
}

void InverseAsking::touch_all() {
  for (const auto& [agent, asked] : planned_) due_.insert(agent);
}

void InverseAsking::answer(uint32_t agent, uint32_t framework, std::optional<Instant> until) {
  const auto plan = planned_.find(agent);
  if (plan == planned_.end()) return;
  const auto found = plan->second.find(framework);
  if (found == plan->second.end()) return;
  drop(agent, framework, found->second);
  if (until) {
    found->second = {.outstanding = false, .refused_until = *until};
    deadlines_.insert({*until, {agent, framework}});
  } else {
    plan->second.erase(found);
    due_.insert(agent);
  }
}

void InverseAsking::forget(uint32_t framework) {
  for (auto& [agent, asked] : planned_) {
    const auto found = asked.find(framework);
    if (found == asked.end()) continue;
    drop(agent, framework, found->second);
    asked.erase(found);
    due_.insert(agent);
  }
}

void InverseAsking::clear_refusals(uint32_t framework) {
  for (auto& [agent, asked] : planned_) {
    const auto found = asked.find(framework);
    if (found == asked.end() || found->second.outstanding) continue;
    drop(agent, framework, found->second);
    asked.erase(found);
    due_.insert(agent);
  }
}

void InverseAsking::expire(Instant now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto [agent, framework] = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    planned_[agent].erase(framework);
    due_.insert(agent);
  }
}

std::vector<uint32_t> InverseAsking::take_due() {
  std::vector<uint32_t> due(due_.begin(), due_.end());
  due_.clear();
  return due;
}

bool InverseAsking::ask(uint32_t agent, uint32_t framework) {
  return planned_[agent].emplace(framework, Asked{.outstanding = true}).second;
}

}  // namespace tepui
