#include "sdk/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "sdk/scheduler_state.h"

namespace tepui {

namespace {

// Silence for so many heartbeat intervals means that the master, or the way to it, is gone.
constexpr int kHeartbeatsMissedMax = 3;

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, uint64_t seed, SchedulerHandler& handler,
                     SchedulerEffects& effects)
    : state_(std::make_unique<State>(*this, std::move(options), seed, handler, effects)) {}

Scheduler::~Scheduler() = default;

// ---------------------------------------------------------------------------- the conversation

void Scheduler::State::set_deadline(Instant when) {
  deadline = when;
  if (when != kNever) effects.wake_at(when);
}

void Scheduler::State::greet() {
  phase = Phase::kGreeting;
  agents.clear();
  set_deadline(later(now.mono, options.subscribe_backoff_max));
  effects.send(
      Hello{.build = options.build, .epoch = epoch, .principal = info.principal, .token = {}});
}

// The wait doubles until it reaches its bound. A session that was not answered for so long is given
// up: whatever is wrong with it, a new one is the cure.
void Scheduler::State::subscribe() {
  phase = Phase::kSubscribing;
  const Duration bound = std::min(subscribe_wait, options.subscribe_backoff_max);
  const Duration wait{rng.between(bound.count() / 2, bound.count())};
  subscribe_wait = bound * 2;
  set_deadline(later(now.mono, wait));
  effects.send(Subscribe{.info = info});
}

void Scheduler::State::lose(std::string_view why) {
  const bool was_subscribed = phase == Phase::kSubscribed;
  phase = Phase::kDisconnected;
  set_deadline(kNever);
  acknowledgements.clear();
  updates.clear();
  if (was_subscribed) handler.on_disconnected(scheduler, why);
}

void Scheduler::State::lose_and_reconnect(std::string_view why) {
  lose(why);
  // The author may have ended it all in on_disconnected.
  if (phase == Phase::kDisconnected) effects.reconnect(why);
}

bool Scheduler::State::expect(Phase wanted, std::string_view name) {
  effects.on_event(event::MessageReceived{.name = name});
  if (phase == wanted) return true;
  effects.on_event(event::MessageDropped{.name = name, .why = "out of turn"});
  return false;
}

void Scheduler::State::on(const HelloReply& reply) {
  if (!expect(Phase::kGreeting, "hello_reply")) return;
  if (reply.protocol < kProtocolMin || reply.protocol > kProtocolMax) {
    return lose_and_reconnect(reply.error.empty()
                                  ? fmt::format("the master speaks protocol {}, expected {} to {}",
                                                reply.protocol, kProtocolMin, kProtocolMax)
                                  : fmt::format("the master refused: {}", reply.error));
  }
  if (reply.epoch < epoch) {
    return lose_and_reconnect(fmt::format(
        "the master is of epoch {}, but one of epoch {} was seen already", reply.epoch, epoch));
  }
  epoch = reply.epoch;
  subscribe_wait = options.subscribe_backoff_min;
  subscribe();
}

void Scheduler::State::on(const Subscribed& subscribed) {
  if (!expect(Phase::kSubscribing, "subscribed")) return;
  if (subscribed.epoch < epoch) {
    return lose_and_reconnect(fmt::format("subscribed at epoch {}, but one of epoch {} was seen",
                                          subscribed.epoch, epoch));
  }
  if (subscribed.framework_id.empty() || (!info.id.empty() && subscribed.framework_id != info.id)) {
    return lose_and_reconnect(fmt::format("subscribed as framework '{}', expected '{}'",
                                          subscribed.framework_id.value, info.id.value));
  }
  phase = Phase::kSubscribed;
  epoch = subscribed.epoch;
  info.id = subscribed.framework_id;
  silence_max = std::clamp(subscribed.heartbeat_interval, Duration{}, Duration::max() / 4) *
                kHeartbeatsMissedMax;
  set_deadline(silence_max == Duration{} ? kNever : later(now.mono, silence_max));
  handler.on_subscribed(scheduler, subscribed);
  send_kept();
}

Result<void> Scheduler::State::learn_agents(const OfferBatch& batch) {
  for (const AgentFacts& facts : batch.agents) {
    const auto [at, fresh] = agents.try_emplace(facts.agent, nullptr);
    if (fresh) {
      at->second = std::make_shared<const AgentFacts>(facts);
    } else if (at->second->id != facts.id) {
      return fail(fmt::format("agent number {} means {} and again {}", facts.agent,
                              at->second->id.value, facts.id.value));
    }
  }
  return {};
}

Result<std::vector<Offer>> Scheduler::State::resolve(const OfferBatch& batch) const {
  std::vector<Offer> offers;
  offers.reserve(batch.offers.size());
  for (const OfferItem& item : batch.offers) {
    const auto agent = agents.find(item.agent);
    if (agent == agents.end()) {
      return fail(fmt::format("offer {} names agent number {}, which this session never described",
                              to_text(item.id), item.agent));
    }
    if (item.role >= batch.roles.size()) {
      return fail(fmt::format("offer {} names role {} of {}", to_text(item.id), item.role,
                              batch.roles.size()));
    }
    if (item.shape >= batch.shapes.size()) {
      return fail(fmt::format("offer {} names shape {} of {}", to_text(item.id), item.shape,
                              batch.shapes.size()));
    }
    offers.push_back(Offer{.id = item.id,
                           .role = batch.roles[item.role],
                           .resources = batch.shapes[item.shape],
                           .agent = agent->second});
  }
  return offers;
}

void Scheduler::State::on(const OfferBatch& batch) {
  if (!expect(Phase::kSubscribed, "offers")) return;
  const Result<void> learned = learn_agents(batch);
  if (!learned) return lose_and_reconnect("bad offers: " + learned.error().message);
  const Result<std::vector<Offer>> offers = resolve(batch);
  if (!offers) return lose_and_reconnect("bad offers: " + offers.error().message);
  if (!offers->empty()) handler.on_offers(scheduler, *offers);
}

void Scheduler::State::on(const Rescind& rescind) {
  if (!expect(Phase::kSubscribed, "rescind")) return;
  for (const OfferId offer : rescind.offers) {
    handler.on_rescinded(scheduler, offer);
    if (phase != Phase::kSubscribed) return;
  }
}

void Scheduler::State::on(const InverseOfferBatch& message) {
  if (!expect(Phase::kSubscribed, "inverse_offers")) return;
  if (!message.offers.empty()) handler.on_inverse_offers(scheduler, message.offers);
}

void Scheduler::State::on(const RescindInverseOffers& message) {
  if (!expect(Phase::kSubscribed, "rescind_inverse_offers")) return;
  for (const OfferId offer : message.offers) {
    handler.on_inverse_offer_rescinded(scheduler, offer);
    if (phase != Phase::kSubscribed) return;
  }
}

void Scheduler::State::on(const FrameworkUpdated& message) {
  if (!expect(Phase::kSubscribed, "framework_updated")) return;
  if (updates.empty()) return dropped("framework_updated", "no update was sent");
  if (message.error.empty()) info = std::move(updates.front());
  updates.pop_front();
  handler.on_framework_updated(scheduler, message.error);
}

void Scheduler::State::on(const Updates& message) {
  if (!expect(Phase::kSubscribed, "updates")) return;
  delivering_updates = true;
  for (const TaskStatus& status : message.statuses) {
    if (options.explicit_acknowledgements || is_news(status)) handler.on_update(scheduler, status);
    if (phase != Phase::kSubscribed) break;
    if (!options.explicit_acknowledgements) scheduler.acknowledge(status);
  }
  delivering_updates = false;
  send_acknowledgements();
}

bool Scheduler::State::is_news(const TaskStatus& status) {
  if (status.uuid.is_nil()) return true;
  const auto [found, is_new_task] = seen.try_emplace(status.task_id, status.uuid);
  if (!is_new_task && std::exchange(found->second, status.uuid) == status.uuid) return false;
  seen_order.emplace_back(status.task_id, status.uuid);
  if (seen_order.size() > kSeenMax) {
    const auto oldest = seen.find(seen_order.front().first);
    if (oldest != seen.end() && oldest->second == seen_order.front().second) seen.erase(oldest);
    seen_order.pop_front();
  }
  return true;
}

void Scheduler::State::on(const OperationUpdates& message) {
  if (!expect(Phase::kSubscribed, "operation_updates")) return;
  for (const OperationStatus& status : message.statuses) {
    handler.on_operation_update(scheduler, status);
    if (phase != Phase::kSubscribed) return;
    if (!options.explicit_acknowledgements) scheduler.acknowledge(status);
  }
}

void Scheduler::State::on(const Failure& failure) {
  if (!expect(Phase::kSubscribed, "failure")) return;
  if (!failure.executor_id.empty()) return handler.on_executor_lost(scheduler, failure);
  handler.on_agent_lost(scheduler, failure.agent_id);
}

void Scheduler::State::on(const ExecutorMessage& message) {
  if (expect(Phase::kSubscribed, "executor_message")) {
    handler.on_executor_message(scheduler, message);
  }
}

void Scheduler::State::on(const ErrorMessage& error) {
  effects.on_event(event::MessageReceived{.name = "error"});
  phase = Phase::kEnded;
  set_deadline(kNever);
  handler.on_error(scheduler, error.message);
}

// The answer lets the master see that the way back is open, too.
void Scheduler::State::on(const Heartbeat&) {
  if (!expect(Phase::kSubscribed, "heartbeat")) return;
  effects.send(Heartbeat{});
}

void Scheduler::State::on(const Goodbye& goodbye) {
  effects.on_event(event::MessageReceived{.name = "goodbye"});
  lose_and_reconnect(fmt::format("the master ended the session: {}", goodbye.why));
}

// -------------------------------------------------------------------------------------- inputs

void Scheduler::on_connected(Now now) {
  state_->now = now;
  if (state_->phase == State::Phase::kEnded) return;
  state_->lose("connected again");
  // The author may have ended it all in on_disconnected.
  if (state_->phase == State::Phase::kDisconnected) state_->greet();
}

void Scheduler::on_lost(Now now, std::string_view why) {
  state_->now = now;
  if (state_->phase != State::Phase::kEnded) state_->lose(why);
}

void Scheduler::on_message(Now now, const MasterToScheduler& message) {
  state_->now = now;
  if (state_->phase == State::Phase::kEnded || state_->phase == State::Phase::kDisconnected) {
    return state_->dropped("message", "no session");
  }
  // Anything that the master says is a sign of life.
  if (state_->phase == State::Phase::kSubscribed && state_->silence_max != Duration{}) {
    state_->set_deadline(later(now.mono, state_->silence_max));
  }
  std::visit([this](const auto& one) { state_->on(one); }, message);
}

void Scheduler::on_time(Now now) {
  state_->now = now;
  if (now.mono < state_->deadline) {
    if (state_->deadline != kNever) state_->effects.wake_at(state_->deadline);
    return;
  }
  switch (state_->phase) {
    case State::Phase::kDisconnected:
    case State::Phase::kEnded:
      return;
    case State::Phase::kGreeting:
      return state_->lose_and_reconnect("the master did not answer the hello");
    case State::Phase::kSubscribing:
      if (state_->subscribe_wait <= state_->options.subscribe_backoff_max) {
        return state_->subscribe();
      }
      return state_->lose_and_reconnect("the master did not answer the subscription");
    case State::Phase::kSubscribed:
      return state_->lose_and_reconnect("no message of the master for three heartbeats");
  }
}

}  // namespace tepui
