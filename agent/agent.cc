#include "agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <variant>

#include "agent/operations.h"
#include "agent/registration.h"
#include "agent/workload.h"
#include "common/limits.h"
#include "common/rng.h"

namespace tepui {

namespace {

Registration::Backoff backoff_of(const AgentTunables& tunables) {
  return {.first = tunables.registration_backoff, .max = tunables.registration_backoff_max};
}

struct MessageName {
  std::string_view operator()(const HelloReply&) const { return "hello_reply"; }
  std::string_view operator()(const Registered&) const { return "registered"; }
  std::string_view operator()(const LaunchTasks&) const { return "launch_tasks"; }
  std::string_view operator()(const KillTask&) const { return "kill_task"; }
  std::string_view operator()(const AcknowledgeUpdates&) const { return "acknowledge_updates"; }
  std::string_view operator()(const ShutdownFramework&) const { return "shutdown_framework"; }
  std::string_view operator()(const ReconcileTasks&) const { return "reconcile_tasks"; }
  std::string_view operator()(const Ping&) const { return "ping"; }
  std::string_view operator()(const ShutdownAgent&) const { return "shutdown_agent"; }
  std::string_view operator()(const ErrorMessage&) const { return "error"; }
  std::string_view operator()(const Goodbye&) const { return "goodbye"; }
  std::string_view operator()(const ApplyOperations&) const { return "apply_operations"; }
  std::string_view operator()(const AcknowledgeOperationReports&) const {
    return "acknowledge_operation_reports";
  }
  std::string_view operator()(const DrainAgent&) const { return "drain_agent"; }
};

}  // namespace

struct Agent::State {
  State(AgentConfig configuration, uint64_t seed, AgentEffects& given)
      : config(std::move(configuration)),
        effects(given),
        rng(seed),
        registration(backoff_of(config.tunables), rng.fork()),
        workload(config, rng.fork(), effects),
        operations(config, rng.fork(), effects) {}

  // The agent's way to its end.
  enum class Ending : uint8_t {
    kNo,
    kUnregister,  // on_shutdown: the master hears of it
    kRefused,     // ShutdownAgent: the master wants no more of us
    kDone,        // exit() was called
  };

  // ---- the session
  void lose_master(std::string_view why);
  void reconnect(std::string_view why);
  void register_now();
  void refresh_total();
  // What the master says after an operation may build on it, and waits until that is durable.
  bool must_wait(const MasterToAgent& message) const;
  void hear(Now now, const MasterToAgent& message);
  void on_operations_moved(Now now);
  // Refuses what only a registered agent obeys.
  bool obeys(std::string_view name);

  void on(Now now, const HelloReply& message);
  void on(Now now, const Registered& message);
  void on(Now now, const LaunchTasks& message);
  void on(Now now, const KillTask& message);
  void on(Now now, const AcknowledgeUpdates& message);
  void on(Now now, const ShutdownFramework& message);
  void on(Now now, const ReconcileTasks& message);
  void on(Now now, const ApplyOperations& message);
  void on(Now now, const AcknowledgeOperationReports& message);
  void on(Now now, const Ping& message);
  void on(Now now, const ShutdownAgent& message);
  void on(Now now, const ErrorMessage& message);
  void on(Now now, const Goodbye& message);
  void on(Now now, const DrainAgent& message);

  // ---- the end
  void end_when_quiet(Now now);
  void wake();

