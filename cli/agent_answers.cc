#include "cli/agent_answers.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "cli/http_gets.h"
#include "cli/operate.h"

namespace tepui::cli {

namespace {

struct Answers final : HttpGetsOwner {
  std::optional<std::vector<Result<std::string>>> all;
  void on_answers(std::vector<Result<std::string>> answers) override { all = std::move(answers); }
};

}  // namespace

Outcome<std::vector<AgentAnswer>> ask_agents(const Common& common, const std::string& agent,
                                             const std::string& target) {
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  auto rows = (*client)->list({.table = Table::kAgents});
  if (!rows) return std::unexpected(Failure{kNoMaster, rows.error().message});
  std::vector<AgentAnswer> answers;
  std::vector<HttpGet> gets;
  for (const AgentRow& row : rows->agents) {
    AgentPlace place{
        .id = row.info.id.value, .hostname = row.info.hostname, .address = row.info.address};
    if (!agent.empty() && agent != place.id && agent != place.hostname) continue;
    const bool is_active = row.state == "active";
    if (is_active) gets.push_back({.address = place.address, .target = target});
    answers.push_back(
        {.agent = std::move(place),
         .body = is_active ? Result<std::string>() : fail(fmt::format("it is {}", row.state))});
  }
  if (!agent.empty() && answers.empty()) {
    return std::unexpected(Failure{kNotFound, fmt::format("there is no agent '{}'", agent)});
  }
  auto reactor = Reactor::create();
  if (!reactor) return std::unexpected(Failure{kUsage, reactor.error().message});
  Answers came;
  HttpGets asking(**reactor, came);
  asking.start(gets, common.timeout);
  while (!came.all) (*reactor)->run_once(kNever);
  size_t next = 0;
  for (AgentAnswer& answer : answers) {
    if (answer.body) answer.body = std::move((*came.all)[next++]);
  }
  return answers;
}

}  // namespace tepui::cli
