#include "master/audit.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

namespace tepui::master {

namespace {

using Phase = AgentEntry::Phase;

Result<void> audit_agent(const State& s, const AgentEntry& agent) {
  Resources offered;
  Resources allocated;
  for (size_t i = 0; i < agent.offers.size(); ++i) {
    const OfferEntry& offer = *agent.offers[i];
    if (offer.agent != &agent || offer.at_agent != i) return fail("its list of offers is torn");
    if (!agent.is_offerable()) return fail(fmt::format("{} is still out", to_text(offer.id)));
    offered += offer.resources;
  }
  for (size_t i = 0; i < agent.tasks.size(); ++i) {
    const TaskEntry& entry = *agent.tasks[i];
    if (entry.agent != &agent || entry.at_agent != i) return fail("its list of tasks is torn");
    if (entry.unreachable != (agent.phase == Phase::kUnreachable)) {
      return fail(fmt::format("task '{}' is {}, unlike its agent", entry.task.id.value,
                              entry.unreachable ? "out of reach" : "in reach"));
    }
    if (entry.holds_resources()) allocated += entry.task.kind->resources;
  }
  for (const auto& [key, entry] : agent.executors) {
    if (agent.phase == Phase::kUnreachable) {
      return fail(fmt::format("executor '{}' lives out of reach", key.second.value));
    }
    if (!entry.framework->executors.contains({agent.handle, key.second})) {
      return fail(fmt::format("executor '{}' is unknown to its framework", key.second.value));
    }
    allocated += entry.info->resources;
  }
  if (agent.is_registered() && agent.phase == Phase::kConnected && agent.session.is_null()) {
    return fail("it is connected without a session");
  }
  if (!agent.in_allocator || agent.broken) return {};
  if (agent.lent != s.allocator.lent(agent.handle)) {
    return fail(fmt::format("{} are lent by the books, {} by the allocator", to_text(agent.lent),
                            to_text(s.allocator.lent(agent.handle))));
  }
  if (agent.info.resources != agent.books.total()) {
    return fail(fmt::format("its total is {}, that of its books {}", to_text(agent.info.resources),
                            to_text(agent.books.total())));
  }
  return agent.books.audit(offered, allocated);
}

Result<void> audit_framework(const State& s, const FrameworkEntry& framework) {
  if (framework.tasks.size() != framework.tasks_by_id.size()) {
    return fail("its tasks and their ids differ in number");
  }
  for (size_t i = 0; i < framework.tasks.size(); ++i) {
    const TaskEntry& entry = *framework.tasks[i];
    if (entry.framework != &framework || entry.at_framework != i) {
      return fail("its list of tasks is torn");
    }
    if (find_task(framework, entry.task.id) != &entry) {
      return fail(fmt::format("task '{}' is not found by its id", entry.task.id.value));
    }
  }
  for (size_t i = 0; i < framework.offers.size(); ++i) {
    const OfferEntry& offer = *framework.offers[i];
    if (offer.framework != &framework || offer.at_framework != i || !s.offers.contains(offer.id)) {
      return fail("its list of offers is torn");
    }
  }
  if (!framework.offers.empty() && !framework.is_connected()) {
    return fail("it has offers and no session");
  }
  if (framework.is_connected()) {
    const auto session = s.sessions.find(framework.session);
    if (session == s.sessions.end() || session->second.framework != &framework) {
      return fail("its session does not know it");
    }
  }
  return {};
}

}  // namespace

Result<void> audit(const State& s) {
  Result<void> result;
  size_t offers = 0;
  size_t tasks = 0;
  s.agents.each([&](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    offers += agent->offers.size();
    tasks += agent->tasks.size();
    if (!result.has_value()) return;
    result = audit_agent(s, *agent);
    if (!result.has_value()) {
      result = std::unexpected(std::move(result).error().in("agent " + agent->info.id.value));
    }
  });
  s.frameworks.each([&](FrameworkHandle, const std::unique_ptr<FrameworkEntry>& framework) {
    if (!result.has_value()) return;
    result = audit_framework(s, *framework);
    if (!result.has_value()) {
      result =
          std::unexpected(std::move(result).error().in("framework " + framework->info.id.value));
    }
  });
  TRY(std::move(result));
  if (offers != s.offers.size() || tasks != s.tasks.size()) {
    return fail(fmt::format("agents list {} offers and {} tasks, there are {} and {}", offers,
                            tasks, s.offers.size(), s.tasks.size()));
  }
  return s.allocator.audit();
}

MasterTotals totals_of(const State& s) {
  MasterTotals totals;
  s.agents.each([&totals](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    switch (agent->phase) {
      case Phase::kConnected:
        ++totals.agents_active;
        break;
      case Phase::kDisconnected:
        ++totals.agents_disconnected;
        break;
      case Phase::kUnreachable:
        ++totals.agents_unreachable;
        break;
      case Phase::kRecovered:
        ++totals.agents_recovered;
        break;
    }
  });
  s.frameworks.each([&totals](FrameworkHandle, const std::unique_ptr<FrameworkEntry>& framework) {
    ++(framework->is_connected() ? totals.frameworks_active : totals.frameworks_disconnected);
  });
  totals.offers = static_cast<uint32_t>(s.offers.size());
  totals.tasks = static_cast<uint32_t>(s.tasks.size());
  return totals;
}

}  // namespace tepui::master