  AgentConfig config;
  std::optional<Resources> revocable;  // as on_revocable said last
  AgentEffects& effects;
  Rng rng;
  Registration registration;
  Workload workload;
  AgentOperations operations;
  std::deque<MasterToAgent> held;  // of this session, in order
  bool register_wanted = false;    // as soon as what is under way is durable
  Ending ending = Ending::kNo;
  std::string ending_why;
  Instant give_up_acks = kNever;
  Instant wake_asked = kNever;
};

Agent::Agent(AgentConfig config, uint64_t seed, AgentEffects& effects)
    : state_(std::make_unique<State>(std::move(config), seed, effects)) {}

Agent::~Agent() = default;

// ------------------------------------------------------------------------------ the session

void Agent::on_connected(Now now) {
  State& s = *state_;
  if (s.ending == State::Ending::kRefused || s.ending == State::Ending::kDone) return;
  if (s.registration.connected()) s.lose_master("a new connection took its place");
  s.registration.on_connected(now.mono);
  s.effects.send(Hello{.build = s.config.build,
                       .capabilities = {},
                       .epoch = s.registration.epoch(),
                       .principal = s.config.principal,
                       .mechanism = {},
                       .token = {}});
}

void Agent::on_disconnected(Now /*now*/, std::string_view why) {
  if (state_->registration.connected()) state_->lose_master(why);
}

void Agent::on_message(Now now, const MasterToAgent& message) {
  State& s = *state_;
  const std::string_view name = std::visit(MessageName{}, message);
  if (!s.registration.connected()) {
    s.effects.on_event(event::MessageDropped{.name = name, .why = "no master is connected"});
    return;
  }
  s.effects.on_event(event::MessageReceived{.name = name});
  if (!s.must_wait(message)) return s.hear(now, message);
  s.held.push_back(message);
  if (s.held.size() > limits::kMessagesHeldMax) s.reconnect("the disk does not keep up");
}

bool Agent::State::must_wait(const MasterToAgent& message) const {
  if (!operations.busy() && held.empty()) return false;
  return std::holds_alternative<LaunchTasks>(message) ||
         std::holds_alternative<KillTask>(message) ||
         std::holds_alternative<ShutdownFramework>(message) ||
         std::holds_alternative<ReconcileTasks>(message) ||
         std::holds_alternative<ApplyOperations>(message);
}

void Agent::State::hear(Now now, const MasterToAgent& message) {
  std::visit([this, now](const auto& body) { on(now, body); }, message);
}

void Agent::State::refresh_total() {
  config.info.resources = operations.total();
  if (revocable) config.info.resources = config.info.resources.non_revocable() + *revocable;
}

// A durable step has ended.
void Agent::State::on_operations_moved(Now now) {
  refresh_total();
  if (operations.take_must_register() && registration.connected()) {
    return reconnect("an operation could not be applied: the master must hear what there is");
  }
  while (!operations.busy() && !held.empty()) {
    const MasterToAgent message = std::move(held.front());
    held.pop_front();
    hear(now, message);
  }
  const bool is_asked = std::exchange(register_wanted, false);
  if (is_asked && registration.state() == Registration::State::kRegistering) register_now();
}

void Agent::State::lose_master(std::string_view why) {
  registration.on_disconnected();
  workload.on_session_over();
  operations.on_session_over();
  held.clear();
  register_wanted = false;
  effects.on_event(event::MasterLost{.why = why});
}

void Agent::State::reconnect(std::string_view why) {
  lose_master(why);
  effects.reconnect(why);
}

void Agent::State::register_now() {
  if (operations.busy()) {
    register_wanted = true;
    return;
  }
  if (config.info.id.empty()) {
    RegisterAgent message{.info = config.info, .operations = {}};
    operations.describe(message.operations);
    effects.send(std::move(message));
    return;
  }
  ReregisterAgent message{.info = config.info, .frameworks = {}, .tasks = {}, .operations = {}};
  operations.describe(message.operations);
  workload.describe(message);
  effects.send(std::move(message));
}

bool Agent::State::obeys(std::string_view name) {
  if (registration.registered()) return true;
  effects.on_event(event::MessageDropped{.name = name, .why = "the agent is not registered"});
  return false;
}

void Agent::State::on(Now now, const HelloReply& message) {
  const Result<void> greeted = registration.on_greeted(now.mono, message);
  if (!greeted) reconnect(greeted.error().message);
}

void Agent::State::on(Now now, const Registered& message) {
  if (registration.state() == Registration::State::kGreeting) {
    return reconnect("the master registered us before it greeted us");
  }
  const bool repeated = registration.registered();
  const Result<void> registered = registration.on_registered(now.mono, config.info.id, message);
  if (!registered) return reconnect(registered.error().message);
  if (repeated) return;  // the answer to a request that we repeated
  config.info.id = message.agent_id;
  effects.on_event(event::AgentRegistered{
      .id = &config.info.id, .epoch = registration.epoch(), .reregistered = message.reregistered});
  // It may have changed since the request left.
  if (revocable) effects.send(UpdateAgent{.revocable = *revocable});
  workload.on_registered(now);
  operations.on_registered(now);
}

void Agent::State::on(Now now, const LaunchTasks& message) {
  if (obeys("launch_tasks")) workload.on_launch_tasks(now, message);
}

void Agent::State::on(Now now, const KillTask& message) {
  if (obeys("kill_task")) workload.on_kill_task(now, message);
}

void Agent::State::on(Now now, const AcknowledgeUpdates& message) {
  // Right also while we register again: the uuid says which status is meant.
  workload.on_acknowledge(now, message);
}

void Agent::State::on(Now now, const ShutdownFramework& message) {
  if (obeys("shutdown_framework")) workload.on_shutdown_framework(now, message);
}

void Agent::State::on(Now now, const ReconcileTasks& message) {
  if (obeys("reconcile_tasks")) workload.on_reconcile(now, message);
}

void Agent::State::on(Now /*now*/, const ApplyOperations& message) {
  if (obeys("apply_operations")) operations.on_apply(message, workload.charged().non_revocable());
}

void Agent::State::on(Now /*now*/, const AcknowledgeOperationReports& message) {
  operations.on_acknowledged(message);
}

void Agent::State::on(Now now, const Ping& message) {
  const bool was_registered = registration.registered();
  registration.on_ping(now.mono, message.connected);
  effects.send(Pong{});
  if (!was_registered || registration.registered()) return;
  workload.on_unregistered();
  operations.on_unregistered();
}

void Agent::State::on(Now now, const ShutdownAgent& message) {
  if (ending == Ending::kDone) return;
  ending = Ending::kRefused;
  ending_why = message.message.empty() ? "the master told the agent to shut down"
                                       : "the master shut the agent down: " + message.message;
  lose_master(ending_why);
  workload.shut_down(now, std::nullopt);
}

void Agent::State::on(Now /*now*/, const ErrorMessage& message) {
  reconnect("the master ended the session: " + message.message);
}

void Agent::State::on(Now /*now*/, const Goodbye& message) {
  reconnect("the master said goodbye: " + message.why);
}

void Agent::State::on(Now now, const DrainAgent& message) {
  if (obeys("drain_agent")) workload.on_drain(now, message);
}

// ------------------------------------------------------------------------------ the machine

void Agent::on_launched(Now now, const ContainerId& id, int64_t pid) {
  state_->workload.on_launched(now, id, pid);
}

void Agent::on_launch_failed(Now now, const ContainerId& id, const Error& error) {
  state_->workload.on_launch_failed(now, id, error);
}

void Agent::on_exit(Now now, const ContainerId& id, const ExitRecord& record) {
  state_->workload.on_exit(now, id, record);
}

void Agent::on_destroyed(Now now, const ContainerId& id) { state_->workload.on_destroyed(now, id); }

void Agent::on_checkpointed(Now now, uint64_t serial) {
  state_->operations.on_checkpointed(now, serial);
  state_->on_operations_moved(now);
}

void Agent::on_checkpoint_failed(Now now, uint64_t serial, const Error& error) {
  state_->operations.on_checkpoint_failed(now, serial, error);
  state_->on_operations_moved(now);
}

// -------------------------------------------------------------------------- clock and end

void Agent::on_revocable(Now /*now*/, const Resources& revocable) {
  State& s = *state_;
  CHECK(revocable.non_revocable().empty());
  s.revocable = revocable;
  s.refresh_total();
  if (s.registration.registered()) s.effects.send(UpdateAgent{.revocable = revocable});
}

void Agent::on_tunables(Now /*now*/, const AgentTunables& tunables) {
  state_->config.tunables = tunables;
  state_->registration.set_backoff(backoff_of(tunables));
  state_->workload.on_tunables();
}

void Agent::on_time(Now now) {
  State& s = *state_;
  s.wake_asked = kNever;
  switch (s.registration.on_time(now.mono)) {
    case Registration::Step::kNone:
      break;
    case Registration::Step::kRegister:
      s.register_now();
      break;
    case Registration::Step::kReconnect:
      s.reconnect(s.registration.reason());
      break;
  }
  s.workload.on_time(now);
}

void Agent::work(Now now) {
  State& s = *state_;
  if (s.ending == State::Ending::kDone) return;
  s.workload.send_due(now);
  s.operations.send_due(now);
  s.end_when_quiet(now);
  s.wake();
}

void Agent::on_shutdown(Now now) {
  State& s = *state_;
  if (s.ending == State::Ending::kDone) return;
  if (s.ending != State::Ending::kNo) {
    // Asked twice: whoever asks has no patience for grace.
    s.workload.shut_down(now, Duration::zero());
    return;
  }
  s.ending = State::Ending::kUnregister;
  s.ending_why = "the agent was told to stop";
  s.workload.shut_down(now, std::nullopt);
}

void Agent::State::end_when_quiet(Now now) {
  if (ending == Ending::kNo || !workload.quiet()) return;
  if (ending == Ending::kUnregister && registration.registered()) {
    if (give_up_acks == kNever) give_up_acks = later(now.mono, limits::kShutdownAckWait);
    if (workload.totals().updates_pending > 0 && now.mono < give_up_acks) return;
    effects.send(UnregisterAgent{});
  }
  ending = Ending::kDone;
  effects.exit(ending_why);
}

void Agent::State::wake() {
  if (ending == Ending::kDone) return;
  const Instant next = std::min(
      {registration.next_wake(), workload.next_wake(), operations.next_wake(), give_up_acks});
  if (next == wake_asked) return;
  wake_asked = next;
  if (next != kNever) effects.wake_at(next);
}

// -------------------------------------------------------------------------------- questions

const AgentInfo& Agent::info() const { return state_->config.info; }

AgentTotals Agent::totals() const {
  AgentTotals totals = state_->workload.totals();
  totals.registered = state_->registration.registered();
  totals.operations_pending = static_cast<uint32_t>(state_->operations.pending());
  return totals;
}

std::vector<Task> Agent::tasks() const { return state_->workload.tasks(); }

std::string Agent::sandbox_of(const FrameworkId& framework, const TaskId& task) const {
  return state_->workload.sandbox_of(framework, task);
}

bool Agent::task_ended(const FrameworkId& framework, const TaskId& task) const {
  return state_->workload.task_ended(framework, task);
}

Result<void> Agent::audit() const {
  Result<void> result = state_->workload.audit();
  if (result) result = state_->operations.audit();
  if (!result) return fail(std::move(result).error().in("agent").message);
  return {};
}

}  // namespace tepui
