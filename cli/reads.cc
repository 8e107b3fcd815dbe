// agents, frameworks, tasks, roles, offers, metrics; kill and logs.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/output_streams.h"
#include "common/io/clock.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

std::unexpected<Failure> lost(const Error& error) {
  return std::unexpected(Failure{kNoMaster, error.message});
}

size_t rows_of(Table table, const Rows& rows) {
  switch (table) {
    case Table::kAgents:
      return rows.agents.size();
    case Table::kFrameworks:
      return rows.frameworks.size();
    case Table::kTasks:
      return rows.tasks.size();
    case Table::kRoles:
      return rows.roles.size();
    case Table::kOffers:
      return rows.offers.size();
    case Table::kMetrics:
      return rows.metrics.size();
    case Table::kMaintenance:
      return rows.maintenance.size();
  }
  return 0;
}

bool colour() { return isatty(STDOUT_FILENO) != 0; }

void print(const Common& common, Table table, const Rows& rows) {
  const std::string text = common.json ? json_of(table, rows) + "\n"
                                       : table_of(table, rows, now().wall).to_text(colour());
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void print_change(const Common& common, Table table, const WatchEvent& event) {
  if (common.json) {
    std::fputs((json_of(event) + "\n").c_str(), stdout);
    std::fflush(stdout);
    return;
  }
  if (rows_of(table, event.changed) != 0) print(common, table, event.changed);
  for (const WatchEvent::Removed& removed : event.removed) {
    std::printf("%s is gone\n", removed.key.c_str());
  }
  std::fflush(stdout);
}

// Only what `wanted` asks for is shown.
Outcome<int> watch(const Common& common, Client& client, const ListRequest& wanted) {
  const Table table = wanted.table;
  const auto done = client.watch(
      {.request = 0, .tables = {table}},
      {.on_snapshot =
           [&](const ListReply& part) {
             Rows rows = part.rows;
             keep_wanted(rows, wanted);
             print(common, table, rows);
             return std::ferror(stdout) == 0;
           },
       .on_change =
           [&](const WatchEvent& event) {
             WatchEvent shown = event;
             keep_wanted(shown, wanted);
             if (rows_of(table, shown.changed) != 0 || !shown.removed.empty() || shown.resync) {
               print_change(common, table, shown);
             }
             return std::ferror(stdout) == 0;
           }});
  if (!done) return lost(done.error());
  return kDone;
}

class Printer final : public OutputSink {
 public:
  void on_bytes(std::string_view bytes) override {
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    std::fflush(stdout);
    broken = std::ferror(stdout) != 0;
  }
  void on_end(std::string_view why) override {
    ended = true;
    problem = why;
  }

  bool ended = false;
  bool broken = false;
  std::string problem;
};

}  // namespace

Outcome<Task> find_task(Client& client, const Settings& settings) {
  const std::string id = first(settings.positional("TASK"));
  auto rows = client.list({.table = Table::kTasks,
                           .key = id,
                           .framework_id = {settings.text("framework")},
                           .agent_id = {}});
  if (!rows) return lost(rows.error());
  if (rows->tasks.empty()) {
    return std::unexpected(Failure{kNotFound, fmt::format("there is no task '{}'", id)});
  }
  if (rows->tasks.size() > 1) {
    std::string which;
    for (const TaskRow& row : rows->tasks) which += " " + row.task.framework_id.value;
    return std::unexpected(
        Failure{kUsage, fmt::format("{} frameworks have a task '{}'; say which with --framework:{}",
                                    rows->tasks.size(), id, which)});
  }
  return rows->tasks.front().task;
}

Common common_of(const Settings& settings) {
  return {.master = settings.text("master"),
          .principal = settings.text("principal"),
          .json = settings.flag("json"),
          .timeout = settings.duration("timeout")};
}

Outcome<int> list(const Settings& settings, Table table) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  ListRequest request{.table = table};
  if (table != Table::kMetrics) request.key = first(settings.positional("ID"));
  if (table == Table::kTasks) {
    request.framework_id.value = settings.text("framework");
    request.agent_id.value = settings.text("agent");
  }
  if (table != Table::kMetrics && settings.flag("watch")) return watch(common, **client, request);
  // Agents also go by their hostnames, which the master does not look up.
  ListRequest asked = request;
  if (table == Table::kAgents) asked.key.clear();
  auto rows = (*client)->list(asked);
  if (!rows) return lost(rows.error());
  keep_wanted(*rows, request);
  if (table == Table::kMetrics) {
    const std::string prefix = settings.text("prefix");
    std::erase_if(rows->metrics,
                  [&](const MetricRow& row) { return !row.key.starts_with(prefix); });
  }
  if (!request.key.empty() && rows_of(table, *rows) == 0) {
    return std::unexpected(
        Failure{kNotFound, fmt::format("there is no '{}' in {}", request.key, settings.command())});
  }
  if (table == Table::kAgents && !request.key.empty() && rows->agents.size() == 1 && !common.json) {
    std::fputs(details_of(rows->agents.front(), now().wall).to_text(colour()).c_str(), stdout);
    return kDone;
  }
  print(common, table, *rows);
  return kDone;
}

Outcome<int> kill(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto task = find_task(**client, settings);
  if (!task) return std::unexpected(task.error());
  OperatorKill request{.framework_id = task->framework_id, .task_id = task->id};
  if (settings.given("grace")) {
    request.kill_policy = KillPolicy{.grace_ns = settings.duration("grace")};
  }
  return command(**client, request);
}

Outcome<int> logs(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto task = find_task(**client, settings);
  if (!task) return std::unexpected(task.error());
  const auto agents = (*client)->list({.table = Table::kAgents, .key = task->agent_id.value});
  if (!agents) return lost(agents.error());
  if (agents->agents.empty()) {
    return std::unexpected(
        Failure{kNotFound, fmt::format("the agent {} of this task is gone", task->agent_id.value)});
  }
  auto reactor = Reactor::create();
  if (!reactor) return lost(reactor.error());
  auto streams = OutputStreams::create(**reactor);
  if (!streams) return lost(streams.error());
  Printer printer;
  (*streams)->open({.address = agents->agents.front().info.address,
                    .framework_id = task->framework_id,
                    .task_id = task->id,
                    .path = settings.flag("stderr") ? "stderr" : "stdout",
                    .offset = 0,
                    .follow = settings.flag("follow")},
                   printer);
  while (!printer.ended && !printer.broken) (*reactor)->run_once(kNever);
  if (!printer.problem.empty()) {
    return std::unexpected(Failure{kNotFound, printer.problem});
  }
  return kDone;
}

}  // namespace tepui::cli
