#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.h"

namespace tepui::cli {

using Json = nlohmann::ordered_json;

namespace {

bool is_number(std::string_view text) {
  if (text.empty() || text == "-") return true;
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '%' || c == 'e'; });
}

// Columns on a terminal, not bytes: continuation bytes of UTF-8 take none.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string short_state(TaskState state) {
  std::string_view text = to_text(state);
  if (text.starts_with("TASK_")) text.remove_prefix(5);
  return std::string(text);
}

std::string scalar_of(const Resources& resources, std::string_view name) {
  return milli_to_text(resources.total_milli(name));
}

Json json_of(const Resources& resources) {
  Json out = Json::object();
  for (const Quantities::Item& item : resources.quantities().items()) {
    out[item.name] = static_cast<double>(item.milli) / 1000;
  }
  out["text"] = to_text(resources);
  return out;
}

Json json_of(const Labels& labels) {
  Json out = Json::object();
  for (const Label& label : labels) out[label.key] = label.value;
  return out;
}

Json json_of(const AgentRow& row) {
  return {{"id", row.info.id.value},
          {"hostname", row.info.hostname},
          {"address", row.info.address},
          {"state", row.state},
          {"tasks", row.tasks},
          {"resources", json_of(row.info.resources)},
          {"allocated", json_of(row.allocated)},
          {"offered", json_of(row.offered)},
          {"attributes", to_text(row.info.attributes)},
          {"version", row.info.version},
          {"controllers", row.info.controllers},
          {"degraded", row.info.degraded},
          {"registered_at", to_text(row.registered_at)}};
}

Json json_of(const FrameworkRow& row) {
  return {{"id", row.info.id.value},
          {"name", row.info.name},
          {"user", row.info.user},
          {"principal", row.info.principal},
          {"roles", row.info.roles},
          {"state", row.state},
          {"tasks", row.tasks},
          {"allocated", json_of(row.allocated)},
          {"offered", json_of(row.offered)},
          {"failover_timeout_secs", to_secs(row.info.failover_timeout)},
          {"subscribed_at", to_text(row.subscribed_at)}};
}

Json json_of(const TaskRow& row) {
  const Task& task = row.task;
  const TaskStatus& status = task.last_status;
  Json out = {{"id", task.id.value},
              {"name", task.name},
              {"framework_id", task.framework_id.value},
              {"agent_id", task.agent_id.value},
              {"container_id", task.container_id.value},
              {"role", task.role},
              {"state", to_text(task.state)},
              {"resources", json_of(task.resources)},
              {"source", to_text(status.source)},
              {"reason", to_text(status.reason)},
              {"message", status.message},
              {"exit_status", nullptr},
              {"signal", nullptr},
              {"labels", json_of(task.labels)},
              {"launched_at", to_text(task.launched_at)},
              {"updated_at", to_text(status.timestamp)}};
  if (status.exit_status) out["exit_status"] = *status.exit_status;
  if (status.signal) out["signal"] = *status.signal;
  return out;
}

Json json_of(const RoleRow& row) {
  return {{"name", row.name},
          {"weight", static_cast<double>(row.weight_milli) / 1000},
          {"dominant_share", static_cast<double>(row.dominant_share_ppm) / 1e6},
          {"frameworks", row.frameworks},
          {"allocated", json_of(row.allocated)},
          {"offered", json_of(row.offered)}};
}

Json json_of(const OfferRow& row) {
  return {{"id", to_text(row.id)},
          {"framework_id", row.framework_id.value},
          {"agent_id", row.agent_id.value},
          {"role", row.role},
          {"resources", json_of(row.resources)},
          {"made_at", to_text(row.made_at)}};
}

Json json_rows(Table table, const Rows& rows) {
  Json out = Json::array();
  const auto each = [&out](const auto& items) {
    for (const auto& item : items) out.push_back(json_of(item));
  };
  switch (table) {
    case Table::kAgents:
      each(rows.agents);
      break;
    case Table::kFrameworks:
      each(rows.frameworks);
      break;
    case Table::kTasks:
      each(rows.tasks);
      break;
    case Table::kRoles:
      each(rows.roles);
      break;
    case Table::kOffers:
      each(rows.offers);
      break;
    case Table::kMetrics:
      out = Json::object();
      for (const MetricRow& row : rows.metrics) out[row.key] = row.value;
      break;
  }
  return out;
}

constexpr std::string_view kTableNames[kTableCount] = {"agents", "frameworks", "tasks",
                                                       "roles",  "offers",     "metrics"};

