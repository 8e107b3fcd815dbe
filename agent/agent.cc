#include "agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "agent/agent_state.h"
#include "agent/message_name.h"
#include "common/fingerprint.h"
#include "common/limits.h"

namespace tepui {

namespace {

ReregisterCompactly in_short(ReregisterAgent message) {
  ReregisterCompactly result{.id = message.info.id,
                             .info_hash = fingerprint(message.info),
                             .tasks = std::move(message.tasks),
                             .operations = std::move(message.operations),
                             .executors = std::move(message.executors)};
  for (const FrameworkInfo& info : message.frameworks) result.frameworks.push_back(info.id);
  result.framework_infos = std::move(message.frameworks);
  return result;
}

}  // namespace

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
         std::holds_alternative<LaunchGroup>(message) ||
         std::holds_alternative<RelayToExecutor>(message) ||
         std::holds_alternative<StopExecutor>(message) ||
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
  register_if_wanted();
}

void Agent::State::register_if_wanted() {
  if (!register_wanted || !can_register()) return;
  register_wanted = false;
  if (registration.state() == Registration::State::kRegistering) register_now();
}

void Agent::State::remember_identity() {
  record::Identity identity{.info = config.info, .ground = config.ground};
  identity.info.resources = config.configured;
  recorder.append(std::move(identity));
}

void Agent::on_recovered(Now now, const RecoveredAgent& memory, RecoveryKind kind) {
  State& s = *state_;
  if (kind == RecoveryKind::kAnew) {
    // First: who has forgotten a part must not be taken for who it was.
    if (memory.identity) s.recorder.append(record::IdentityForgotten{});
    s.workload.recover(now, memory, kind);
    return;
  }
  s.config.info.id = memory.identity->info.id;
  s.workload.recover(now, memory, kind);
  // Last: before that is durable, a reboot must show.
  s.remember_identity();
  const AgentTotals totals = s.workload.totals();
  s.effects.on_event(event::AgentRecovered{.id = &s.config.info.id,
                                           .tasks = totals.tasks,
                                           .containers = totals.containers,
                                           .updates = totals.updates_pending,
                                           .rebooted = kind == RecoveryKind::kRebooted});
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
  if (!can_register()) {
    register_wanted = true;
    return;
  }
  if (config.info.id.empty()) {
    RegisterAgent message{.info = config.info, .operations = {}};
    operations.describe(message.operations);
    effects.send(std::move(message));
    return;
  }
  const bool repeats = compact && std::exchange(asked, true);
  const bool wholly = std::exchange(whole_wanted, false) || !compact;
  if (repeats && !wholly) {
    return effects.send(ReregisterCompactly{
        .id = config.info.id, .info_hash = fingerprint(config.info), .repeated = true});
  }
  ReregisterAgent message = describe();
  if (wholly) return effects.send(std::move(message));
  effects.send(in_short(std::move(message)));
}

ReregisterAgent Agent::State::describe() const {
  ReregisterAgent message{.info = config.info};
  operations.describe(message.operations);
  workload.describe(message);
  return message;
}

bool Agent::State::obeys(std::string_view name) {
  if (registration.registered()) return true;
  effects.on_event(event::MessageDropped{.name = name, .why = "the agent is not registered"});
  return false;
}

void Agent::State::on(Now now, const HelloReply& message) {
  const Result<void> greeted = registration.on_greeted(now.mono, message);
  if (!greeted) return reconnect(greeted.error().message);
  compact =
      std::ranges::find(message.capabilities, kCompactReregistration) != message.capabilities.end();
  asked = whole_wanted = false;
}

void Agent::State::on(Now now, const Registered& message) {
  if (registration.state() == Registration::State::kGreeting) {
    return reconnect("the master registered us before it greeted us");
  }
  const bool repeated = registration.registered();
  const Result<void> registered = registration.on_registered(now.mono, config.info.id, message);
  if (!registered) return reconnect(registered.error().message);
  if (repeated) return;  // the answer to a request that we repeated
  if (config.info.id.empty()) {
    config.info.id = message.agent_id;
    remember_identity();
  }
  effects.on_event(event::AgentRegistered{
      .id = &config.info.id, .epoch = registration.epoch(), .reregistered = message.reregistered});
  // It may have changed since the request left.
  if (revocable) effects.send(UpdateAgent{.revocable = *revocable});
  workload.on_registered(now);
  operations.on_registered(now);
}

// What there is of operations under way is waited for as before any registration.
void Agent::State::on(Now /*now*/, const ReregisterFully& /*message*/) {
  if (registration.state() != Registration::State::kRegistering) return;
  whole_wanted = true;
  register_now();
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
  asked = false;
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

void Agent::State::on(Now now, const LaunchGroup& message) {
  if (obeys("launch_group")) workload.on_launch_group(now, message);
}

void Agent::State::on(Now now, const RelayToExecutor& message) {
  if (obeys("relay_to_executor")) workload.on_relay_to_executor(now, message);
}

void Agent::State::on(Now now, const StopExecutor& message) {
  if (obeys("stop_executor")) workload.on_stop_executor(now, message);
}

// -------------------------------------------------------------------------- clock and end

void Agent::on_revocable(Now /*now*/, const Resources& revocable) {
  State& s = *state_;
  CHECK(revocable.non_revocable().empty());
  s.revocable = revocable;
  s.refresh_total();
  if (s.registration.registered()) s.effects.send(UpdateAgent{.revocable = revocable});
}

void Agent::on_corrected(Now /*now*/, const ContainerId& id, const Corrections& corrections) {
  state_->workload.on_corrected(id, corrections);
}

void Agent::on_preempted(Now now, const ContainerId& id, bool at_once, std::string_view why) {
  state_->workload.on_preempted(now, id, at_once, why);
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

void Agent::on_leave(Now /*now*/) {
  State& s = *state_;
  if (s.ending != State::Ending::kNo) return;
  s.ending = State::Ending::kLeave;
  s.ending_why = "the agent was told to stop; its tasks go on";
}

void Agent::on_shutdown(Now now) {
  State& s = *state_;
  if (s.ending == State::Ending::kDone) return;
  if (s.ending == State::Ending::kUnregister || s.ending == State::Ending::kRefused) {
    // Asked twice: whoever asks has no patience for grace.
    s.workload.shut_down(now, Duration::zero());
    return;
  }
  s.ending = State::Ending::kUnregister;
  s.ending_why = "the agent was told to end, and all that it ran";
  s.workload.shut_down(now, std::nullopt);
}

void Agent::State::end_when_quiet(Now now) {
  if (ending == Ending::kNo) return;
  if (ending == Ending::kLeave) {
    if (can_register()) end();
    return;
  }
  if (!workload.quiet()) return;
  const bool unregisters = ending == Ending::kUnregister && registration.registered();
  if (!forgotten) {
    if (unregisters && give_up_acks == kNever) {
      give_up_acks = later(now.mono, limits::kShutdownAckWait);
    }
    const bool may_wait = unregisters && now.mono < give_up_acks;
    if (may_wait && workload.totals().updates_pending > 0) return;
    // First, as above.
    recorder.append(record::IdentityForgotten{});
    workload.forget_all();
    forgotten = true;
  }
  if (recorder.busy()) return;
  if (unregisters) effects.send(UnregisterAgent{});
  end();
}

void Agent::State::end() {
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

std::optional<ContainerFacts> Agent::facts_of(const ContainerId& id) const {
  return state_->workload.facts_of(id);
}

std::vector<ContainerFacts> Agent::containers() const { return state_->workload.containers(); }

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
