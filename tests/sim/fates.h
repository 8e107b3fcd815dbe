#pragma once
// Fates follows every task through the cluster: the statuses its agent made, those its framework
// saw, and the acknowledgements that came back.
//
// Checked: a task is launched at most once; it has one fate, terminal states never change; statuses
// arrive in the order they were made, without gaps; one that is acknowledged was seen; those of
// living agents are all seen in the end. A task that asks for what its agent does not grant never
// runs.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/effects.h"
#include "common/ids.h"
#include "common/resources.h"
#include "common/tasks.h"
#include "tests/sim/groups.h"
#include "tests/sim/runners.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Fates {
 public:
  explicit Fates(World& world) : world_(world), runners_(world), groups_(world) {}

  // What executors do, and what is launched together.
  Runners& runners() { return runners_; }
  Groups& groups() { return groups_; }

  // One agent, as long as it remembers who it is.
  struct AgentLife {
    uint32_t agent = 0;
    uint32_t life = 0;
    auto operator<=>(const AgentLife&) const = default;
  };

  // The framework wrote down that it will launch this task.
  void on_intended(const FrameworkId& framework, const TaskId& task, const Resources& resources);
  // It asks for what no agent grants: its launch must fail.
  void on_not_granted(const FrameworkId& framework, const TaskId& task) {
    not_granted_.insert({framework, task});
  }
  void on_launched(AgentLife on, const Resources& machine, const LaunchSpec& spec);
  // Likewise of an executor of the framework, and of tasks that are handed to one.
  void on_intended(const FrameworkId& framework, const ExecutorId& executor,
                   const Resources& resources);
  void on_executor_launched(AgentLife on, const Resources& machine, const LaunchSpec& spec);
  void on_handed_over(AgentLife on, const Resources& machine, const FrameworkId& framework,
                      const TaskId& task);
  // A container has ended, or never was there.
  void on_container_ended(AgentLife on, const ContainerId& container);
  void on_machine_died(AgentLife on) { executors_[on].clear(); }
  // Its last status was made, and may still be forgotten.
  void on_ended(AgentLife by, const FrameworkId& framework, const TaskId& task);
  // It will not be forgotten; said again for what an earlier process left.
  void on_created(AgentLife by, const FrameworkId& framework, const TaskStatus& status);
  void on_acknowledged(const FrameworkId& framework, const TaskId& task, Uuid uuid);
  void on_seen(const FrameworkId& framework, const TaskStatus& status);
  void on_agent_died(AgentLife life);
  // It is torn down or was given up: nothing is owed to it any more.
  void on_framework_gone(const FrameworkId& framework);
  // A master removed it; the next master may not know that, and take it back. Agents that were told
  // have dropped what they had for it.
  void on_framework_removed(const FrameworkId& framework);

  // Neither gone nor removed: what it runs is not dying for that.
  bool is_living(const FrameworkId& framework) const {
    return !gone_.contains(framework) && !removed_.contains(framework);
  }

  // When all is quiet; empty: nothing.
  std::string what_was_never_seen() const;

 private:
  using TaskKey = std::pair<FrameworkId, TaskId>;
  struct Stream {
    AgentLife by;
    std::vector<Uuid> made;
    size_t seen = 0;  // the first so many were seen
    TaskState last = TaskState::kStaging;
  };

  using ExecutorKey = std::pair<FrameworkId, ExecutorId>;

  void check_machine(AgentLife on, const Resources& machine);

  World& world_;
  Runners runners_;
  Groups groups_;
  std::map<TaskKey, Resources> intended_;
  std::set<TaskKey> not_granted_;
  std::map<TaskKey, ContainerId> launched_;
  std::map<AgentLife, std::set<TaskKey>> live_;  // launched and not terminal, by machine
  std::map<ExecutorKey, Resources> intended_executors_;
  std::map<AgentLife, std::map<ContainerId, ExecutorKey>> executors_;  // that live
  std::map<std::pair<AgentLife, TaskKey>, Stream> streams_;
  std::map<Uuid, std::pair<std::pair<AgentLife, TaskKey>, size_t>> by_uuid_;
  std::map<TaskKey, TaskState> seen_;  // what the framework knows
  std::set<FrameworkId> gone_;
  std::set<FrameworkId> removed_;
  std::set<AgentLife> dead_;
};

}  // namespace tepui::sim
