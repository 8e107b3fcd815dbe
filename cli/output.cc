#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>

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

TextTable agents_table(const Rows& rows, WallTime now) {
  TextTable out({"ID", "HOST", "ADDRESS", "STATE", "TASKS", "CPUS", "USED", "MEM", "USED",
                 "REVOCABLE", "AGE", "LACKS"});
  for (const AgentRow& row : rows.agents) {
    std::string lacks;
    std::string state = row.state;
    if (!row.draining.empty()) {
      state += ", " + row.draining;
    } else if (row.deactivated) {
      state += ", deactivated";
    }
    if (row.unavailability) state += ", maintenance planned";
    for (const std::string& sentence : row.info.degraded) {
      if (!lacks.empty()) lacks += "; ";
      lacks += sentence;
    }
    const Resources revocable = as_regular(row.info.resources.revocable());
    out.add({row.info.id.value, row.info.hostname, row.info.address, state,
             std::to_string(row.tasks), scalar_of(row.info.resources, "cpus"),
             scalar_of(row.allocated, "cpus"), scalar_of(row.info.resources, "mem"),
             scalar_of(row.allocated, "mem"), revocable.empty() ? "-" : to_text(revocable),
             age(row.registered_at, now), lacks});
  }
  return out;
}

TextTable tasks_table(const Rows& rows, WallTime now) {
  TextTable out(
      {"ID", "NAME", "FRAMEWORK", "AGENT", "ROLE", "STATE", "CPUS", "MEM", "AGE", "MESSAGE"});
  for (const TaskRow& row : rows.tasks) {
    const Task& task = row.task;
    out.add({task.id.value, task.name, task.framework_id.value, task.agent_id.value, task.role,
             short_state(task.state), scalar_of(task.resources, "cpus"),
             scalar_of(task.resources, "mem"), age(task.launched_at, now),
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
      TextTable out({"HOST", "MODE", "START", "DURATION", "DRAINS"});
      for (const MaintenanceRow& row : rows.maintenance) {
        const std::optional<Duration>& duration = row.unavailability.duration;
        out.add({row.hostname, row.mode, to_text(row.unavailability.start),
                 duration ? fmt::format("{}s", duration->count() / 1'000'000'000) : "for good",
                 row.drain ? "yes" : "no"});
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
