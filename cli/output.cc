#include "cli/output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "common/loans.h"
#include "common/quota_text.h"
#include "common/text.h"

namespace tepui::cli {

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

constexpr size_t kMessageColumns = 60;

// At most so many columns of it; what is left out shows as "...".
std::string first_line(std::string_view text, size_t columns) {
  text = text.substr(0, text.find('\n'));
  if (width_of(text) <= columns) return std::string(text);
  constexpr std::string_view kMore = "...";
  size_t end = 0;
  for (size_t shown = 0; shown <= columns - kMore.size(); ++end) {
    if (width_of(text.substr(end, 1)) != 0) ++shown;  // a character begins here
  }
  return fmt::format("{}{}", text.substr(0, end - 1), kMore);
}

std::string short_state(TaskState state) {
  std::string_view text = to_text(state);
  if (text.starts_with("TASK_")) text.remove_prefix(5);
  return std::string(text);
}

std::string scalar_of(const Resources& resources, std::string_view name) {
  return milli_to_text(resources.total_milli(name));
}

}  // namespace

void TextTable::add(std::vector<std::string> row) {
  // What others wrote must not move the cursor of this terminal.
  for (std::string& cell : row) {
    for (char& c : cell) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
  }
  rows_.push_back(std::move(row));
}

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

std::string state_of(const AgentRow& row) {
  std::string state = row.state;
  if (!row.draining.empty()) {
    state += ", " + row.draining;
  } else if (row.deactivated) {
    state += ", deactivated";
  }
  if (row.unavailability) state += ", maintenance planned";
  return state;
}

std::string text_of(const Unavailability& unavailability) {
  const std::string start = "from " + to_text(unavailability.start);
  return unavailability.duration ? start + " for " + to_text(*unavailability.duration)
                                 : start + " for good";
}

// The frameworks that gave this answer when they were asked to leave.
std::string frameworks_that(const MaintenanceRow& row, bool accepted) {
  std::set<std::string_view> ids;
  for (const MaintenanceRow::Answer& answer : row.answers) {
    if (answer.accepted == accepted) ids.insert(answer.framework_id.value);
  }
  return ids.empty() ? "-" : fmt::format("{}", fmt::join(ids, ","));
}

TextTable agents_table(const Rows& rows, WallTime now) {
  TextTable out({"ID", "HOST", "ADDRESS", "STATE", "TASKS", "CPUS", "USED", "MEM", "USED", "DISK",
                 "USED", "REVOCABLE", "AGE", "LACKS"});
  for (const AgentRow& row : rows.agents) {
    const Resources revocable = as_regular(row.info.resources.revocable());
    out.add({row.info.id.value, row.info.hostname, row.info.address, state_of(row),
             std::to_string(row.tasks), scalar_of(row.info.resources, "cpus"),
             scalar_of(row.allocated, "cpus"), scalar_of(row.info.resources, "mem"),
             scalar_of(row.allocated, "mem"), scalar_of(row.info.resources, "disk"),
             scalar_of(row.allocated, "disk"), revocable.empty() ? "-" : to_text(revocable),
             age(row.registered_at, now),
             first_line(fmt::format("{}", fmt::join(row.info.degraded, "; ")), kMessageColumns)});
  }
  return out;
}

