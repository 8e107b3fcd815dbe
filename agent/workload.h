#pragma once
// Workload is everything that an agent runs or has run and must still tell of: frameworks, their
// executors, containers and tasks, and the streams of their status updates.
//
// Invariants: what was accepted fits the agent's resources (agent/total.h), and gets exactly one
// terminal status, after its container's command ended; a task without a container ends at once; a
// container is never reused; a task is forgotten when its terminal status is acknowledged.
//
// Pure. `config` and `effects` outlive it; config.info.id is set before the first launch.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/effects.h"
#include "agent/model.h"
#include "agent/outcome.h"
#include "agent/update_streams.h"
#include "common/rng.h"

namespace tepui {

class Workload {
 public:
  Workload(const AgentConfig& config, Rng rng, AgentEffects& effects);

  // ---- the master's conversation
  void on_registered(Now now);  // updates flow
  void on_unregistered();       // updates wait
  void on_session_over();       // the next session names its frameworks anew
  void describe(ReregisterAgent& message) const;
  void on_launch_tasks(Now now, const LaunchTasks& message);
  void on_kill_task(Now now, const KillTask& message);
  void on_acknowledge(Now now, const AcknowledgeUpdates& message);
  void on_shutdown_framework(Now now, const ShutdownFramework& message);
  void on_reconcile(Now now, const ReconcileTasks& message);
  // Everything is killed; what comes meanwhile is dropped.
  void on_drain(Now now, const DrainAgent& message);

  // ---- the machine's
  void on_launched(Now now, const ContainerId& id, int64_t pid);
  void on_launch_failed(Now now, const ContainerId& id, const Error& error);
  void on_exit(Now now, const ContainerId& id, const ExitRecord& record);
  void on_destroyed(Now now, const ContainerId& id);

  void on_tunables();
  void on_time(Now now);
  // Sends the status updates that are due.
  void send_due(Now now);
  // The agent ends: nothing more is accepted, and everything is killed. A `grace` of its own
  // replaces that of the tasks.
  void shut_down(Now now, std::optional<Duration> grace);

  Instant next_wake() const;  // updates included
  AgentTotals totals() const;
  std::vector<Task> tasks() const;
  // What the master believes to be in use.
  const Resources& charged() const { return charged_; }
  bool quiet() const { return containers_.empty(); }
  std::string sandbox_of(const FrameworkId& framework, const TaskId& task) const;
  bool task_ended(const FrameworkId& framework, const TaskId& task) const;
  Result<void> audit() const;

 private:
  using Key = std::pair<FrameworkId, TaskId>;

  void accept(Now now, const LaunchTasks::Item& item);
  // Why the task cannot run here; nothing if it can.
  std::optional<Outcome> refusal(const AgentFramework& framework,
                                 const LaunchTasks::Item& item) const;
  void start_launches(Now now);
  void begin_launch(Now now, AgentFramework& framework, AgentTask& task);
  void end_container(Now now, Container& container, const Outcome& outcome);

  void request_kill(Now now, AgentFramework& framework, AgentTask& task, KillCause cause,
                    std::optional<Duration> grace);
  void take(const AgentTask& task, Termination::Step step);
  void refresh_deadline(AgentTask& task);

  // A status that is not the last one.
  void publish(Now now, const AgentFramework& framework, AgentTask& task, TaskState state);
  // The last status of a task. `task` is gone afterwards if nobody waits for it.
  void finish(Now now, AgentFramework& framework, AgentTask& task, const Outcome& outcome);
  void deliver(Now now, const AgentFramework& framework, AgentTask& task, TaskStatus status);
  // The last status of a task that this agent does not have. It is said once, in this session, and
  // needs no acknowledgement: who still believes in the task asks again, whereas a leader that
  // never heard of it may have told the framework another end already.
  void answer_for_stranger(Now now, const FrameworkId& framework, const TaskId& task,
                           const Outcome& outcome);
  TaskStatus make_status(Now now, const TaskId& task, const Outcome& outcome);
  void release(AgentTask& task);
  void remember_sandbox(const Key& key, std::string sandbox);
  void forget_if_done(const FrameworkId& id);
  void drop(std::string_view message, std::string_view why);
  Uuid make_uuid();

  AgentFramework* find_framework(const FrameworkId& id);
  AgentTask* find_task(const FrameworkId& framework, const TaskId& task);
  const AgentTask* find_task(const FrameworkId& framework, const TaskId& task) const;
  // The container's task, unless that has ended.
  AgentTask* task_of(const Container& container);

  Result<void> audit_tasks() const;
  Result<void> audit_executors() const;
  Result<void> audit_containers() const;

  const AgentConfig& config_;
  AgentEffects& effects_;
  Rng rng_;
  UpdateStreams streams_;
  std::vector<StatusUpdates::Item> answers_;  // about strangers, for the end of the turn
  bool shutting_down_ = false;
  bool draining_ = false;  // until the last container has ended

  std::map<FrameworkId, AgentFramework> frameworks_;
  std::map<ContainerId, Container> containers_;
  std::deque<Key> queue_;  // tasks to launch, oldest first; entries of tasks that ended are skipped
  uint32_t launching_ = 0;
  std::set<std::pair<Instant, ContainerId>> deadlines_;

  // Of the tasks that are charged: what the master believes to be in use. And of the containers:
  // more than that while a framework that the master has forgotten is still being killed.
  Resources charged_;
  Resources held_;

  struct Ended {
    uint64_t serial = 0;
    std::string sandbox;
  };
  uint64_t ended_serial_ = 0;
  std::map<Key, Ended> ended_;
  std::deque<std::pair<uint64_t, Key>> ended_order_;
};

}  // namespace tepui
