#pragma once
// Workload is everything that an agent runs or has run and must still tell of: frameworks, their
// executors, containers and tasks, and the streams of their status updates.
//
// Invariants: what was accepted fits the agent's resources (agent/total.h), and gets exactly one
// terminal status, after its container's command ended; a task without a container ends at once; a
// container is never reused; a task is forgotten when its terminal status is acknowledged.
//
// Everything that a later life must know is recorded: a task before its container is launched, a
// status before it is sent, and the last status before the container is destroyed, for that takes
// away what the machine knew of its end.
//
// Pure. `config`, `recorder` and `effects` outlive it; config.info.id is set before the first
// launch.

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
#include "agent/container_facts.h"
#include "agent/effects.h"
#include "agent/launch_lane.h"
#include "agent/model.h"
#include "agent/outcome.h"
#include "agent/recorder.h"
#include "agent/recovery.h"
#include "agent/update_streams.h"
#include "common/limits.h"
#include "common/rng.h"

namespace tepui {

class Workload {
 public:
  Workload(const AgentConfig& config, Rng rng, Recorder& recorder, AgentEffects& effects);

  // ---- memory
  // Before anything else.
  void recover(Now now, const RecoveredAgent& memory, RecoveryKind kind);
  void on_appended(Now now);
  // Nothing is left of what was recorded; all containers have ended.
  void forget_all();

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
  void on_launch_group(Now now, const LaunchGroup& message);
  void on_relay_to_executor(Now now, const RelayToExecutor& message);
  void on_stop_executor(Now now, const StopExecutor& message);

  // ---- the machine's
  void on_launched(Now now, const ContainerId& id, int64_t pid);
  void on_launch_failed(Now now, const ContainerId& id, const Error& error);
  // A container to be taken up never was there.
  void on_absent(Now now, const ContainerId& id);
  void on_exit(Now now, const ContainerId& id, const ExitRecord& record);
  void on_destroyed(Now now, const ContainerId& id);
  // Of an executor.
  void on_resize_failed(Now now, const ContainerId& id, const Error& error);
  void on_probed(Now now, uint64_t number, std::optional<int32_t> value);
  void on_executor_message(Now now, SessionId from, const ExecutorToAgent& message);
  void on_executor_lost(SessionId session);

  void on_corrected(const ContainerId& id, const Corrections& corrections);
  void on_preempted(Now now, const ContainerId& id, bool at_once, std::string_view why);

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
  // Of those that run a task or an executor; nothing of one that is not here.
  std::optional<ContainerFacts> facts_of(const ContainerId& id) const;
  std::vector<ContainerFacts> containers() const;  // by id
  // What the master believes to be in use.
  const Resources& charged() const { return charged_; }
  bool quiet() const { return containers_.empty(); }
  std::string sandbox_of(const FrameworkId& framework, const TaskId& task) const;
  bool task_ended(const FrameworkId& framework, const TaskId& task) const;
  Result<void> audit() const;

 private:
  using Key = std::pair<FrameworkId, TaskId>;

  void learn(const std::vector<FrameworkInfo>& frameworks);
  void accept(Now now, const LaunchTasks::Item& item);
  // Where a task belongs.
  struct Seat {
    ExecutorId executor_id;
    ContainerId container_id;  // empty: it is refused
    ContainerId parent;
    std::string group;
    bool custom = false;
  };
  AgentTask& add_task(Now now, AgentFramework& framework, const LaunchTasks::Item& item, Seat seat);
  void charge(AgentTask& task);
  // To tasks of a framework that is not here, or no longer.
  static Outcome not_for(const AgentFramework* framework);
  // Why the task cannot run here; nothing if it can.
  std::optional<Outcome> refusal(const AgentFramework& framework,
                                 const LaunchTasks::Item& item) const;
  void start_launches(Now now);
  void launch_tasks(Now now, LaunchLane& lane);
  void enqueue(const FrameworkId& framework, const AgentTask& task);
  void begin_launch(Now now, AgentFramework& framework, AgentTask& task);
  LaunchSpec spec_of(const AgentFramework& framework, const AgentTask& task) const;
  static bool fetches(const AgentTask& task);
  LaunchLane& lane_of(const AgentTask& task) { return fetches(task) ? fetching_ : plain_; }
  LaunchLane& lane_of(const OwnExecutor& executor);
  LaunchLane& lane_of(const Container& container) { return container.fetches ? fetching_ : plain_; }
  // Puts the task into a container that is being launched or taken up.
  void enter_container(AgentFramework& framework, AgentTask& task);
  void leave_container(AgentFramework& framework, AgentTask& task);
  // Nothing is left of it.
  void forget_container(const ContainerId& id);
  void destroy_remembered();
  void end_remembered();
  void end_container(Now now, Container& container, const Outcome& outcome);

