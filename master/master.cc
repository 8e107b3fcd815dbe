#include "master/master.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "common/limits.h"
#include "master/accept.h"
#include "master/agents.h"
#include "master/audit.h"
#include "master/commands.h"
#include "master/conversions.h"
#include "master/drain.h"
#include "master/executors.h"
#include "master/frameworks.h"
#include "master/isolation.h"
#include "master/leadership.h"
#include "master/loans.h"
#include "master/maintenance.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/reconciliation.h"
#include "master/registration.h"
#include "master/removals.h"
#include "master/replay.h"
#include "master/sessions.h"
#include "master/state.h"
#include "master/tasks.h"

namespace tepui {

struct Master::State : master::State {
  using master::State::State;
};

namespace master {
namespace {

using Peer = Session::Peer;

void received(State& s, std::string_view name) { s.emit(event::MessageReceived{.name = name}); }

// One message of a scheduler that has said Hello, told apart by its type.
struct SchedulerCall {
  State& s;
  Session& session;

  // The framework of this session, or nothing: then the peer has been told.
  FrameworkEntry* subscribed(std::string_view name) const {
    received(s, name);
    if (session.framework == nullptr) {
      reject(s, session.id, Peer::kScheduler, fmt::format("{} before subscribing", name));
      return nullptr;
    }
    return session.framework;
  }

  void operator()(const Hello& hello) const { on_hello(s, session.id, Peer::kScheduler, hello); }
  void operator()(const Subscribe& message) const {
    received(s, "subscribe");
    on_subscribe(s, session, message);
  }
  void operator()(const Teardown&) const {
    if (FrameworkEntry* framework = subscribed("teardown")) on_teardown(s, *framework);
  }
  void operator()(const Accepts& message) const {
    FrameworkEntry* framework = subscribed("accept");
    if (framework == nullptr) return;
    for (const Accept& accept : message.accepts) {
      size_t tasks = 0;
      for (const OfferOperation& operation : accept.operations) tasks += operation.tasks.size();
      if (tasks > limits::kLaunchTasksMax || accept.offers.size() > limits::kAcceptOffersMax ||
          accept.operations.size() > limits::kOperationsMax) {
        return reject(
            s, session.id, Peer::kScheduler,
            fmt::format("an accept of {} offers with {} operations and {} tasks, at most "
                        "{}, {} and {} are allowed",
                        accept.offers.size(), accept.operations.size(), tasks,
                        limits::kAcceptOffersMax, limits::kOperationsMax, limits::kLaunchTasksMax));
      }
      on_accept(s, *framework, accept);
    }
  }
  void operator()(const Decline& message) const {
    if (FrameworkEntry* framework = subscribed("decline")) on_decline(s, *framework, message);
  }
  void operator()(const Suppress& message) const {
    if (FrameworkEntry* framework = subscribed("suppress")) on_suppress(s, *framework, message);
  }
  void operator()(const Revive& message) const {
    if (FrameworkEntry* framework = subscribed("revive")) on_revive(s, *framework, message);
  }
  void operator()(const Kill& message) const {
    if (FrameworkEntry* framework = subscribed("kill")) on_kill(s, *framework, message);
  }
  void operator()(const Acknowledge& message) const {
    FrameworkEntry* framework = subscribed("acknowledge");
    if (framework != nullptr) on_acknowledge(s, *framework, message);
  }
  void operator()(const Reconcile& message) const {
    if (FrameworkEntry* framework = subscribed("reconcile")) on_reconcile(s, *framework, message);
  }
  void operator()(const AcknowledgeOperations& message) const {
    FrameworkEntry* framework = subscribed("acknowledge_operation");
    if (framework != nullptr) on_acknowledge_operations(s, *framework, message);
  }
  void operator()(const ReconcileOperations& message) const {
    FrameworkEntry* framework = subscribed("reconcile_operations");
    if (framework != nullptr) on_reconcile_operations(s, *framework, message);
  }
  void operator()(const UpdateFramework& message) const {
    FrameworkEntry* framework = subscribed("update_framework");
    if (framework != nullptr) on_update_framework(s, session, *framework, message);
  }
  void operator()(const MessageExecutor& message) const {
    FrameworkEntry* framework = subscribed("message_executor");
    if (framework != nullptr) on_message_executor(s, *framework, message);
  }
  void operator()(const ShutdownExecutor& message) const {
    FrameworkEntry* framework = subscribed("shutdown_executor");
    if (framework != nullptr) on_shutdown_executor(s, *framework, message);
  }
  void operator()(const Heartbeat&) const {}
  void operator()(const Goodbye& message) const { lose_session(s, session.id, message.why); }
  void operator()(const AcceptInverseOffers& message) const {
    FrameworkEntry* framework = subscribed("accept_inverse_offers");
    if (framework == nullptr) return;
    on_inverse_answers(s, *framework, message.offers, message.filters, true);
  }
  void operator()(const DeclineInverseOffers& message) const {
    FrameworkEntry* framework = subscribed("decline_inverse_offers");
    if (framework == nullptr) return;
    on_inverse_answers(s, *framework, message.offers, message.filters, false);
  }
};

struct AgentCall {
  State& s;
  Session& session;