// Text from tasks may hold any bytes; JSON must stay valid.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string TextTable::to_text(bool colour) const {
  std::vector<size_t> widths;
  std::vector<bool> right(headings_.size(), !rows_.empty());
  for (size_t c = 0; c < headings_.size(); ++c) {
    size_t width = width_of(headings_[c]);
    for (const auto& row : rows_) {
      width = std::max(width, width_of(row[c]));
      if (!is_number(row[c])) right[c] = false;
    }
    widths.push_back(width);
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t c = 0; c < cells.size(); ++c) {
      const std::string pad(widths[c] - width_of(cells[c]), ' ');
      if (c != 0) text += "  ";
      text += right[c] ? pad + cells[c] : cells[c] + pad;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  const std::string head = line(headings_);
  out += colour ? "\033[1m" + head + "\033[0m\n" : head + "\n";
  for (const auto& row : rows_) out += line(row) + "\n";
  return out;
}

std::string age(WallTime since, WallTime now) {
  if (since == WallTime{}) return "-";
  const int64_t secs = std::max<int64_t>(0, (now - since).count() / 1'000'000'000);
  if (secs < 120) return fmt::format("{}s", secs);
  if (secs < 7200) return fmt::format("{}m", secs / 60);
  if (secs < 48 * 3600) return fmt::format("{}h", secs / 3600);
  return fmt::format("{}d", secs / 86400);
}

namespace {

TextTable agents_table(const Rows& rows, WallTime now) {
  TextTable out(
      {"ID", "HOST", "ADDRESS", "STATE", "TASKS", "CPUS", "USED", "MEM", "USED", "AGE", "LACKS"});
  for (const AgentRow& row : rows.agents) {
    std::string lacks;
    for (const std::string& sentence : row.info.degraded) {
      if (!lacks.empty()) lacks += "; ";
      lacks += sentence;
    }
    out.add({row.info.id.value, row.info.hostname, row.info.address, row.state,
             std::to_string(row.tasks), scalar_of(row.info.resources, "cpus"),
             scalar_of(row.allocated, "cpus"), scalar_of(row.info.resources, "mem"),
             scalar_of(row.allocated, "mem"), age(row.registered_at, now), lacks});
  }
  return out;
}

TextTable tasks_table(const Rows& rows, WallTime now) {
  TextTable out(
      {"ID", "NAME", "FRAMEWORK", "AGENT", "ROLE", "STATE", "CPUS", "MEM", "AGE", "MESSAGE"});
  for (const TaskRow& row : rows.tasks) {
    const Task& task = row.task;
    std::string message = task.last_status.message.substr(0, task.last_status.message.find('\n'));
    if (message.size() > 60) message = message.substr(0, 57) + "...";
    out.add({task.id.value, task.name, task.framework_id.value, task.agent_id.value, task.role,
             short_state(task.state), scalar_of(task.resources, "cpus"),
             scalar_of(task.resources, "mem"), age(task.launched_at, now), message});
  }
  return out;
}

TextTable frameworks_table(const Rows& rows, WallTime now) {
  TextTable out({"ID", "NAME", "ROLES", "STATE", "TASKS", "CPUS", "MEM", "AGE"});
  for (const FrameworkRow& row : rows.frameworks) {
    std::string roles;
    for (const std::string& role : row.info.roles) roles += (roles.empty() ? "" : ",") + role;
    out.add({row.info.id.value, row.info.name, roles, row.state, std::to_string(row.tasks),
             scalar_of(row.allocated, "cpus"), scalar_of(row.allocated, "mem"),
             age(row.subscribed_at, now)});
  }
  return out;
}

}  // namespace

TextTable table_of(Table table, const Rows& rows, WallTime now) {
  switch (table) {
    case Table::kAgents:
      return agents_table(rows, now);
    case Table::kFrameworks:
      return frameworks_table(rows, now);
    case Table::kTasks:
      return tasks_table(rows, now);
    case Table::kRoles: {
      TextTable out(
          {"ROLE", "WEIGHT", "SHARE", "FRAMEWORKS", "CPUS", "MEM", "OFFERED CPUS", "OFFERED MEM"});
      for (const RoleRow& row : rows.roles) {
        out.add({row.name, milli_to_text(row.weight_milli),
                 fmt::format("{:.1f}%", static_cast<double>(row.dominant_share_ppm) / 1e4),
                 std::to_string(row.frameworks), scalar_of(row.allocated, "cpus"),
                 scalar_of(row.allocated, "mem"), scalar_of(row.offered, "cpus"),
                 scalar_of(row.offered, "mem")});
      }
      return out;
    }
    case Table::kOffers: {
      TextTable out({"ID", "FRAMEWORK", "AGENT", "ROLE", "RESOURCES", "AGE"});
      for (const OfferRow& row : rows.offers) {
        out.add({to_text(row.id), row.framework_id.value, row.agent_id.value, row.role,
                 to_text(row.resources), age(row.made_at, now)});
      }
      return out;
    }
    case Table::kMetrics: {
      TextTable out({"KEY", "VALUE"});
      for (const MetricRow& row : rows.metrics) out.add({row.key, fmt::format("{:g}", row.value)});
      return out;
    }
  }
  return TextTable({});
}

std::string json_of(Table table, const Rows& rows) { return dump(json_rows(table, rows), 2); }

std::string json_of(const WatchEvent& event) {
  Json out = {{"version", event.state_version}, {"resync", event.resync}};
  for (int t = 0; t < kTableCount; ++t) {
    Json rows = json_rows(static_cast<Table>(t), event.changed);
    if (!rows.empty()) out[std::string(kTableNames[t])] = std::move(rows);
  }
  Json removed = Json::array();
  for (const WatchEvent::Removed& item : event.removed) {
    removed.push_back({{"table", kTableNames[static_cast<int>(item.table)]},
                       {"id", item.key},
                       {"framework_id", item.within}});
  }
  if (!removed.empty()) out["removed"] = std::move(removed);
  return dump(out, -1);
}

std::map<std::string, size_t> BatchSummary::by_state() const {
  std::map<std::string, size_t> counts;
  for (const TaskOutcome& task : tasks) ++counts[std::string(to_text(task.state))];
  return counts;
}

std::optional<double> BatchSummary::launch_ms_at(int percentile) const {
  std::vector<double> samples;
  for (const TaskOutcome& task : tasks) {
    if (task.launch_ms) samples.push_back(*task.launch_ms);
  }
  if (samples.empty()) return std::nullopt;
  std::ranges::sort(samples);
  const size_t rank = (samples.size() * static_cast<size_t>(percentile) + 99) / 100;
  return samples[std::max<size_t>(rank, 1) - 1];
}

double BatchSummary::launches_per_sec() const {
  const auto launched =
      std::ranges::count_if(tasks, [](const TaskOutcome& t) { return t.launch_ms.has_value(); });
  return wall_secs > 0 ? static_cast<double>(launched) / wall_secs : 0;
}

std::string text_of(const BatchSummary& summary, bool colour) {
  TextTable states({"STATE", "TASKS"});
  for (const auto& [state, count] : summary.by_state()) states.add({state, std::to_string(count)});
  std::string out = states.to_text(colour);
  TextTable failed({"TASK", "STATE", "AGENT", "MESSAGE"});
  for (const TaskOutcome& task : summary.tasks) {
    if (task.state == TaskState::kFinished) continue;
    failed.add({task.id.value, short_state(task.state), task.agent_id.value,
                task.message.substr(0, task.message.find('\n'))});
  }
  if (!failed.empty()) out += "\n" + failed.to_text(colour);
  out += fmt::format("\n{} tasks in {:.1f} s, {:.1f} launches/s", summary.tasks.size(),
                     summary.wall_secs, summary.launches_per_sec());
  if (const auto p50 = summary.launch_ms_at(50)) {
    out += fmt::format(", launch latency p50 {:.1f} ms, p99 {:.1f} ms", *p50,
                       *summary.launch_ms_at(99));
  }
  return out + "\n";
}

std::string json_of(const BatchSummary& summary) {
  Json out = {{"framework_id", summary.framework_id},
              {"wall_secs", summary.wall_secs},
              {"launches_per_sec", summary.launches_per_sec()},
              {"launch_ms", {{"p50", nullptr}, {"p99", nullptr}}},
              {"states", summary.by_state()},
              {"tasks", Json::array()}};
  if (const auto p50 = summary.launch_ms_at(50)) out["launch_ms"]["p50"] = *p50;
  if (const auto p99 = summary.launch_ms_at(99)) out["launch_ms"]["p99"] = *p99;
  for (const TaskOutcome& task : summary.tasks) {
    Json row = {
        {"id", task.id.value},          {"name", task.name},      {"agent_id", task.agent_id.value},
        {"state", to_text(task.state)}, {"exit_status", nullptr}, {"signal", nullptr},
        {"message", task.message},      {"launch_ms", nullptr},   {"run_ms", nullptr}};
    if (task.exit_status) row["exit_status"] = *task.exit_status;
    if (task.signal) row["signal"] = *task.signal;
    if (task.launch_ms) row["launch_ms"] = *task.launch_ms;
    if (task.run_ms) row["run_ms"] = *task.run_ms;
    out["tasks"].push_back(std::move(row));
  }
  return dump(out, 2);
}

}  // namespace tepui::cli
