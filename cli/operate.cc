// quota, weights; drain, deactivate, reactivate, gone; teardown.
#include "cli/operate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/output.h"
#include "cli/quota_file.h"
#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/io/version.h"
#include "common/quota_text.h"
#include "common/roles.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

constexpr size_t kQuotaFileBytesMax = 4 << 20;

// The roles of a file, all or none.
Outcome<int> set_quotas(const Settings& settings, const Common& common) {
  const std::string file = settings.text("file");
  const Result<std::string> text = read_file(file, kQuotaFileBytesMax);
  if (!text) return usage(text.error().message);
  const auto document = file.ends_with(".json") ? parse_json(*text, file) : parse_toml(*text, file);
  if (!document) return usage(document.error().message);
  auto update = parse_quotas(*document, file);
  if (!update) return usage(update.error().message);
  update->force = settings.flag("force");
  return command(common, *update);
}

Outcome<int> set_quota(const Settings& settings, const Common& common, const std::string& role) {
  if (!settings.given("guarantee") && !settings.given("limit")) {
    return usage("say what to set: --guarantee=cpus:4 or --limit=cpus:8, or both");
  }
  Result<Quantities> guarantees = parse_guarantees(settings.text("guarantee"));
  if (!guarantees) return usage("--guarantee: " + guarantees.error().message);
  auto limits = parse_limits(settings.text("limit"));
  if (!limits) return usage("--limit: " + limits.error().message);
  UpdateQuota update{.force = settings.flag("force")};
  update.quotas.push_back(
      {.role = role,
       .quota = {.guarantees = *std::move(guarantees), .limits_milli = *std::move(limits)}});
  return command(common, update);
}

// eng=2 ops=0.5
Outcome<UpdateWeights> read_weights(const std::vector<std::string>& words) {
  UpdateWeights update;
  for (const std::string& word : words) {
    const size_t equals = word.rfind('=');
    const auto weight = equals == std::string::npos ? Result<int64_t>(fail("it has no '='"))
                                                    : parse_milli(word.substr(equals + 1));
    if (!weight) {
      return usage(fmt::format("'{}' is not a weight, expected ROLE=NUMBER: {}", word,
                               weight.error().message));
    }
    update.weights.push_back({.role = word.substr(0, equals), .weight_milli = *weight});
  }
  return update;
}

// Waits until the agent is drained, or gone. It may take as long as its tasks' grace.
Outcome<int> wait_until_drained(Client& client, const AgentId& id) {
  bool drained = false;
  bool seen = false;
  const auto settled = [&](const std::vector<AgentRow>& rows) {
    for (const AgentRow& row : rows) {
      if (row.info.id != id) continue;
      seen = true;
      drained |= row.draining != "draining";
    }
  };
  const auto done = client.watch({.tables = {Table::kAgents}},
                                 {.on_snapshot =
                                      [&](const ListReply& part) {
                                        settled(part.rows.agents);
                                        drained |= !part.more && !seen;  // gone before we looked
                                        return !drained;
                                      },
                                  .on_change =
                                      [&](const WatchEvent& event) {
                                        settled(event.changed.agents);
                                        drained |= std::ranges::any_of(
                                            event.removed, [&](const WatchEvent::Removed& row) {
                                              return row.key == id.value;
                                            });
                                        return !drained;
                                      }});
  if (!done) return std::unexpected(Failure{kNoMaster, done.error().message});
  return kDone;
}

}  // namespace

std::unexpected<Failure> usage(std::string message) {
  return std::unexpected(Failure{kUsage, std::move(message)});
}

std::string first(const std::vector<std::string>& texts) {
  return texts.empty() ? std::string() : texts.front();
}

Outcome<std::unique_ptr<Client>> connect(const Common& common) {
  auto client = Client::connect({.address = common.master,
                                 .principal = common.principal,
                                 .build = version_text(),
                                 .timeout = common.timeout});
  if (!client) return std::unexpected(Failure{kNoMaster, client.error().message});
  return *std::move(client);
}

Outcome<int> command(Client& client, const OperatorRequest& request) {
  const auto done = client.command(request);
  if (done) return kDone;
  return std::unexpected(
      Failure{client.was_refused() ? kRefused : kNoMaster, done.error().message});
}

Outcome<int> command(const Common& common, const OperatorRequest& request) {
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  return command(**client, request);
}

