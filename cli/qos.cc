// qos: what agents lend of what is unused, and what they do about it when somebody suffers.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "cli/agent_answers.h"
#include "cli/operate.h"
#include "cli/qos_replay.h"
#include "cli/qos_text.h"

namespace tepui::cli {

namespace {

struct Asked {
  std::vector<AgentQos> agents;
  size_t silent = 0;
};

// What cannot be asked is said, and left out.
Outcome<Asked> ask(const Common& common, const std::string& agent) {
  auto answers = ask_agents(common, agent, "/qos");
  if (!answers) return std::unexpected(answers.error());
  Asked asked;
  for (AgentAnswer& answer : *answers) {
    Result<Document> said = answer.body ? parse_json(*answer.body, answer.agent.hostname)
                                        : std::unexpected(answer.body.error());
    if (said) {
      asked.agents.push_back({.agent = std::move(answer.agent), .said = *std::move(said)});
      continue;
    }
    ++asked.silent;
    std::fprintf(stderr, "tepui: agent %s (%s, %s) says nothing: %s\n",
                 answer.agent.hostname.c_str(), answer.agent.id.c_str(),
                 answer.agent.address.c_str(), said.error().message.c_str());
  }
  if (asked.agents.empty() && asked.silent > 0) {
    return std::unexpected(Failure{kNoMaster, "no agent answers"});
  }
  return asked;
}

int print_json(const Asked& asked) {
  Document::List list;
  for (const AgentQos& each : asked.agents) {
    Document::Table table = each.said.table() == nullptr ? Document::Table() : *each.said.table();
    table.insert(table.begin(), {{"agent_id", each.agent.id}, {"hostname", each.agent.hostname}});
    list.push_back(std::move(table));
  }
  std::printf("%s\n", to_json(std::move(list), -1).c_str());
  return kDone;
}

void print(const TextTable& table) {
  std::fputs(table.to_text(isatty(STDOUT_FILENO) != 0).c_str(), stdout);
}

int show_settings(const Asked& asked, bool one_agent) {
  print(qos_table(asked.agents));
  if (!one_agent) return kDone;
  for (const AgentQos& each : asked.agents) {
    const Document* settings = each.said.find("settings");
    if (settings == nullptr || settings->text() == nullptr) continue;
    std::printf("\n%s", settings->text()->c_str());
  }
  return kDone;
}

}  // namespace

Outcome<int> qos(const Settings& settings) {
  const Common common = common_of(settings);
  const std::string verb = first(settings.positional("VERB"));
  const std::string task = first(settings.positional("WHAT"));
  const std::string& agent = settings.text("agent");
  if (verb == "replay") {
    if (task.empty()) return usage("replay needs the RECORDING, a directory or a segment of it");
    return replay_qos(settings, task);
  }
  if (verb != "show" && verb != "log" && verb != "explain") {
    return usage(fmt::format("'{}' is none of show, log, explain and replay", verb));
  }
  if (verb == "explain" && task.empty()) return usage("explain needs the TASK that it is about");
  if (verb == "show" && !task.empty()) return usage("show is about agents: name one by --agent");
  auto asked = ask(common, agent);
  if (!asked) return std::unexpected(asked.error());
  if (common.json) return print_json(*asked);
  if (verb == "show") return show_settings(*asked, !agent.empty());
  if (verb == "log") {
    print(qos_log(asked->agents, task, static_cast<size_t>(settings.integer("last"))));
    return kDone;
  }
  const std::optional<std::string> text = qos_explanation(asked->agents, task);
  if (!text) {
    std::printf("%s: nothing is held against it, and nothing was as far back as agents remember\n",
                task.c_str());
    return kDone;
  }
  std::fputs(text->c_str(), stdout);
  return kDone;
}

}  // namespace tepui::cli
