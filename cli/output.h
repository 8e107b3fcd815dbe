#pragma once
// What the command prints: tables whose columns align, or JSON with the same content for scripts.
// Colour only on a terminal.
//
// output.cc writes for people, output_json.cc for scripts.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/messages.h"

namespace tepui::cli {

// Rows of text under headings; numbers are set to the right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  // Control characters become spaces.
  void add(std::vector<std::string> row);
  bool empty() const { return rows_.empty(); }
  // Two spaces between columns, no trailing space, one line a row.
  std::string to_text(bool colour) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// The rows of one table for people.
TextTable table_of(Table table, const Rows& rows, WallTime now);
// One agent in full, a fact a row.
TextTable details_of(const AgentRow& row, WallTime now);
// What quotas say and how much of them is used, a role and resource a row; only roles with a quota.
TextTable quotas_of(const std::vector<RoleRow>& rows);
TextTable weights_of(const std::vector<RoleRow>& rows);
// Drops the rows that were not asked for: another key (of an agent: id or hostname), framework or
// agent.
void keep_wanted(Rows& rows, const ListRequest& wanted);
void keep_wanted(WatchEvent& event, const ListRequest& wanted);
// The same rows as a JSON array, every field named.
std::string json_of(Table table, const Rows& rows);
// One line of JSON for a change, as `--watch --json` prints it.
std::string json_of(const WatchEvent& event);
// A command that was done: what it was, and the resources it named.
std::string json_of(const OperateResources& request);

// How one task of `tepui run` or `tepui batch` went.
struct TaskOutcome {
  TaskId id;
  std::string name;
  AgentId agent_id;
  TaskState state = TaskState::kStaging;
  std::optional<int32_t> exit_status;
  std::optional<int32_t> signal;
  std::string message;
  std::optional<double> launch_ms;  // accept to TASK_RUNNING
  std::optional<double> run_ms;     // TASK_RUNNING to the end
};

struct BatchSummary {
  std::string framework_id;
  double wall_secs = 0;
  std::vector<TaskOutcome> tasks;

  std::map<std::string, size_t> by_state() const;
  // Nearest rank; empty without samples.
  std::optional<double> launch_ms_at(int percentile) const;
  double launches_per_sec() const;
};
std::string text_of(const BatchSummary& summary, bool colour);
std::string json_of(const BatchSummary& summary);

// "12.3 s ago"-like ages: "3s", "12m", "5h", "8d".
std::string age(WallTime since, WallTime now);

}  // namespace tepui::cli
