#pragma once
// Agent is the decision-making of one machine's agent as a deterministic state machine: its
// registration with the master, frameworks, executors, containers and tasks, and the status updates
// that it repeats until they are acknowledged.
//
// Model: framework -> executor -> container {id, parent} -> tasks. A command task is a built-in
// executor, played by this core and the shim, that is charged nothing extra.
//
// Invariants: a task that was accepted has exactly one terminal status in the end; status updates
// of a task leave in order, one unacknowledged at a time; a container is never reused.
//
// A restarted agent is the one that it was: what it must know is durable before anybody acts on it
// (a task before its launch, a status before it is sent, its end before the container is removed),
// and is handed in again by on_recovered(). Reservations and volumes are durable before an
// operation is confirmed, and it registers with the total that they make.
//
// Pure, one thread. `effects` outlives the agent.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/confinement.h"
#include "agent/container_facts.h"
#include "agent/corrections.h"
#include "agent/effects.h"
#include "agent/isolation_settings.h"
#include "agent/recovery.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct AgentTunables {
  Duration registration_backoff = std::chrono::seconds(1);  // first wait is drawn up to this
  Duration registration_backoff_max = std::chrono::minutes(1);
  Duration update_retry_min = std::chrono::seconds(10);
  Duration update_retry_max = std::chrono::minutes(10);
  Duration kill_grace = std::chrono::seconds(3);  // where neither call nor task says more
  IsolationSettings isolation;                    // of containers that are made from now on
  // Custom executors: until they subscribe, and again after a restart of the agent; between the
  // wish that they end and the end of their container; how long they wait for an agent that is
  // away.
  Duration executor_registration_timeout = std::chrono::minutes(1);
  Duration executor_reregistration_timeout = std::chrono::seconds(2);
  Duration executor_shutdown_grace = std::chrono::seconds(5);
  Duration recovery_timeout = std::chrono::minutes(15);
};

struct AgentConfig {
  // The id is empty. The resources are the total: what was configured, with what operations made of
  // it in an earlier life.
  AgentInfo info;
  Resources configured;                    // before operations made something of them
  std::vector<AgentOperation> operations;  // of an earlier life, not acknowledged
  AgentGround ground;
  std::string build;
  std::string principal;
  std::string executor_socket;  // where executors find the agent
  std::string work_dir;         // for MESOS_SANDBOX and MESOS_DIRECTORY; the core opens nothing
  ConfinementSettings confinement;
  AgentTunables tunables;
};

struct AgentTotals {
  uint32_t frameworks = 0;
  uint32_t containers = 0;          // launched and not destroyed
  uint32_t tasks = 0;               // not terminal
  uint32_t updates_pending = 0;     // statuses not acknowledged
  uint32_t operations_pending = 0;  // likewise of operations
  bool registered = false;
};

class Agent {
 public:
  Agent(AgentConfig config, uint64_t seed, AgentEffects& effects);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // What an earlier life remembered, before any other input. Containers are taken up; what was not
  // acknowledged will be said again.
  void on_recovered(Now now, const RecoveredAgent& memory, RecoveryKind kind);

  void on_connected(Now now);  // to a master that may lead; the core says Hello
  void on_disconnected(Now now, std::string_view why);
  void on_message(Now now, const MasterToAgent& message);

  void on_launched(Now now, const ContainerId& id, int64_t pid);
  void on_launch_failed(Now now, const ContainerId& id, const Error& error);
  void on_absent(Now now, const ContainerId& id);
  void on_exit(Now now, const ContainerId& id, const ExitRecord& record);
  void on_destroyed(Now now, const ContainerId& id);
  void on_resize_failed(Now now, const ContainerId& id, const Error& error);
  void on_appended(Now now, uint64_t serial);
  void on_append_failed(Now now, const Error& error);
  // An executor that connected, and what it says; a session is new with its first message.
  void on_executor_message(Now now, SessionId from, const ExecutorToAgent& message);
  void on_executor_lost(Now now, SessionId session);
  // What a probe saw, as CheckStatus::value; nothing: it came to no end.
  void on_probed(Now now, uint64_t number, std::optional<int32_t> value);
  void on_checkpointed(Now now, uint64_t serial);
  void on_checkpoint_failed(Now now, uint64_t serial, const Error& error);

  // The machine has more or less that can be taken away again: replaces all that was revocable of
  // the total. What tasks hold they keep.
  void on_revocable(Now now, const Resources& revocable);
  // What the QoS controller holds against a container from now on, all of it. Only what runs on
  // revocable resources is ever touched; of anything else it is dropped, and said.
  void on_corrected(Now now, const ContainerId& id, const Corrections& corrections);
  // It is in the way of those that paid: it ends with its notice, or at once. `why` is a sentence
  // for its owner.
  void on_preempted(Now now, const ContainerId& id, bool at_once, std::string_view why);
  void on_tunables(Now now, const AgentTunables& tunables);
  void on_time(Now now);
  // The batched part of a turn, after every input: status updates that became due leave together,
  // an end that was waited for is reached, and wake_at says when on_time is due.
  void work(Now now);
  // SIGTERM: exit() as soon as everything that happened is durable. Tasks go on.
  void on_leave(Now now);
  // SIGUSR1: kills everything with its grace, tells the master, forgets who it is, then exit().
  void on_shutdown(Now now);

  const AgentInfo& info() const;
  AgentTotals totals() const;
  // All that are not both terminal and acknowledged, by framework and id.
  std::vector<Task> tasks() const;
  // Of a container that runs a task or an executor; nothing of one that is not here.
  std::optional<ContainerFacts> facts_of(const ContainerId& id) const;
  std::vector<ContainerFacts> containers() const;  // by id
  // The sandbox of a task that is running or ended not long ago, relative to the work directory.
  std::string sandbox_of(const FrameworkId& framework, const TaskId& task) const;
  bool task_ended(const FrameworkId& framework, const TaskId& task) const;
  Result<void> audit() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tepui
