#include "cli/output.h"
#include "common/io/document.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

using Json = Document::Table;

template <class T>
Document maybe(const std::optional<T>& value) {
  return value ? Document(*value) : Document();
}

Document texts(const std::vector<std::string>& items) {
  Document::List list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

Document json_of(const Resources& resources) {
  Json out;
  const Quantities quantities = resources.quantities();
  for (const Quantities::Item& item : quantities.items()) {
    out.emplace_back(item.name, static_cast<double>(item.milli) / 1000);
  }
  out.emplace_back("text", to_text(resources));
  return out;
}

// Of an agent: its persistent volumes, as an operator names them.
Document volumes_of(const Resources& resources) {
  constexpr std::string_view kSources[] = {"ROOT", "PATH", "MOUNT"};
  Document::List list;
  for (const Resource& item : resources.items()) {
    if (!is_volume(item)) continue;
    const Disk& disk = *item.kind->disk;
    list.emplace_back(Json{{"id", disk.persistence_id},
                           {"role", std::string(item.kind->reservation_role())},
                           {"mb", static_cast<double>(item.scalar_milli()) / 1000},
                           {"path", disk.container_path},
                           {"shared", item.kind->shared},
                           {"source", kSources[static_cast<size_t>(disk.source)]},
                           {"root", disk.source_root},
                           {"principal", disk.principal}});
  }
  return list;
}

Document json_of(const Labels& labels) {
  Json out;
  for (const Label& label : labels) out.emplace_back(label.key, label.value);
  return out;
}

// Whose reservations these are: of each kind of resource, the stack from the outermost role
// inwards.
Document reservations_of(const Resources& resources) {
  Document::List list;
  for (const Resource& item : resources.items()) {
    if (!item.kind->is_reserved()) continue;
    const auto is_it = [&item](const Resource& other) { return other.kind == item.kind; };
    Document::List stack;
    for (const Reservation& reservation : item.kind->reservations) {
      const bool is_static = reservation.type == Reservation::Type::kStatic;
      stack.emplace_back(Json{{"type", is_static ? "STATIC" : "DYNAMIC"},
                              {"role", reservation.role},
                              {"principal", reservation.principal},
                              {"labels", json_of(reservation.labels)}});
    }
    list.emplace_back(
        Json{{"text", to_text(resources.filter(is_it))}, {"stack", std::move(stack)}});
  }
  return list;
}

Document json_of(std::span<const Quantities::Item> items) {
  Json out;
  for (const Quantities::Item& item : items) {
    out.emplace_back(item.name, static_cast<double>(item.milli) / 1000);
  }
  return out;
}

Document json_of(const std::map<std::string, int64_t>& limits_milli) {
  Json out;
  for (const auto& [name, milli] : limits_milli) {
    out.emplace_back(name, static_cast<double>(milli) / 1000);
  }
  return out;
}

Document json_of(const Unavailability& unavailability) {
  Json out{{"start", to_text(unavailability.start)}};
  if (unavailability.duration) {
    out.emplace_back("duration_secs", to_secs(*unavailability.duration));
  }
  return out;
}

Document json_of(const MaintenanceRow& row) {
  Document::List answers;
  for (const MaintenanceRow::Answer& answer : row.answers) {
    answers.emplace_back(Json{{"agent_id", answer.agent_id.value},
                              {"framework_id", answer.framework_id.value},
                              {"accepted", answer.accepted},
                              {"answered_at", to_text(answer.at)}});
  }
  return Json{{"hostname", row.hostname},
              {"mode", row.mode},
              {"unavailability", json_of(row.unavailability)},
              {"drain", row.drain},
              {"answers", std::move(answers)}};
}

Document json_of(const AgentRow& row) {
  return Json{{"id", row.info.id.value},
              {"hostname", row.info.hostname},
              {"address", row.info.address},
              {"state", row.state},
              {"deactivated", row.deactivated},
              {"draining", row.draining},
              {"unavailability", row.unavailability ? json_of(*row.unavailability) : Document()},
              {"tasks", row.tasks},
              {"resources", json_of(row.info.resources)},
              {"allocated", json_of(row.allocated)},
              {"offered", json_of(row.offered)},
              {"volumes", volumes_of(row.info.resources)},
              {"reservations", reservations_of(row.info.resources)},
              {"attributes", to_text(row.info.attributes)},
              {"domain", row.info.domain.empty() ? Document()
                                                 : Document(Json{{"region", row.info.domain.region},
                                                                 {"zone", row.info.domain.zone}})},
              {"version", row.info.version},
              {"controllers", texts(row.info.controllers)},
              {"degraded", texts(row.info.degraded)},
              {"registered_at", to_text(row.registered_at)}};
}

std::vector<std::string> capabilities_of(const FrameworkInfo& info) {
  constexpr std::pair<FrameworkCapability, const char*> kNames[] = {
      {FrameworkCapability::kRevocableResources, "REVOCABLE_RESOURCES"},
      {FrameworkCapability::kTaskKillingState, "TASK_KILLING_STATE"},
      {FrameworkCapability::kGpuResources, "GPU_RESOURCES"},
      {FrameworkCapability::kSharedResources, "SHARED_RESOURCES"},
      {FrameworkCapability::kPartitionAware, "PARTITION_AWARE"},
      {FrameworkCapability::kMultiRole, "MULTI_ROLE"},
      {FrameworkCapability::kReservationRefinement, "RESERVATION_REFINEMENT"},
      {FrameworkCapability::kRegionAware, "REGION_AWARE"}};
  std::vector<std::string> names;
  for (const auto& [capability, name] : kNames) {
    if (info.has(capability)) names.emplace_back(name);
  }
  return names;
}

// By role: any one of the sets.
Document json_of(const std::vector<RoleMinimum>& minimums) {
  Json out;
  for (const RoleMinimum& minimum : minimums) {
    Document::List sets;
    for (const Quantities& set : minimum.sets) sets.push_back(json_of(set.items()));
    out.emplace_back(minimum.role, std::move(sets));
  }
  return out;
}

// By role: any one of the groups, all that is in it.
Document json_of(const std::vector<RoleConstraints>& constraints) {
  Json out;
  for (const RoleConstraints& of_role : constraints) {
    Document::List groups;
    for (const ConstraintGroup& group : of_role.groups) {
      Document::List all;
      for (const OfferConstraint& one : group) all.emplace_back(to_text(one));
      groups.emplace_back(std::move(all));
    }
    out.emplace_back(of_role.role, std::move(groups));
  }
  return out;
}

Document json_of(const FrameworkRow& row) {
  return Json{{"id", row.info.id.value},
              {"name", row.info.name},
              {"user", row.info.user},
              {"principal", row.info.principal},
              {"roles", texts(row.info.roles)},
              {"suppressed_roles", texts(row.info.suppressed_roles)},
              {"capabilities", texts(capabilities_of(row.info))},
              {"min_allocatable", json_of(row.info.min_allocatable)},
              {"offer_constraints", json_of(row.info.offer_constraints)},
              {"state", row.state},
              {"tasks", row.tasks},
              {"allocated", json_of(row.allocated)},
              {"offered", json_of(row.offered)},
              {"failover_timeout_secs", to_secs(row.info.failover_timeout)},
              {"subscribed_at", to_text(row.subscribed_at)}};
}

Document json_of(const TaskRow& row) {
  const Task& task = row.task;
  const TaskStatus& status = task.last_status;
  return Json{
      {"id", task.id.value},
      {"name", task.kind->name},
      {"framework_id", task.framework_id.value},
      {"agent_id", task.agent_id.value},
      {"container_id", task.container_id.value},
      {"executor_id", task.kind->executor_id.value},
      {"healthy", status.healthy ? Document(*status.healthy) : Document()},
      {"check",
       status.check && status.check->value ? Document(int64_t{*status.check->value}) : Document()},
      {"role", task.kind->role},
      {"state", to_text(task.state)},
      {"resources", json_of(task.kind->resources)},
      {"source", to_text(status.source)},
      {"reason", to_text(status.reason)},
      {"message", status.message},
      {"exit_status", maybe(status.exit_status)},
      {"signal", maybe(status.signal)},
      {"labels", json_of(task.kind->labels)},
      {"launched_at", to_text(task.launched_at)},
      {"updated_at", to_text(status.timestamp)}};
}

Document json_of(const RoleRow& row) {
  return Json{{"name", row.name},
              {"weight", static_cast<double>(row.weight_milli) / 1000},
              {"dominant_share", static_cast<double>(row.dominant_share_ppm) / 1e6},
              {"frameworks", row.frameworks},
              {"allocated", json_of(row.allocated)},
              {"offered", json_of(row.offered)},
              {"guarantees", json_of(row.quota.guarantees.items())},
              {"limits", json_of(row.quota.limits_milli)},
              {"consumed", json_of(row.consumed.items())}};
}

Document json_of(const OfferRow& row) {
  return Json{{"id", to_text(row.id)},
              {"framework_id", row.framework_id.value},
              {"agent_id", row.agent_id.value},
              {"role", row.role},
              {"resources", json_of(row.resources)},
              {"made_at", to_text(row.made_at)}};
}

Document json_of(const TaskOutcome& task) {
  return Json{{"id", task.id.value},
              {"name", task.name},
              {"agent_id", task.agent_id.value},
              {"state", to_text(task.state)},
              {"exit_status", maybe(task.exit_status)},
              {"signal", maybe(task.signal)},
              {"message", task.message},
              {"launch_ms", maybe(task.launch_ms)},
              {"run_ms", maybe(task.run_ms)}};
}

template <class Row>
Document list_of(const std::vector<Row>& rows) {
  Document::List list;
  for (const Row& row : rows) list.push_back(json_of(row));
  return list;
}

Document json_rows(Table table, const Rows& rows) {
  switch (table) {
    case Table::kAgents:
      return list_of(rows.agents);
    case Table::kFrameworks:
      return list_of(rows.frameworks);
    case Table::kTasks:
      return list_of(rows.tasks);
    case Table::kRoles:
      return list_of(rows.roles);
    case Table::kOffers:
      return list_of(rows.offers);
    case Table::kMaintenance:
      return list_of(rows.maintenance);
    case Table::kMetrics: {
      Json out;
      for (const MetricRow& row : rows.metrics) out.emplace_back(row.key, row.value);
      return out;
    }
  }
  return {};
}

constexpr std::string_view kTableNames[kTableCount] = {
    "agents", "frameworks", "tasks", "roles", "offers", "metrics", "maintenance"};

}  // namespace

