#pragma once
// AgentUsage asks all agents of a cluster, or one, what their containers use. Which agents there
// are, the leader says.

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/http_gets.h"
#include "cli/usage.h"

namespace tepui::cli {

struct SilentAgent {
  AgentPlace agent;
  std::string why;
};

struct ClusterUsage {
  std::vector<UsageRow> rows;
  std::vector<SilentAgent> silent;
  size_t agents = 0;  // that were asked
};

class AgentUsageOwner {
 public:
  virtual ~AgentUsageOwner() = default;
  virtual void on_usage(ClusterUsage usage) = 0;
};

class AgentUsage final : private HttpGetsOwner {
 public:
  AgentUsage(Reactor& reactor, AgentUsageOwner& owner);

  // The agents that are active: all, or the one with that id or hostname. Blocks.
  Outcome<void> find_agents(const Common& common, const std::string& agent);
  // -> on_usage
  void ask(const std::string& target, Duration timeout);
  bool busy() const { return gets_.busy(); }

 private:
  void on_answers(std::vector<Result<std::string>> answers) override;

  AgentUsageOwner& owner_;
  HttpGets gets_;
  std::vector<AgentPlace> agents_;
  std::vector<SilentAgent> away_;  // the leader has lost them
};

}  // namespace tepui::cli
