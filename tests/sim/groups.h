#pragma once
// Groups checks the tasks that frameworks launch together: an agent takes all of a group or none,
// and when one of them does not finish it ends the others, also across its own deaths.

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/records.h"
#include "agent/recovery.h"
#include "common/ids.h"
#include "common/tasks.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Groups {
 public:
  explicit Groups(World& world) : world_(world) {}

  void on_intended(const FrameworkId& framework, const std::vector<TaskId>& tasks);

  // ---- what agent `by` does. A new process begins with what the one before remembered.
  void on_started(uint32_t by, const RecoveredAgent& memory);
  void on_record(uint32_t by, const AgentRecord& record);
  void on_launched(uint32_t by, const FrameworkId& framework, const TaskId& task);
  void on_handed_over(uint32_t by, const FrameworkId& framework, const TaskId& task);
  void on_status(uint32_t by, const FrameworkId& framework, const TaskStatus& status);
  // A status is durable; what it says need not be remembered once it was acknowledged.
  void on_durable(const FrameworkId& framework, const TaskStatus& status);
  // At the end of every input of the agent.
  void check(uint32_t by);

 private:
  using TaskKey = std::pair<FrameworkId, TaskId>;
  // As far as one process of an agent knows.
  struct Side {
    std::map<uint64_t, TaskKey> names;  // of the numbers in its records
    std::set<TaskKey> taken;
    std::set<TaskKey> refused;
    std::set<TaskKey> handed;  // to an executor of the framework
    std::set<TaskKey> told;    // to end
    std::set<TaskKey> ended;
    std::set<FrameworkId> removed;  // all that is theirs is to end
    std::set<uint64_t> due;         // groups of which one did not finish, to be checked
  };

  uint64_t group_of(const TaskKey& task) const;  // 0: of none
  void take(Side& side, const record::Task& task);
  void end(Side& side, const TaskKey& task, TaskState state);
  void check_ending(const Side& side, uint64_t group);

  World& world_;
  std::map<TaskKey, uint64_t> group_of_;
  std::map<uint64_t, std::vector<TaskKey>> members_;
  std::map<uint32_t, Side> sides_;
  std::set<TaskKey> over_;  // durably
};

}  // namespace tepui::sim