  AgentEntry* registered(std::string_view name) const {
    if (session.agent == nullptr) {
      reject(s, session.id, Peer::kAgent, fmt::format("{} before registering", name));
      return nullptr;
    }
    return session.agent;
  }

  void operator()(const Hello& hello) const { on_hello(s, session.id, Peer::kAgent, hello); }
  void operator()(const RegisterAgent& message) const {
    received(s, "register_agent");
    on_register(s, session, message);
  }
  // These two hand over what the agent runs: a task need not be copied to be known.
  void operator()(ReregisterAgent& message) const {
    received(s, "reregister_agent");
    on_reregister(s, session, message);
  }
  void operator()(ReregisterCompactly& message) const {
    received(s, "reregister_compactly");
    on_reregister(s, session, message);
  }
  void operator()(const StatusUpdates& message) const {
    received(s, "status_update");
    if (AgentEntry* agent = registered("status update")) on_status_updates(s, *agent, message);
  }
  void operator()(const OperationReports& message) const {
    received(s, "operation_report");
    AgentEntry* agent = registered("operation report");
    if (agent != nullptr) on_operation_reports(s, *agent, message);
  }
  void operator()(const UpdateAgent& message) const {
    received(s, "update_agent");
    if (AgentEntry* agent = registered("update")) on_update_agent(s, *agent, message);
  }
  void operator()(const ExecutorExited& message) const {
    received(s, "executor_exited");
    AgentEntry* agent = registered("executor exited");
    if (agent != nullptr) on_executor_exited(s, *agent, message);
  }
  void operator()(const RelayToFramework& message) const {
    received(s, "executor_message");
    AgentEntry* agent = registered("executor message");
    if (agent != nullptr) on_relay_to_framework(s, *agent, message);
  }
  void operator()(const Pong&) const {
    if (AgentEntry* agent = registered("pong")) on_pong(*agent);
  }
  void operator()(const UnregisterAgent&) const {
    received(s, "unregister_agent");
    if (AgentEntry* agent = registered("unregister")) remove_agent(s, *agent, "it unregistered");
  }
  void operator()(const Goodbye& message) const { lose_session(s, session.id, message.why); }
};

template <class Call, class Message>
void dispatch(State& s, SessionId from, Peer peer, Message& message) {
  if (const Hello* hello = std::get_if<Hello>(&message)) {
    on_hello(s, from, peer, *hello);
  } else if (Session* session = greeted(s, from, peer)) {
    std::visit(Call{s, *session}, message);
  }
  isolate_broken(s);
}

void on_deadline(State& s, const Due& due) {
  switch (due.kind) {
    case Due::Kind::kPing:
      if (const auto* agent = s.agents.find(unpack<AgentHandle>(due.object))) {
        on_ping_due(s, **agent);
      }
      break;
    case Due::Kind::kFailover:
      if (const auto* framework = s.frameworks.find(unpack<FrameworkHandle>(due.object))) {
        remove_framework(s, **framework, "its failover timeout is over");
      }
      break;
    case Due::Kind::kHeartbeat:
      if (const auto* framework = s.frameworks.find(unpack<FrameworkHandle>(due.object))) {
        on_heartbeat_due(s, **framework);
      }
      break;
    case Due::Kind::kOffer:
      on_offer_expired(s, OfferId{due.object});
      break;
    case Due::Kind::kWindow:
      on_window_due(s);
      break;
    case Due::Kind::kRecovery:
      on_recovery_over(s);
      break;
    case Due::Kind::kRemoval:
      on_removal_due(s);
      break;
  }
}

void wish_to_wake(State& s) {
  const Instant next = std::min(s.deadlines.next_deadline(), next_allocation(s));
  if (next == s.wake_wish) return;
  s.wake_wish = next;
  s.effects.wake_at(next);
}

}  // namespace
}  // namespace master

Master::Master(MasterConfig config, uint64_t seed, Allocator& allocator, Authorizer& authorizer,
               MasterEffects& effects)
    : state_(std::make_unique<State>(std::move(config), seed, allocator, authorizer, effects)) {
  allocator.set_lending(state_->config.tunables.lend_guarantees);
}

Master::~Master() = default;

void Master::on_elected(Now now, uint64_t epoch, const StoreContents& contents) {
  state_->now = now;
  master::begin_to_lead(*state_, epoch, contents);
}

void Master::on_deposed(Now now, std::string_view why) {
  state_->now = now;
  master::stop_leading(*state_, why);
}

void Master::on_message(Now now, SessionId from, const SchedulerToMaster& message) {
  state_->now = now;
  master::dispatch<master::SchedulerCall>(*state_, from, master::Peer::kScheduler, message);
}

void Master::on_message(Now now, SessionId from, AgentToMaster message) {
  state_->now = now;
  master::dispatch<master::AgentCall>(*state_, from, master::Peer::kAgent, message);
}

void Master::on_message(Now now, SessionId from, std::string_view principal,
                        const OperatorRequest& request) {
  state_->now = now;
  master::on_operator_request(*state_, from, principal, request);
  master::isolate_broken(*state_);
}

Result<void> Master::operate(Now now, std::string_view principal, const AgentId& id,
                             const Operation& operation) {
  state_->now = now;
  if (!state_->leading) return fail("not the leader");
  master::AgentEntry* agent = master::find_agent(*state_, id);
  if (agent == nullptr) return fail(fmt::format("agent '{}' is not known", id.value));
  Result<void> done = master::operate(*state_, *agent, operation, principal);
  master::isolate_broken(*state_);
  return done;
}

void Master::on_peer_lost(Now now, SessionId session, std::string_view why) {
  state_->now = now;
  master::lose_session(*state_, session, why);
  master::isolate_broken(*state_);
}

void Master::on_peer_congested(Now now, SessionId id) {
  state_->now = now;
  master::Session* session = master::find_session(*state_, id);
  if (session == nullptr) return;
  session->congested = true;
  if (session->framework != nullptr) master::on_congestion(*state_, *session->framework, true);
}

void Master::on_peer_ready(Now now, SessionId id) {
  state_->now = now;
  master::Session* session = master::find_session(*state_, id);
  if (session == nullptr) return;
  session->congested = false;
  if (session->framework != nullptr) master::on_congestion(*state_, *session->framework, false);
}

void Master::on_persisted(Now now, uint64_t token) {
  state_->now = now;
  if (!state_->leading) return;
  master::on_registry_written(*state_, token);
  master::isolate_broken(*state_);
}

void Master::on_persist_failed(Now now, uint64_t token, const Error& error) {
  state_->now = now;
  if (!state_->leading) return;
  master::on_registry_failed(*state_, token, error);
}

void Master::on_whitelist(Now now, std::optional<std::set<std::string>> hostnames) {
  state_->now = now;
  state_->allocator.set_whitelist(std::move(hostnames));
}

void Master::on_tunables(Now now, const MasterTunables& tunables) {
  state_->now = now;
  state_->config.tunables = tunables;
  master::set_lending(*state_, tunables.lend_guarantees);
  if (!state_->leading) return;
  master::restart_allocation_timer(*state_);
  master::review_removals(*state_);
}

void Master::on_time(Now now) {
  state_->now = now;
  state_->wake_wish = kNever;
  if (!state_->leading) return;
  state_->allocator.on_time(now);
  state_->deadlines.advance_to(
      now.mono, [this](const master::Due& due) { master::on_deadline(*state_, due); });
  master::isolate_broken(*state_);
}

bool Master::work(Now now) {
  state_->now = now;
  if (!state_->leading) return false;
  const bool more = master::run_allocation(*state_);
  master::isolate_broken(*state_);
  master::settle_drained(*state_);
  master::write_registry(*state_);
  master::flush_outboxes(*state_);
  master::wish_to_wake(*state_);
  return more;
}

MasterTotals Master::totals() const { return master::totals_of(*state_); }
Result<void> Master::audit() const { return master::audit(*state_); }
bool Master::replay_state(EventSink& sink, ReplayCursor& cursor, size_t events_max) const {
  return master::replay(*state_, sink, cursor, events_max);
}
std::vector<RoleShare> Master::role_shares() const { return state_->allocator.shares(); }

}  // namespace tepui
