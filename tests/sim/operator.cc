#include "tests/sim/operator.h"

#include <string_view>
#include <utility>

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view kRoles[] = {"role0", "role1", "role2", "roles", "roles/shared"};
}  // namespace

void SimOperator::strike(const Known& known) {
  switch (world_.rng().below(6)) {
    case 0:
    case 1:
      return set_quota();
    case 2:
      return set_weights();
    case 3:
      return plan(known);
    default:
      return operate(known);
  }
}

void SimOperator::set_quota() {
  Rng& rng = world_.rng();
  world_.reached("operator.quota");
  UpdateQuota update{.force = rng.chance(1, 2)};
  for (const std::string_view role : kRoles) {
    if (!rng.chance(1, 3)) continue;
    UpdateQuota::Item& item = update.quotas.emplace_back();
    item.role = role;
    if (rng.chance(1, 4)) continue;  // none any more
    const int64_t cpus = rng.between(0, 8) * 500;
    if (rng.chance(1, 2)) item.quota.limits_milli["cpus"] = cpus + rng.between(0, 4) * 500;
    if (rng.chance(1, 2)) item.quota.guarantees.add("cpus", cpus);
    if (rng.chance(1, 4)) item.quota.limits_milli["mem"] = rng.between(0, 4) * 512000;
  }
  command_(update);
}

void SimOperator::set_weights() {
  world_.reached("operator.weights");
  UpdateWeights update;
  for (const std::string_view role : kRoles) {
    if (!world_.rng().chance(1, 2)) continue;
    update.weights.push_back(
        {.role = std::string(role), .weight_milli = world_.rng().between(1, 4000)});
  }
  command_(update);
}

void SimOperator::plan(const Known& known) {
  Rng& rng = world_.rng();
  world_.reached("operator.schedule");
  UpdateMaintenanceSchedule update;
  for (const std::string& host : known.hosts) {
    if (!rng.chance(1, 2)) continue;
    update.windows.push_back({.hostnames = {host},
                              .unavailability = {.start = world_.now().wall + world_.up_to(30s)},
                              .drain = rng.chance(1, 2)});
  }
  command_(update);
}

void SimOperator::operate(const Known& known) {
  Rng& rng = world_.rng();
  if (known.agents.empty()) return;
  using Action = OperateAgent::Action;
  constexpr Action kActions[] = {Action::kDrain, Action::kDeactivate, Action::kReactivate,
                                 Action::kReactivate};
  OperateAgent message{.agent_id = known.agents[rng.below(known.agents.size())],
                       .action = kActions[rng.below(std::size(kActions))]};
  if (rng.chance(1, 2)) message.max_grace = world_.up_to(10s);
  world_.reached(message.action == Action::kDrain ? "operator.drain" : "operator.agent");
  command_(message);
}

void SimOperator::guarantee(std::string_view role, int64_t cpus_milli) {
  UpdateQuota update{.force = true};
  UpdateQuota::Item& item = update.quotas.emplace_back();
  item.role = role;
  if (cpus_milli > 0) item.quota.guarantees.add("cpus", cpus_milli);
  command_(update);
}

void SimOperator::take_back(const Known& known) {
  UpdateQuota none;
  for (const std::string_view role : kRoles) {
    none.quotas.push_back({.role = std::string(role), .quota = {}});
  }
  command_(none);
  command_(UpdateMaintenanceSchedule{});
  for (const AgentId& agent : known.agents) {
    command_(OperateAgent{.agent_id = agent, .action = OperateAgent::Action::kReactivate});
  }
}

}  // namespace tepui::sim
