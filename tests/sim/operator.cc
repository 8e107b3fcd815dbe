#include "tests/sim/operator.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "common/operations.h"
#include "sdk/operations.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view kRoles[] = {"role0", "role1", "role2", "roles", "roles/shared"};
}  // namespace

void SimOperator::strike(const Known& known) {
  switch (world_.rng().below(10)) {
    case 0:
    case 1:
      return set_quota();
    case 2:
      return set_weights();
    case 3:
      return plan(known);
    case 4:
    case 5:
    case 6:
      return change_disk(known);
    case 7:
      return take_down_or_up(known);
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
                                 Action::kReactivate, Action::kGone};
  OperateAgent message{.agent_id = known.agents[rng.below(known.agents.size())],
                       .action = kActions[rng.below(std::size(kActions))]};
  if (rng.chance(1, 2)) message.max_grace = world_.up_to(10s);
  message.mark_gone = message.action == Action::kDrain && rng.chance(1, 4);
  world_.reached(message.action == Action::kDrain  ? "operator.drain"
                 : message.action == Action::kGone ? "operator.gone"
                                                   : "operator.agent");
  command_(message);
}

// Only machines of the schedule go down; those that were never taken up again do at the end.
void SimOperator::take_down_or_up(const Known& known) {
  Rng& rng = world_.rng();
  if (known.hosts.empty()) return;
  const bool down = rng.chance(1, 2);
  world_.reached(down ? "operator.down" : "operator.up");
  using Action = OperateMachines::Action;
  command_(OperateMachines{.action = down ? Action::kStart : Action::kStop,
                           .hostnames = {known.hosts[rng.below(known.hosts.size())]}});
}

void SimOperator::change_disk(const Known& known) {
  Rng& rng = world_.rng();
  if (known.agents.empty()) return;
  const size_t index = rng.below(known.agents.size());
  const Resources disks =
      known.totals[index].filter([](const Resource& item) { return item.name() == "disk"; });
  if (disks.empty()) return;
  const Resource item = disks.items()[rng.below(disks.items().size())];
  const auto some = [&rng](const Resource& of) {
    const bool is_mounted = of.kind->disk && of.kind->disk->source == Disk::Source::kMount;
    if (is_mounted && !rng.chance(1, 5)) return *Resources::create({of});
    return *Resources::create(
        {{.kind = of.kind, .amount = Amount{rng.between(1, of.scalar_milli())}}});
  };
  using Type = OperateResources::Type;
  OperateResources message{.agent_id = known.agents[index]};
  if (is_volume(item)) {
    constexpr Type kTypes[] = {Type::kDestroy, Type::kGrow, Type::kShrink};
    message.type = kTypes[rng.below(std::size(kTypes))];
    message.resources = *Resources::create({item});
    const int64_t milli = rng.between(1, item.scalar_milli());
    if (message.type == Type::kShrink) message.change = Resources::scalars({{"disk", milli}});
    if (message.type == Type::kGrow) {
      const Resources plain =
          convert({.type = Operation::Type::kDestroy, .resources = message.resources, .source = {}})
              ->to;
      message.change =
          *Resources::create({{.kind = plain.items().front().kind, .amount = Amount{milli}}});
    }
  } else if (!item.kind->is_reserved()) {
    message.resources = reserved(some(item), std::string(kRoles[rng.below(std::size(kRoles))]), "");
  } else if (rng.chance(1, 3)) {
    message.type = Type::kUnreserve;
    message.resources = some(item);
  } else {
    message.type = Type::kCreate;
    message.resources = volume_on(some(item), {.id = fmt::format("v{}", rng.below(3)),
                                               .path = "data",
                                               .principal = "",
                                               .shared = rng.chance(1, 3)});
  }
  world_.reached("operator.disk");
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
  for (const std::string& host : known.hosts) {
    command_(OperateMachines{.action = OperateMachines::Action::kStop, .hostnames = {host}});
  }
  command_(UpdateMaintenanceSchedule{});
  for (const AgentId& agent : known.agents) {
    command_(OperateAgent{.agent_id = agent, .action = OperateAgent::Action::kReactivate});
  }
}

}  // namespace tepui::sim
