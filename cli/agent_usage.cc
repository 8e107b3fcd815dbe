#include "cli/agent_usage.h"

#include <fmt/format.h>

#include <utility>

#include "cli/operate.h"

namespace tepui::cli {

AgentUsage::AgentUsage(Reactor& reactor, AgentUsageOwner& owner)
    : owner_(owner), gets_(reactor, *this) {}

Outcome<void> AgentUsage::find_agents(const Common& common, const std::string& agent) {
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  auto rows = (*client)->list({.table = Table::kAgents});
  if (!rows) return std::unexpected(Failure{kNoMaster, rows.error().message});
  agents_.clear();
  away_.clear();
  for (const AgentRow& row : rows->agents) {
    AgentPlace place{
        .id = row.info.id.value, .hostname = row.info.hostname, .address = row.info.address};
    if (!agent.empty() && agent != place.id && agent != place.hostname) continue;
    if (row.state == "active") {
      agents_.push_back(std::move(place));
    } else {
      away_.push_back({.agent = std::move(place), .why = fmt::format("it is {}", row.state)});
    }
  }
  if (!agent.empty() && agents_.empty() && away_.empty()) {
    return std::unexpected(Failure{kNotFound, fmt::format("there is no agent '{}'", agent)});
  }
  return {};
}

void AgentUsage::ask(const std::string& target, Duration timeout) {
  std::vector<HttpGet> gets;
  for (const AgentPlace& agent : agents_) {
    gets.push_back({.address = agent.address, .target = target});
  }
  gets_.start(gets, timeout);
}

void AgentUsage::on_answers(std::vector<Result<std::string>> answers) {
  ClusterUsage usage{.rows = {}, .silent = away_, .agents = agents_.size() + away_.size()};
  for (size_t i = 0; i < answers.size(); ++i) {
    Result<std::vector<UsageRow>> rows =
        answers[i] ? read_usage(*answers[i], agents_[i]) : std::unexpected(answers[i].error());
    if (!rows) {
      usage.silent.push_back({.agent = agents_[i], .why = rows.error().message});
      continue;
    }
    for (UsageRow& row : *rows) usage.rows.push_back(std::move(row));
  }
  owner_.on_usage(std::move(usage));
}

}  // namespace tepui::cli
