#include "sdk/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <variant>

#include "common/limits.h"
#include "common/rng.h"

namespace tepui {

struct Executor::State {
  enum class Phase : uint8_t { kDisconnected, kGreeting, kSubscribing, kSubscribed };
  // What the deadline means.
  enum class Ending : uint8_t {
    kNo,        // the agent has to come back by then, if it is away
    kShutdown,  // the tasks have to be dead by then
    kFarewell,  // the last updates have to be taken by then
    kDone,
  };

  State(Executor& owner, ExecutorOptions given, uint64_t seed, ExecutorHandler& its_handler,
        ExecutorEffects& its_effects)
      : executor(owner),
        options(std::move(given)),
        rng(seed),
        handler(its_handler),
        effects(its_effects) {}

  void on(const HelloReply& reply);
  void on(const ExecutorSubscribed& message);
  void on(const RunTasks& message);
  void on(const StopTask& message);
  void on(const UpdateTaken& message);
  void on(const FrameworkMessage& message);
  void on(const EndExecutor& message);
  void on(const ErrorMessage& message);
  void on(const Goodbye& message);

  bool expect(Phase wanted, std::string_view name);
  void lose(std::string_view why);
  void lose_and_reconnect(std::string_view why);
  void shut_down(std::string_view why);
  void finish(std::string_view why);
  void set_deadline(Instant when);

  Executor& executor;
  const ExecutorOptions options;
  Rng rng;
  ExecutorHandler& handler;
  ExecutorEffects& effects;