TextTable tasks_table(const Rows& rows, WallTime now) {
  TextTable out(
      {"ID", "NAME", "FRAMEWORK", "AGENT", "ROLE", "STATE", "CPUS", "MEM", "AGE", "MESSAGE"});
  for (const TaskRow& row : rows.tasks) {
    const Task& task = row.task;
    out.add({task.id.value, task.kind->name, task.framework_id.value, task.agent_id.value,
             task.kind->role, short_state(task.state), scalar_of(task.kind->resources, "cpus"),
             scalar_of(task.kind->resources, "mem"), age(task.launched_at, now),
             first_line(task.last_status.message, kMessageColumns)});
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

TextTable details_of(const AgentRow& row, WallTime now) {
  const AgentInfo& info = row.info;
  TextTable out({"FACT", "VALUE"});
  const auto add = [&out](std::string fact, std::string value) {
    if (!value.empty()) out.add({std::move(fact), std::move(value)});
  };
  add("id", info.id.value);
  add("hostname", info.hostname);
  add("address", info.address);
  add("state", state_of(row));
  add("registered", age(row.registered_at, now) + " ago");
  add("version", info.version);
  add("domain", info.domain.empty() ? "" : info.domain.region + "/" + info.domain.zone);
  add("attributes", to_text(info.attributes));
  for (const Resource& item : info.resources.items()) {
    add("resource", to_text(Resources::create({item}).value_or(Resources{})));
  }
  add("tasks", fmt::format("{}, which hold {}", row.tasks,
                           row.allocated.empty() ? "nothing" : to_text(row.allocated)));
  add("offered", to_text(row.offered));
  if (row.unavailability) add("unavailable", text_of(*row.unavailability));
  for (const std::string& sentence : info.degraded) add("lacks", sentence);
  return out;
}

TextTable quotas_of(const std::vector<RoleRow>& rows) {
  TextTable out({"ROLE", "RESOURCE", "GUARANTEE", "LIMIT", "CONSUMED"});
  for (const RoleRow& row : rows) {
    std::set<std::string> names;
    for (const Quantities::Item& item : row.quota.guarantees.items()) names.insert(item.name);
    for (const auto& [name, milli] : row.quota.limits_milli) names.insert(name);
    for (const std::string& name : names) {
      const int64_t guarantee = row.quota.guarantees.get(name);
      const auto limit = row.quota.limits_milli.find(name);
      out.add({row.name, name, guarantee > 0 ? milli_to_text(guarantee) : "-",
               limit == row.quota.limits_milli.end() ? "-" : milli_to_text(limit->second),
               milli_to_text(row.consumed.get(name))});
    }
  }
  return out;
}

TextTable weights_of(const std::vector<RoleRow>& rows) {
  TextTable out({"ROLE", "WEIGHT"});
  for (const RoleRow& row : rows) out.add({row.name, milli_to_text(row.weight_milli)});
  return out;
}

namespace {

bool is_key(const ListRequest& wanted, std::string_view key) {
  return wanted.key.empty() || wanted.key == key;
}

}  // namespace

void keep_wanted(Rows& rows, const ListRequest& wanted) {
  std::erase_if(rows.agents, [&](const AgentRow& row) {
    return !is_key(wanted, row.info.id.value) && !is_key(wanted, row.info.hostname);
  });
  std::erase_if(rows.frameworks,
                [&](const FrameworkRow& row) { return !is_key(wanted, row.info.id.value); });
  std::erase_if(rows.tasks, [&](const TaskRow& row) {
    return !is_key(wanted, row.task.id.value) ||
           (!wanted.framework_id.empty() && wanted.framework_id != row.task.framework_id) ||
           (!wanted.agent_id.empty() && wanted.agent_id != row.task.agent_id);
  });
  std::erase_if(rows.roles, [&](const RoleRow& row) { return !is_key(wanted, row.name); });
  std::erase_if(rows.offers, [&](const OfferRow& row) { return !is_key(wanted, to_text(row.id)); });
}

void keep_wanted(WatchEvent& event, const ListRequest& wanted) {
  keep_wanted(event.changed, wanted);
  std::erase_if(event.removed, [&](const WatchEvent::Removed& removed) {
    return !is_key(wanted, removed.key) ||
           (!wanted.framework_id.empty() && wanted.framework_id.value != removed.within);
  });
}

TextTable table_of(Table table, const Rows& rows, WallTime now) {
  switch (table) {
    case Table::kAgents:
      return agents_table(rows, now);
    case Table::kFrameworks:
      return frameworks_table(rows, now);
    case Table::kTasks:
      return tasks_table(rows, now);
    case Table::kRoles: {
      TextTable out({"ROLE", "WEIGHT", "SHARE", "FRAMEWORKS", "CPUS", "MEM", "OFFERED CPUS",
                     "OFFERED MEM", "GUARANTEES", "LIMITS", "CONSUMED"});
      for (const RoleRow& row : rows.roles) {
        out.add({row.name, milli_to_text(row.weight_milli),
                 fmt::format("{:.1f}%", static_cast<double>(row.dominant_share_ppm) / 1e4),
                 std::to_string(row.frameworks), scalar_of(row.allocated, "cpus"),
                 scalar_of(row.allocated, "mem"), scalar_of(row.offered, "cpus"),
                 scalar_of(row.offered, "mem"), to_text(row.quota.guarantees),
                 to_text(row.quota.limits_milli), to_text(row.consumed)});
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
    case Table::kMaintenance: {
      TextTable out({"HOST", "MODE", "START", "DURATION", "DRAINS", "WILL LEAVE", "STAY"});
      for (const MaintenanceRow& row : rows.maintenance) {
        const std::optional<Duration>& duration = row.unavailability.duration;
        out.add({row.hostname, row.mode, to_text(row.unavailability.start),
                 duration ? fmt::format("{}s", duration->count() / 1'000'000'000) : "for good",
                 row.drain ? "yes" : "no", frameworks_that(row, true),
                 frameworks_that(row, false)});
      }
      return out;
    }
    case Table::kMetrics: {
      TextTable out({"KEY", "VALUE"});
      for (const MetricRow& row : rows.metrics) out.add({row.key, fmt::format("{}", row.value)});
      return out;
    }
  }
  return TextTable({});
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
                first_line(task.message, SIZE_MAX)});
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

}  // namespace tepui::cli
