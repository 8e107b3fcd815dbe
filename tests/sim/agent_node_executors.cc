// The part of AgentNode that houses the processes of executors, and carries what their agent says.

#include <memory>
#include <utility>
#include <variant>

#include "tests/sim/agent_node.h"

namespace tepui::sim {

namespace {
// They have numbers as nodes have: so many on every machine.
constexpr NodeId kExecutorsPerNode = 1'000'000;
}  // namespace

void AgentNode::send_executor(SessionId to, const AgentToExecutor& message) {
  if (const auto* run = std::get_if<RunTasks>(&message)) {
    const ExecutorLink& link = executor_links_.at(to.value);
    launches_.on_handed_over(link.container, *run);
    for (const TaskInfo& task : run->tasks) {
      around_.fates.on_handed_over(life(), machine(), link.framework, task.id);
    }
  } else if (std::holds_alternative<EndExecutor>(message)) {
    launches_.on_told_to_end(executor_links_.at(to.value).container);
  }
  around_.network.send(to.value, node_, message);
}

void AgentNode::close_executor(SessionId session, std::string_view why) {
  if (executor_links_.erase(session.value) != 0) around_.network.close(session.value, node_, why);
}

void AgentNode::on_executor_began(const LaunchSpec& spec) {
  const ContainerId id = spec.id;
  executors_[id] = std::make_unique<ExecutorNode>(
      ExecutorNode::Surroundings{world_, around_.faults, around_.network, around_.fates.runners()},
      ExecutorNode::Place{.node = node_ * kExecutorsPerNode + ++executors_born_,
                          .agent = node_,
                          .exit = [this, id](ExitRecord end) { host_.exit(id, std::move(end)); }},
      spec);
}

void AgentNode::on_executor_ended(const ContainerId& id) {
  executors_.erase(id);
  around_.fates.runners().on_ended(id);
}

}  // namespace tepui::sim