  void request_kill(Now now, AgentFramework& framework, AgentTask& task, KillCause cause,
                    std::optional<Duration> grace);
  // Between the wish to end the task and the end of its container, where `asked` says nothing else.
  Duration grace_of(const AgentTask& task, std::optional<Duration> asked) const;
  static void request_before_launched(Now now, AgentTask& task, KillCause cause, Duration grace);
  void take(const AgentTask& task, Termination::Step step);
  void take_now(const ContainerId& id, Termination::Step step);
  void refresh_deadline(AgentTask& task);

  // ---- executors of frameworks
  struct ExecutorSession {
    FrameworkId framework_id;  // empty: it has not subscribed
    ExecutorId executor_id;
  };
  struct Taken {
    uint64_t serial = 0;
    SessionId session;
    UpdateTaken taken;
  };
  static OwnExecutor* find_executor(AgentFramework& framework, const ExecutorId& id);
  void tell_executor_exited(const FrameworkId& framework, const ExecutorId& executor,
                            const ExitRecord& record);
  void tell_exits();
  std::optional<Outcome> executor_refusal(const AgentFramework& framework,
                                          const ExecutorInfo& executor, bool must_run,
                                          Resources& wanted) const;
  OwnExecutor& take_executor(AgentFramework& framework,
                             const std::shared_ptr<const ExecutorInfo>& info,
                             const std::string& role);
  void hand_over(AgentFramework& framework, OwnExecutor& executor, OwnExecutor::Batch batch);
  void launch_executors(LaunchLane& lane);
  void enter_container(const AgentFramework& framework, OwnExecutor& executor);
  IsolationInput input_of(const AgentFramework& framework, const OwnExecutor& executor) const;
  IsolationInput input_of(const AgentTask& task) const;
  LaunchSpec spec_of(const AgentFramework& framework, const OwnExecutor& executor) const;
  void resize(const AgentFramework& framework, const OwnExecutor& executor);
  // Whether the container is that of an executor; then it is taken care of.
  bool on_executor_launched(Now now, Container& container, int64_t pid);
  bool on_executor_ended(Now now, Container& container, const ExitRecord& record,
                         std::optional<std::string_view> launch_error);
  void end_executor(AgentFramework& framework, const ExecutorId& id, const ExitRecord& record);
  void stop_executor(Now now, AgentFramework& framework, OwnExecutor& executor,
                     std::optional<Duration> grace_max);
  void stop_executors(Now now, AgentFramework& framework, std::optional<Duration> grace_max);
  void set_deadline(OwnExecutor& executor, Instant when);
  void on_executor_due(OwnExecutor& executor);
  void kill_by_executor(Now now, AgentFramework& framework, AgentTask& task, KillCause cause,
                        std::optional<Duration> grace);
  void leave_executor(Now now, AgentFramework& framework, const TaskId& task, const ExecutorId& id,
                      const std::string& group, TaskState state);
  void remember(const AgentFramework& framework, OwnExecutor& executor);
  void recover_executor(AgentFramework& framework, const record::Executor& remembered,
                        RecoveryKind kind);
  void settle_recovered(Now now);
  void settle_groups(Now now, AgentFramework& framework);
  Result<void> audit_own_executors() const;

  std::optional<Outcome> group_refusal(const AgentFramework& framework,
                                       const LaunchGroup& message) const;
  void refuse_group(Now now, AgentFramework& framework, const LaunchGroup& message,
                    const Outcome& outcome);
  void start_group(Now now, AgentFramework& framework, const LaunchGroup& message);
  void kill_group(Now now, AgentFramework& framework, const ExecutorId& id,
                  const std::string& group, const TaskId& but);

  void hear(Now now, SessionId from, const Hello& hello);
  void hear(Now now, SessionId from, const SubscribeExecutor& message);
  void hear(Now now, SessionId from, const UpdateTask& message);
  void hear(Now now, SessionId from, const MessageFramework& message);
  void hear(Now now, SessionId from, const Goodbye& message);
  void refuse_session(SessionId session, std::string_view why);
  void close_session(SessionId session, std::string_view why);
  // The executor of a session, or nothing: then it was closed.
  OwnExecutor* subscribed(SessionId from, std::string_view what);
  void drop_unheard(Now now, AgentFramework& framework, OwnExecutor& executor,
                    const SubscribeExecutor& message);
  void send_queue(AgentFramework& framework, OwnExecutor& executor);
  void send_queues();
  // Whether what removed frameworks still hold leaves room for what is to begin. It comes free
  // within their grace, so that waits; but not for what is revocable where there is less of it by
  // now than tasks were given.
  bool has_room(const Resources& wanted) const;
  Resources held_by_removed() const;
  bool has_room(const AgentFramework& framework, const OwnExecutor::Batch& batch) const;
  void take_update(Now now, SessionId from, TaskStatus status);
  static bool is_for_executors(TaskState state);
  void acknowledge_executors();

