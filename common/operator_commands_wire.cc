#include "common/operator_commands_wire.h"

#include <utility>

namespace tepui {

Offset<wire::OperatorKill> write(WireWriter& out, const OperatorKill& message) {
  const auto kill_policy = write(out, message.kill_policy);
  wire::OperatorKillBuilder table(out.builder());
  table.add_request(message.request);
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_task_id(out.field(message.task_id.value));
  table.add_kill_policy(kill_policy);
  return table.Finish();
}

OperatorKill read(WireReader& in, const wire::OperatorKill& message) {
  const WirePath at{.field = "operator_kill"};
  return OperatorKill{
      .request = message.request(),
      .framework_id = FrameworkId{in.line(message.framework_id(), at / "framework_id")},
      .task_id = TaskId{in.line(message.task_id(), at / "task_id")},
      .kill_policy = read(in, message.kill_policy(), at / "kill_policy"),
  };
}

Offset<wire::UpdateQuota> write(WireWriter& out, const UpdateQuota& message) {
  const auto quotas =
      out.tables<wire::RoleQuota>(message.quotas, [&out](const UpdateQuota::Item& item) {
        const auto quota = write(out, item.quota);
        return wire::CreateRoleQuota(out.builder(), out.field(item.role), quota);
      });
  return wire::CreateUpdateQuota(out.builder(), message.request, quotas, message.force);
}

UpdateQuota read(WireReader& in, const wire::UpdateQuota& message) {
  const WirePath at{.field = "update_quota"};
  const auto item = [&in](const wire::RoleQuota& source, const WirePath& path) {
    return UpdateQuota::Item{.role = in.line(source.role(), path / "role"),
                             .quota = read(in, source.quota(), path / "quota")};
  };
  return UpdateQuota{.request = message.request(),
                     .quotas = in.tables(message.quotas(), at / "quotas", item),
                     .force = message.force()};
}

Offset<wire::UpdateWeights> write(WireWriter& out, const UpdateWeights& message) {
  const auto weights =
      out.structs<wire::RoleWeight>(message.weights, [&out](const UpdateWeights::Item& item) {
        return wire::RoleWeight(item.weight_milli, out.text(item.role));
      });
  return wire::CreateUpdateWeights(out.builder(), message.request, weights);
}

UpdateWeights read(WireReader& in, const wire::UpdateWeights& message) {
  const WirePath at{.field = "update_weights"};
  const auto item = [&in](const wire::RoleWeight& source, const WirePath& path) {
    return UpdateWeights::Item{.role = in.line(source.role(), path / "role"),
                               .weight_milli = source.weight_milli()};
  };
  return UpdateWeights{.request = message.request(),
                       .weights = in.structs(message.weights(), at / "weights", item)};
}

Offset<wire::OperateResources> write(WireWriter& out, const OperateResources& message) {
  const auto resources = write(out, message.resources);
  const auto change = write(out, message.change);
  wire::OperateResourcesBuilder table(out.builder());
  table.add_request(message.request);
  table.add_type(static_cast<wire::ResourceOperation>(message.type));
  table.add_agent_id(out.field(message.agent_id.value));
  table.add_resources(resources);
  table.add_change(change);
  return table.Finish();
}

OperateResources read(WireReader& in, const wire::OperateResources& message) {
  const WirePath at{.field = "operate_resources"};
  return OperateResources{
      .request = message.request(),
      .type = in.enumeration<OperateResources::Type>(message.type(), kOperateResourcesTypeCount,
                                                     at / "type"),
      .agent_id = in.id<AgentId>(message.agent_id(), at / "agent_id"),
      .resources = read(in, message.resources(), at / "resources"),
      .change = read(in, message.change(), at / "change"),
  };
}

Offset<wire::UpdateMaintenanceSchedule> write(WireWriter& out,
                                              const UpdateMaintenanceSchedule& message) {
  const auto windows =
      out.tables<wire::MaintenanceWindow>(message.windows, [&out](const MaintenanceWindow& window) {
        const auto hostnames = out.texts(window.hostnames);
        const auto unavailability = write(out, window.unavailability);
        return wire::CreateMaintenanceWindow(out.builder(), hostnames, unavailability,
                                             window.drain);
      });
  return wire::CreateUpdateMaintenanceSchedule(out.builder(), message.request, windows);
}

UpdateMaintenanceSchedule read(WireReader& in, const wire::UpdateMaintenanceSchedule& message) {
  const WirePath at{.field = "update_maintenance_schedule"};
  const auto window = [&in](const wire::MaintenanceWindow& source, const WirePath& path) {
    return MaintenanceWindow{
        .hostnames = in.lines(source.hostnames(), path / "hostnames"),
        .unavailability = read_unavailability(in, source.unavailability(), path / "unavailability"),
        .drain = source.drain()};
  };
  return UpdateMaintenanceSchedule{.request = message.request(),
                                   .windows = in.tables(message.windows(), at / "windows", window)};
}

Offset<wire::OperateMachines> write(WireWriter& out, const OperateMachines& message) {
  const auto hostnames = out.texts(message.hostnames);
  return wire::CreateOperateMachines(out.builder(), message.request,
                                     static_cast<wire::MachinesAction>(message.action), hostnames);
}

OperateMachines read(WireReader& in, const wire::OperateMachines& message) {
  const WirePath at{.field = "operate_machines"};
  return OperateMachines{.request = message.request(),
                         .action = in.enumeration<OperateMachines::Action>(
                             message.action(), kMachinesActionCount, at / "action"),
                         .hostnames = in.lines(message.hostnames(), at / "hostnames")};
}

Offset<wire::OperateAgent> write(WireWriter& out, const OperateAgent& message) {
  wire::OperateAgentBuilder table(out.builder());
  table.add_request(message.request);
  table.add_agent_id(out.field(message.agent_id.value));
  table.add_action(static_cast<wire::AgentAction>(message.action));
  if (message.max_grace) table.add_max_grace_ns(message.max_grace->count());
  table.add_mark_gone(message.mark_gone);
  return table.Finish();
}

OperateAgent read(WireReader& in, const wire::OperateAgent& message) {
  const WirePath at{.field = "operate_agent"};
  OperateAgent result{.request = message.request(),
                      .agent_id = in.id<AgentId>(message.agent_id(), at / "agent_id"),
                      .action = in.enumeration<OperateAgent::Action>(
                          message.action(), kAgentActionCount, at / "action"),
                      .mark_gone = message.mark_gone()};
  const auto max_grace = message.max_grace_ns();
  if (max_grace.has_value()) result.max_grace = Duration(*max_grace);
  return result;
}

Offset<wire::TeardownFramework> write(WireWriter& out, const TeardownFramework& message) {
  return wire::CreateTeardownFramework(out.builder(), message.request,
                                       out.field(message.framework_id.value));
}

TeardownFramework read(WireReader& in, const wire::TeardownFramework& message) {
  const WirePath at{.field = "teardown_framework"};
  return TeardownFramework{
      .request = message.request(),
      .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id")};
}

Offset<wire::Explain> write(WireWriter& out, const Explain& message) {
  wire::ExplainBuilder table(out.builder());
  table.add_request(message.request);
  table.add_framework_id(out.field(message.framework_id.value));
  table.add_role(out.field(message.role));
  return table.Finish();
}

Explain read(WireReader& in, const wire::Explain& message) {
  const WirePath at{.field = "explain"};
  return Explain{.request = message.request(),
                 .framework_id = in.id<FrameworkId>(message.framework_id(), at / "framework_id"),
                 .role = in.line(message.role(), at / "role")};
}

}  // namespace tepui
