#pragma once
// Launches follows the containers of one agent from the wish to launch them to what is said of
// their tasks.
//
// Checked: a container is launched and looked for again exactly as it was remembered, so that a
// next life finds it; no more launches are under way than there may be; one that nobody wants any
// more is cancelled; RUNNING is said of what runs; a task whose launch failed is said to have
// failed for that reason and no other is, unless it was to end already; checks look at what runs,
// from inside; an executor is handed no task before its container was made large enough, and does
// not go on where that was not possible.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/effects.h"
#include "agent/records.h"
#include "agent/recovery.h"
#include "common/executor_messages.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Launches {
 public:
  Launches(World& world, NodeId node) : world_(world), node_(node) {}

  // A new process, with what it remembers.
  void on_started(const RecoveredAgent& memory);
  void on_record(const AgentRecord& record);

  // ---- what it does
  void on_launch(const LaunchSpec& spec);
  // The command of a check of a task.
  void on_look(const LaunchSpec& spec);
  void on_adopt(const LaunchSpec& spec);
  void on_cancel(const ContainerId& id);
  void on_kill(const ContainerId& id);
  void on_resize(const ContainerId& id, const IsolationPlan& plan);
  void on_handed_over(const ContainerId& id, const RunTasks& message);
  void on_told_to_end(const ContainerId& id);
  void on_status(const FrameworkId& framework, const TaskStatus& status);

  // ---- what it hears, before it does
  void on_subscribed(const ContainerId& id);
  void on_launched(const ContainerId& id);
  void on_launch_failed(const ContainerId& id, const Error& error);
  void on_absent(const ContainerId& id);
  void on_exit(const ContainerId& id);
  void on_resize_failed(const ContainerId& id);

  // At the end of every input of the agent.
  void check();

 private:
  // What was remembered of the task, or the executor, that a container is for.
  struct Known {
    FrameworkId framework;
    ContainerId parent;
    std::string sandbox;    // empty: of an executor
    int64_t mem_milli = 0;  // of an executor
    bool to_end = false;
    bool to_end_at_launch = false;
    bool ran = false;  // as was said of it
  };
  enum class Outcome : uint8_t { kNone, kLaunched, kFailed, kAbsent, kEnded };
  // In this process.
  struct Launch {
    Outcome outcome = Outcome::kNone;
    bool adopted = false;
    bool cancelled = false;
    bool subscribed = false;                 // it was quicker than who tells that it runs
    bool ends = false;                       // it was killed or told to end
    bool is_too_small = false;               // or too large
    std::string error;                       // of its failure
    int64_t memory_bytes = 0;                // that its container may have, as was last asked
    std::map<TaskId, int64_t> handed_milli;  // of an executor: memory of tasks it was given
  };

  void learn(const record::Task& task);
  void learn(const RecoveredTask& task);
  void expect_as_remembered(const LaunchSpec& spec);
  // Null: it is none that is followed.
  Launch* settle(const ContainerId& id, Outcome outcome);
  void check_status(const TaskStatus& status, const Known& known, const Launch* launch);
  void violated(const ContainerId& id, std::string_view what);

  World& world_;
  const NodeId node_;
  std::map<uint64_t, FrameworkId> frameworks_;  // by the numbers in its memory
  std::map<uint64_t, ContainerId> tasks_;       // likewise
  std::set<FrameworkId> removed_;
  std::map<ContainerId, Known> known_;
  std::map<ContainerId, Launch> launches_;
  std::set<ContainerId> under_way_;  // launches without an outcome
  std::vector<ContainerId> due_;     // to be checked at the end of the input
};

}  // namespace tepui::sim
