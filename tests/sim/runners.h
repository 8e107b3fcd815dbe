#pragma once
// Runners knows what the processes of executors were given, said and were told, and compares it
// with what their agents make of it.
//
// Checked: a task is handed to an executor at most once; what an executor was told to be taken is
// durable, or the task is over; what it said is passed on as it said it; while it runs a task,
// nobody else ends that; and its end is told only when it has ended.

#include <map>
#include <set>
#include <utility>

#include "common/ids.h"
#include "common/tasks.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Runners {
 public:
  explicit Runners(World& world) : world_(world) {}

  // ---- the agent's side
  void on_handed_over(const FrameworkId& framework, const TaskId& task);
  // A status was made by the agent of which that executor's container runs, or no longer.
  void on_status(const FrameworkId& framework, const TaskStatus& status, bool runs);
  // That will not be forgotten.
  void on_durable(const FrameworkId& framework, const TaskStatus& status);
  // Nobody hears of its tasks any more.
  void on_framework_gone(const FrameworkId& framework) { gone_.insert(framework); }

  // ---- the process'
  void on_received(const FrameworkId& framework, const ContainerId& in, const TaskId& task);
  void on_said(const FrameworkId& framework, const TaskStatus& status);
  void on_taken(const FrameworkId& framework, const ContainerId& in, const TaskId& task, Uuid uuid);
  void on_ended(const ContainerId& container);  // with all its tasks

 private:
  using TaskKey = std::pair<FrameworkId, TaskId>;

  World& world_;
  std::set<TaskKey> handed_;
  std::map<ContainerId, std::set<TaskKey>> running_;  // what processes have received and not ended
  std::map<Uuid, TaskState> said_;
  std::set<Uuid> durable_;
  std::set<TaskKey> over_;  // durably
  std::set<FrameworkId> gone_;
};

}  // namespace tepui::sim