Outcome<int> show(const Common& common, Table table, const std::string& key) {
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  auto rows = (*client)->list({.table = table, .key = key});
  if (!rows) return std::unexpected(Failure{kNoMaster, rows.error().message});
  const std::string text =
      common.json ? json_of(table, *rows) + "\n"
                  : table_of(table, *rows, now().wall).to_text(isatty(STDOUT_FILENO) != 0);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

Outcome<AgentRow> find_agent(Client& client, const std::string& name) {
  auto rows = client.list({.table = Table::kAgents, .key = {}});
  if (!rows) return std::unexpected(Failure{kNoMaster, rows.error().message});
  std::vector<AgentRow> found;
  for (AgentRow& row : rows->agents) {
    if (row.info.id.value == name) return std::move(row);
    if (row.info.hostname == name) found.push_back(std::move(row));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) {
    return std::unexpected(Failure{kNotFound, fmt::format("there is no agent '{}'", name)});
  }
  return usage(
      fmt::format("{} agents have the hostname '{}': name one by its id", found.size(), name));
}

namespace {

// Roles in a table of their own; in JSON in full.
Outcome<int> show_roles(const Common& common, const std::string& role,
                        TextTable (*table)(const std::vector<RoleRow>&),
                        bool (*is_shown)(const RoleRow&)) {
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  auto rows = (*client)->list({.table = Table::kRoles, .key = role});
  if (!rows) return std::unexpected(Failure{kNoMaster, rows.error().message});
  std::erase_if(rows->roles, [is_shown](const RoleRow& row) { return !is_shown(row); });
  if (!role.empty() && rows->roles.empty()) {
    return std::unexpected(Failure{kNotFound, fmt::format("nothing is set for role '{}'", role)});
  }
  const std::string text = common.json ? json_of(Table::kRoles, *rows) + "\n"
                                       : table(rows->roles).to_text(isatty(STDOUT_FILENO) != 0);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace

Outcome<int> quota(const Settings& settings) {
  const Common common = common_of(settings);
  const std::string verb = first(settings.positional("VERB"));
  const std::string role = first(settings.positional("ROLE"));
  if (verb == "show") {
    return show_roles(common, role, quotas_of,
                      [](const RoleRow& row) { return !row.quota.is_default(); });
  }
  if (verb != "set" && verb != "remove") {
    return usage(fmt::format("quota cannot '{}', expected show, set or remove", verb));
  }
  if (verb == "set" && settings.given("file")) {
    if (role.empty() && !settings.given("guarantee") && !settings.given("limit")) {
      return set_quotas(settings, common);
    }
    return usage("the file names the roles and what they get: give either it or a role");
  }
  if (role.empty()) return usage(fmt::format("quota {} needs a role", verb));
  if (verb == "set") return set_quota(settings, common, role);
  UpdateQuota update;
  update.quotas.push_back({.role = role, .quota = {}});
  return command(common, update);
}

Outcome<int> weights(const Settings& settings) {
  const Common common = common_of(settings);
  const std::string verb = first(settings.positional("VERB"));
  const std::vector<std::string> words = settings.positional("ROLE=WEIGHT");
  if (verb == "show") {
    return show_roles(common, first(words), weights_of, [](const RoleRow&) { return true; });
  }
  if (verb != "set") return usage(fmt::format("weights cannot '{}', expected show or set", verb));
  if (words.empty()) return usage("weights set needs ROLE=WEIGHT");
  const auto update = read_weights(words);
  if (!update) return std::unexpected(update.error());
  return command(common, *update);
}

Outcome<int> operate_agent(const Settings& settings, OperateAgent::Action action) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto agent = find_agent(**client, first(settings.positional("AGENT")));
  if (!agent) return std::unexpected(agent.error());
  OperateAgent request{.agent_id = agent->info.id, .action = action};
  const bool drains = action == OperateAgent::Action::kDrain;
  if (drains && settings.given("grace")) request.max_grace = settings.duration("grace");
  if (drains) request.mark_gone = settings.flag("mark-gone");
  const Outcome<int> done = command(**client, request);
  if (!done || !drains || !settings.flag("wait")) return done;
  return wait_until_drained(**client, agent->info.id);
}

Outcome<int> teardown(const Settings& settings) {
  return command(
      common_of(settings),
      TeardownFramework{.framework_id = FrameworkId{first(settings.positional("FRAMEWORK"))}});
}

}  // namespace tepui::cli