  Phase phase = Phase::kDisconnected;
  Ending ending = Ending::kNo;
  Now now{};
  Instant deadline = kNever;
  std::deque<TaskStatus> updates;  // that the agent has not taken
  std::set<TaskId> tasks;          // received, and no update of them was taken
};

void Executor::State::set_deadline(Instant when) {
  deadline = when;
  if (when != kNever) effects.wake_at(when);
}

bool Executor::State::expect(Phase wanted, std::string_view name) {
  effects.on_event(event::MessageReceived{.name = name});
  if (phase == wanted) return true;
  effects.on_event(event::MessageDropped{.name = name, .why = "out of turn"});
  return false;
}

void Executor::State::on(const HelloReply& reply) {
  if (!expect(Phase::kGreeting, "hello_reply")) return;
  if (reply.protocol < kProtocolMin || reply.protocol > kProtocolMax) {
    return lose_and_reconnect(reply.error.empty()
                                  ? fmt::format("the agent speaks protocol {}, expected {} to {}",
                                                reply.protocol, kProtocolMin, kProtocolMax)
                                  : fmt::format("the agent refused: {}", reply.error));
  }
  phase = Phase::kSubscribing;
  effects.send(SubscribeExecutor{.framework_id = options.framework_id,
                                 .executor_id = options.executor_id,
                                 .container_id = options.container_id,
                                 .updates = {updates.begin(), updates.end()},
                                 .tasks = {tasks.begin(), tasks.end()}});
}

void Executor::State::on(const ExecutorSubscribed& message) {
  if (!expect(Phase::kSubscribing, "subscribed")) return;
  phase = Phase::kSubscribed;
  if (ending == Ending::kNo) set_deadline(kNever);
  handler.on_subscribed(executor, message);
}

void Executor::State::on(const RunTasks& message) {
  if (!expect(Phase::kSubscribed, "run_tasks")) return;
  for (const TaskInfo& task : message.tasks) tasks.insert(task.id);
  if (message.group) return handler.on_launch_group(executor, message.tasks);
  for (const TaskInfo& task : message.tasks) handler.on_launch(executor, task);
}

void Executor::State::on(const StopTask& message) {
  if (!expect(Phase::kSubscribed, "stop_task")) return;
  handler.on_kill(executor, message.task_id, message.kill_policy);
}

void Executor::State::on(const UpdateTaken& message) {
  if (!expect(Phase::kSubscribed, "update_taken")) return;
  std::erase_if(updates,
                [&message](const TaskStatus& status) { return status.uuid == message.uuid; });
  tasks.erase(message.task_id);
  if (ending == Ending::kFarewell && updates.empty()) finish("all is told");
}

void Executor::State::on(const FrameworkMessage& message) {
  if (expect(Phase::kSubscribed, "framework_message")) handler.on_message(executor, message.data);
}

void Executor::State::on(const EndExecutor&) {
  if (expect(Phase::kSubscribed, "end_executor")) shut_down("the agent asked for it");
}

// Nothing that this executor could do would change the agent's mind.
void Executor::State::on(const ErrorMessage& message) {
  effects.on_event(event::MessageReceived{.name = "error"});
  lose(message.message);
  shut_down(fmt::format("the agent refused this executor: {}", message.message));
}

void Executor::State::on(const Goodbye& message) {
  effects.on_event(event::MessageReceived{.name = "goodbye"});
  lose_and_reconnect(fmt::format("the agent ended the session: {}", message.why));
}

void Executor::State::lose(std::string_view why) {
  const bool was_subscribed = phase == Phase::kSubscribed;
  phase = Phase::kDisconnected;
  if (!was_subscribed) return;
  handler.on_disconnected(executor, why);
  if (ending != Ending::kNo) return;
  if (!options.checkpoint) return shut_down("the agent is gone, and nothing is checkpointed");
  set_deadline(later(now.mono, options.recovery_timeout));
}

void Executor::State::lose_and_reconnect(std::string_view why) {
  lose(why);
  if (ending != Ending::kDone) effects.reconnect(why);
}

void Executor::State::shut_down(std::string_view why) {
  if (ending != Ending::kNo) return;
  ending = Ending::kShutdown;
  set_deadline(later(now.mono, options.shutdown_grace));
  handler.on_shutdown(executor, why);
}

void Executor::State::finish(std::string_view why) {
  if (ending == Ending::kDone) return;
  ending = Ending::kDone;
  set_deadline(kNever);
  effects.exit(why);
}

Executor::Executor(ExecutorOptions options, uint64_t seed, ExecutorHandler& handler,
                   ExecutorEffects& effects)
    : state_(std::make_unique<State>(*this, std::move(options), seed, handler, effects)) {}

Executor::~Executor() = default;

// --------------------------------------------------------------------------------------- calls

bool Executor::update(TaskStatus status) {
  State& s = *state_;
  if (s.updates.size() >= limits::kExecutorUpdatesMax) {
    s.effects.on_event(
        event::MessageDropped{.name = "update", .why = "too many wait for the agent already"});
    return false;
  }
  // Never nil: that would not be acknowledged.
  status.uuid = {.high = s.rng.next(), .low = s.rng.next() | 1};
  status.source = TaskSource::kExecutor;
  status.executor_id = s.options.executor_id;
  status.timestamp = s.now.wall;
  if (s.phase == State::Phase::kSubscribed) s.effects.send(UpdateTask{.status = status});
  s.updates.push_back(std::move(status));
  return true;
}

void Executor::send_message(std::string data) {
  State& s = *state_;
  if (s.phase == State::Phase::kSubscribed && data.size() <= limits::kMessageDataBytesMax) {
    s.effects.send(MessageFramework{.data = std::move(data)});
    return;
  }
  s.effects.on_event(
      event::MessageDropped{.name = "message", .why = "no agent takes it, or it is too long"});
}

void Executor::end() {
  State& s = *state_;
  if (s.ending == State::Ending::kFarewell || s.ending == State::Ending::kDone) return;
  if (s.updates.empty()) return s.finish("all is told");
  // Who shuts down has no more time than the grace period.
  const Instant enough = later(s.now.mono, limits::kExecutorFarewell);
  const bool is_shutdown = s.ending == State::Ending::kShutdown;
  s.ending = State::Ending::kFarewell;
  s.set_deadline(is_shutdown ? std::min(s.deadline, enough) : enough);
}

bool Executor::subscribed() const { return state_->phase == State::Phase::kSubscribed; }
size_t Executor::updates_pending() const { return state_->updates.size(); }

// -------------------------------------------------------------------------------------- inputs

void Executor::on_connected(Now now) {
  State& s = *state_;
  s.now = now;
  if (s.ending == State::Ending::kDone) return;
  s.lose("connected again");
  s.phase = State::Phase::kGreeting;
  s.effects.send(Hello{
      .build = s.options.build, .capabilities = {}, .principal = {}, .mechanism = {}, .token = {}});
}

void Executor::on_lost(Now now, std::string_view why) {
  State& s = *state_;
  s.now = now;
  s.lose(why);
  // It never had an agent at all: as if it had lost one.
  if (s.ending == State::Ending::kNo && s.deadline == kNever) {
    s.set_deadline(later(now.mono, s.options.recovery_timeout));
  }
}

void Executor::on_message(Now now, const AgentToExecutor& message) {
  State& s = *state_;
  s.now = now;
  if (s.ending == State::Ending::kDone || s.phase == State::Phase::kDisconnected) {
    s.effects.on_event(event::MessageDropped{.name = "message", .why = "no session"});
    return;
  }
  std::visit([&s](const auto& one) { s.on(one); }, message);
}

void Executor::on_time(Now now) {
  State& s = *state_;
  s.now = now;
  if (now.mono < s.deadline) {
    if (s.deadline != kNever) s.effects.wake_at(s.deadline);
    return;
  }
  s.deadline = kNever;
  switch (s.ending) {
    case State::Ending::kNo:
      return s.shut_down("the agent did not come back within the recovery timeout");
    case State::Ending::kShutdown:
      return s.finish("the grace period is over");
    case State::Ending::kFarewell:
      return s.finish("the agent did not take the last updates");
    case State::Ending::kDone:
      return;
  }
}

void Executor::on_terminated(Now now) {
  state_->now = now;
  state_->shut_down("it was told to terminate");
}

}  // namespace tepui
