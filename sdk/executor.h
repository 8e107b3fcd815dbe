#pragma once
// Executor is the author's side of the conversation of a custom executor with its agent, as a
// deterministic state machine: Hello, subscribe and re-subscribe, tasks and updates that the agent
// has not taken yet. sdk/executor_driver.h runs it over a socket.
//
// An author writes an ExecutorHandler and calls the methods of Executor from it, or from any other
// code on the same thread.
//
// Invariants: an update is kept, and told again to an agent that was restarted, until the agent has
// taken it; updates of a task leave in order. An executor whose agent does not come back within the
// recovery timeout kills its tasks and ends, and so does one without checkpointing that loses its
// agent at all.
//
// Pure, one thread. `handler` and `effects` outlive the executor.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/events.h"
#include "common/messages.h"
#include "common/time.h"

namespace tepui {

class Executor;

class ExecutorHandler {
 public:
  virtual ~ExecutorHandler() = default;
  // Also again, after the agent was restarted.
  virtual void on_subscribed(Executor&, const ExecutorSubscribed&) {}
  virtual void on_launch(Executor& executor, const TaskInfo& task) = 0;
  // All of them or none: where one cannot be started, the others are not either.
  virtual void on_launch_group(Executor& executor, std::span<const TaskInfo> tasks) {
    for (const TaskInfo& task : tasks) on_launch(executor, task);
  }
  virtual void on_kill(Executor& executor, const TaskId& task,
                       const std::optional<KillPolicy>& policy) = 0;
  // What the framework had to say. Delivered at most once.
  virtual void on_message(Executor&, std::string_view) {}
  // The executor subscribes again by itself, as long as the recovery timeout allows.
  virtual void on_disconnected(Executor&, std::string_view) {}
  // Kill all tasks, tell their ends, and call end(). After the grace period it is over anyway.
  virtual void on_shutdown(Executor& executor, std::string_view why) = 0;
};

class ExecutorEffects : public EventSink {
 public:
  virtual void send(const ExecutorToAgent& message) = 0;  // may be lost
  // Drops the connection and connects again (with back-off).
  virtual void reconnect(std::string_view why) = 0;
  virtual void wake_at(Instant when) = 0;
  virtual void exit(std::string_view why) = 0;
};

struct ExecutorOptions {
  FrameworkId framework_id;
  ExecutorId executor_id;
  ContainerId container_id;
  std::string build;
  bool checkpoint = true;
  Duration recovery_timeout = std::chrono::minutes(15);
  Duration shutdown_grace = std::chrono::seconds(5);
};

class Executor {
 public:
  Executor(ExecutorOptions options, uint64_t seed, ExecutorHandler& handler,
           ExecutorEffects& effects);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // ---- for the executor's author
  // State, and what else there is to say: message, exit status, health, data. The rest is filled
  // in. False: too many updates wait for the agent, this one is lost.
  bool update(TaskStatus status);
  // To the framework. Delivered at most once; dropped while there is no agent.
  void send_message(std::string data);
  // Nothing more will be said: exits when the agent has taken every update, or after a while.
  void end();
  bool subscribed() const;
  size_t updates_pending() const;

  // ---- inputs
  void on_connected(Now now);
  void on_lost(Now now, std::string_view why);
  void on_message(Now now, const AgentToExecutor& message);
  void on_time(Now now);
  // The program was asked to end (SIGTERM): as if the agent had said so.
  void on_terminated(Now now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tepui