  // ---- corrections
  IsolationInput input_of(const Container& container);
  void write_plan(Container& container);
  // What was left by corrections of an earlier life.
  void clear_corrections(Container& container);
  // It hears what it is told only if it runs.
  void let_run(const ContainerId& id);

  // ---- checks
  // `known`: what was told of the task last, in an earlier life of the agent.
  void begin_checks(Now now, AgentTask& task, const TaskStatus* known);
  void end_checks(AgentTask& task);
  void run_checks(Now now, AgentFramework& framework, AgentTask& task);
  void start_probe(const AgentFramework& framework, AgentTask& task, TaskChecks::Kind kind);
  void end_probe(uint64_t& number);
  void apply(Now now, AgentFramework& framework, AgentTask& task, const TaskChecks::Report& report);
  // Whether the container is that of a probe; then it is taken care of.
  bool on_probe_launched(Container& container, int64_t pid);
  bool on_probe_launch_failed(Now now, const ContainerId& id);
  bool on_probe_exit(Now now, Container& container, const ExitRecord& record);

  // A status that is not the last one.
  void publish(Now now, const AgentFramework& framework, AgentTask& task, TaskState state,
               TaskReason reason = TaskReason::kNone);
  // The last status of a task. `task` is gone afterwards if nobody waits for it.
  void finish(Now now, AgentFramework& framework, AgentTask& task, const Outcome& outcome);
  void finish_with(Now now, AgentFramework& framework, AgentTask& task, TaskStatus status);
  void deliver(Now now, const AgentFramework& framework, AgentTask& task, TaskStatus status);
  // The last status of a task that this agent does not have. It is said once, in this session, and
  // needs no acknowledgement: who still believes in the task asks again, whereas a leader that
  // never heard of it may have told the framework another end already.
  void answer_for_stranger(Now now, const FrameworkId& framework, const TaskId& task,
                           const Outcome& outcome);
  TaskStatus make_status(Now now, const TaskId& task, const Outcome& outcome);
  void release(AgentTask& task);

  void recover_task(Now now, AgentFramework& framework, const RecoveredTask& remembered,
                    RecoveryKind kind);
  void remember(AgentFramework& framework);
  void remember(const AgentFramework& framework, AgentTask& task);
  void remember_group(AgentFramework& framework, const std::vector<TaskId>& tasks);
  record::Task record_of(const AgentFramework& framework, AgentTask& task);
  uint64_t remember_acknowledged(AgentTask& task, const TaskStatus& head);
  record::Course course_of(const AgentTask& task) const;
  void forget(AgentFramework& framework);
  uint64_t forget(const AgentTask& task);
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
  Result<void> audit_probes() const;

  const AgentConfig& config_;
  Recorder& recorder_;
  AgentEffects& effects_;
  Rng rng_;
  UpdateStreams streams_;
  std::vector<StatusUpdates::Item> answers_;  // about strangers, for the end of the turn
  struct UntoldExit {
    uint64_t serial = 0;
    ExecutorExited message;
  };
  // Since the session began, while it is not registered or that is not durable.
  std::deque<UntoldExit> untold_exits_;
  bool shutting_down_ = false;
  bool draining_ = false;  // until the last container has ended

  std::map<FrameworkId, AgentFramework> frameworks_;
  std::map<ContainerId, Container> containers_;
  LaunchLane plain_{.launching_max = limits::kLaunchesInFlightMax};
  LaunchLane fetching_{.launching_max = limits::kFetchesInFlightMax};
  bool wait_for_room_ = false;  // tasks of executors
  bool registered_ = false;
  std::map<SessionId, ExecutorSession> sessions_;
  std::deque<Taken> to_acknowledge_;  // to executors, when it is durable
  uint64_t next_number_ = 1;          // among the records
  // Ended containers, and what must be durable before they are destroyed.
  std::deque<std::pair<uint64_t, ContainerId>> to_destroy_;
  // Steps that wait until it is durable why the command ends: a later life that finds it ended by
  // a signal must know that this was asked for.
  std::multimap<uint64_t, std::pair<ContainerId, Termination::Step>> to_end_;
  std::set<std::pair<Instant, ContainerId>> deadlines_;
  std::map<uint64_t, Probe> probes_;  // that are out, by number
  uint64_t next_probe_ = 1;

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
