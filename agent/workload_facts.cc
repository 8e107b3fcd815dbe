// What is told of containers: whose they are and what they may use.

#include <utility>

#include "agent/workload.h"

namespace tepui {

std::optional<ContainerFacts> Workload::facts_of(const ContainerId& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.probe != 0) return std::nullopt;
  const Container& container = found->second;
  const auto framework = frameworks_.find(container.framework_id);
  if (framework == frameworks_.end()) return std::nullopt;
  ContainerFacts facts{.id = id,
                       .parent = container.parent,
                       .framework_id = container.framework_id,
                       .framework_name = framework->second.info.name,
                       .executor_id = container.executor_id,
                       .executor_name = {},
                       .executor_resources = {},
                       .tasks = {}};
  const auto add = [&](const TaskId& task_id) {
    const auto task = framework->second.tasks.find(task_id);
    if (task == framework->second.tasks.end()) return;
    const TaskKind& kind = *task->second.task.kind;
    facts.tasks.push_back({.id = task_id,
                           .name = kind.name,
                           .role = kind.role,
                           .resources = kind.resources,
                           .limits = kind.limits,
                           .launched_at = task->second.task.launched_at});
  };
  const auto own = framework->second.own.find(container.executor_id);
  if (container.own && own != framework->second.own.end()) {
    facts.executor_name = own->second.info->name;
    facts.executor_resources = own->second.info->resources;
    for (const TaskId& task_id : own->second.tasks) add(task_id);
  } else {
    add(container.task_id);
  }
  return facts;
}

std::vector<ContainerFacts> Workload::containers() const {
  std::vector<ContainerFacts> all;
  for (const auto& [id, container] : containers_) {
    if (std::optional<ContainerFacts> facts = facts_of(id)) all.push_back(*std::move(facts));
  }
  return all;
}

}  // namespace tepui