std::string json_of(Table table, const Rows& rows) { return to_json(json_rows(table, rows), 2); }

std::string json_of(const OperateResources& request) {
  constexpr std::string_view kNames[] = {"RESERVE", "UNRESERVE",   "CREATE",
                                         "DESTROY", "GROW_VOLUME", "SHRINK_VOLUME"};
  return to_json(Json{{"operation", kNames[static_cast<size_t>(request.type)]},
                      {"agent_id", request.agent_id.value},
                      {"resources", json_of(request.resources)},
                      {"reservations", reservations_of(request.resources)},
                      {"change", request.change.empty() ? Document() : json_of(request.change)}},
                 2);
}

std::string json_of(const WatchEvent& event) {
  Json out = {{"version", static_cast<size_t>(event.state_version)}, {"resync", event.resync}};
  for (int t = 0; t < kTableCount; ++t) {
    Document rows = json_rows(static_cast<Table>(t), event.changed);
    const bool some = rows.list() ? !rows.list()->empty() : !rows.table()->empty();
    if (some) out.emplace_back(kTableNames[t], std::move(rows));
  }
  Document::List removed;
  for (const WatchEvent::Removed& item : event.removed) {
    removed.push_back(Json{{"table", kTableNames[static_cast<int>(item.table)]},
                           {"id", item.key},
                           {"framework_id", item.within}});
  }
  if (!removed.empty()) out.emplace_back("removed", std::move(removed));
  return to_json(out, -1);
}

std::string json_of(const BatchSummary& summary) {
  Json states;
  for (const auto& [state, count] : summary.by_state()) states.emplace_back(state, count);
  return to_json(Json{{"framework_id", summary.framework_id},
                      {"wall_secs", summary.wall_secs},
                      {"launches_per_sec", summary.launches_per_sec()},
                      {"launch_ms", Json{{"p50", maybe(summary.launch_ms_at(50))},
                                         {"p99", maybe(summary.launch_ms_at(99))}}},
                      {"states", std::move(states)},
                      {"tasks", list_of(summary.tasks)}},
                 2);
}

}  // namespace tepui::cli
