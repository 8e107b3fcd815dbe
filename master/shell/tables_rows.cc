// What Tables answers: rows, lists in parts, what changed, metrics.

#include <algorithm>

#include "common/limits.h"
#include "master/shell/allocator_metrics.h"
#include "master/shell/tables.h"

namespace tepui {

void Tables::add_row(Rows& rows, Table table, const std::string& key,
                     const std::string& within) const {
  switch (table) {
    case Table::kAgents:
      if (const auto row = agents_.find(AgentId{key}); row != agents_.end()) {
        rows.agents.push_back(with_sums(row->second));
      }
      return;
    case Table::kFrameworks:
      if (const auto row = frameworks_.find(FrameworkId{key}); row != frameworks_.end()) {
        rows.frameworks.push_back(with_sums(row->second));
      }
      return;
    case Table::kTasks:
      if (const auto row = tasks_.find({FrameworkId{within}, TaskId{key}}); row != tasks_.end()) {
        rows.tasks.push_back({.task = row->second.task});
      }
      return;
    case Table::kRoles:
      if (const auto row = roles_.find(key); row != roles_.end()) {
        RoleRow& added = rows.roles.emplace_back(row->second);
        added.dominant_share_ppm = dominant_share_ppm(added);
        added.consumed = consumed(added.name);
      }
      return;
    case Table::kOffers:
      if (const Result<OfferId> id = parse_offer_id(key)) {
        if (const auto row = offers_.find(*id); row != offers_.end()) {
          rows.offers.push_back(row->second);
        }
      }
      return;
    case Table::kMaintenance:
      if (const auto row = maintenance_.find(key); row != maintenance_.end()) {
        rows.maintenance.push_back(row->second);
      }
      return;
    case Table::kMetrics:
      return;  // listed, never watched
  }
}

ListReply Tables::list_part(const ListRequest& request, ListCursor& cursor) const {
  ListReply reply{.request = request.request, .state_version = version_, .more = false, .rows = {}};
  uint32_t count = 0;
  const auto walk = [&]<class Map>(const Map& map, const auto& is_wanted, const auto& add) {
    const auto* behind = std::get_if<typename Map::key_type>(&cursor);
    auto at = behind == nullptr ? map.begin() : map.upper_bound(*behind);
    for (; at != map.end(); ++at) {
      if (!is_wanted(at->first, at->second)) continue;
      if (count++ == limits::kListPartRows) {
        reply.more = true;
        return;
      }
      add(at->first, at->second);
      cursor = at->first;
    }
  };
  const auto named = [&](std::string_view key) {
    return request.key.empty() || request.key == key;
  };
  Rows& rows = reply.rows;
  switch (request.table) {
    case Table::kAgents:
      walk(
          agents_, [&](const AgentId& id, const AgentRow&) { return named(id.value); },
          [&](const AgentId&, const AgentRow& row) { rows.agents.push_back(with_sums(row)); });
      break;
    case Table::kFrameworks:
      walk(
          frameworks_, [&](const FrameworkId& id, const FrameworkRow&) { return named(id.value); },
          [&](const FrameworkId&, const FrameworkRow& row) {
            rows.frameworks.push_back(with_sums(row));
          });
      break;
    case Table::kTasks:
      walk(
          tasks_,
          [&](const TaskKey& key, const KnownTask& known) {
            return named(key.second.value) &&
                   (request.framework_id.empty() || request.framework_id == key.first) &&
                   (request.agent_id.empty() || request.agent_id == known.task.agent_id);
          },
          [&](const TaskKey&, const KnownTask& known) {
            rows.tasks.push_back({.task = known.task});
          });
      break;
    case Table::kRoles:
      walk(
          roles_, [&](const std::string& name, const RoleRow&) { return named(name); },
          [&](const std::string& name, const RoleRow&) { add_row(rows, Table::kRoles, name, {}); });
      break;
    case Table::kOffers:
      walk(
          offers_,
          [&](const OfferId& id, const OfferRow& row) {
            return named(to_text(id)) &&
                   (request.agent_id.empty() || request.agent_id == row.agent_id);
          },
          [&](const OfferId&, const OfferRow& row) { rows.offers.push_back(row); });
      break;
    case Table::kMaintenance:
      walk(
          maintenance_,
          [&](const std::string& hostname, const MaintenanceRow&) { return named(hostname); },
          [&](const std::string&, const MaintenanceRow& row) { rows.maintenance.push_back(row); });
      break;
    case Table::kMetrics:
      walk(
          metric_rows(), [&](const std::string& key, const MetricRow&) { return named(key); },
          [&](const std::string&, const MetricRow& row) { rows.metrics.push_back(row); });
      break;
  }
  return reply;
}

WatchEvent Tables::describe(const Changed& changed, const std::vector<Table>& tables) const {
  const auto watched = [&](Table table) {
    if (tables.empty()) return table != Table::kMetrics;
    return std::ranges::find(tables, table) != tables.end();
  };
  WatchEvent event{.request = 0, .state_version = version_, .resync = changed.resync};
  for (const auto& [table, key, within] : changed.keys) {
    if (watched(table)) add_row(event.changed, table, key, within);
  }
  for (const auto& [table, key, within] : changed.removed) {
    if (watched(table)) event.removed.push_back({.table = table, .key = key, .within = within});
  }
  return event;
}

std::map<std::string, MetricRow> Tables::metric_rows() const {
  std::map<std::string, MetricRow> rows;
  for (const MetricRow& row : metrics_) rows[row.key] = row;
  ClusterUse use{.total_milli = cluster_milli_, .allocated = {}, .offered = {}};
  for (const auto& [id, sums] : agent_sums_) {
    use.allocated.add(sums.allocated.quantities());
    use.offered.add(sums.offered.quantities());
  }
  put_cluster_rows(use, rows);
  put_quota_rows(roles_, [this](const std::string& role) { return consumed(role); }, rows);
  for (const auto& [name, row] : roles_) {
    const std::string key = "allocator/mesos/roles/" + name + "/shares/dominant";
    rows[key] = {.key = key, .value = static_cast<double>(dominant_share_ppm(row)) / 1e6};
  }
  return rows;
}

}  // namespace tepui
