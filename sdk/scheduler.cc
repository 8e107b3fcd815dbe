#include "sdk/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/limits.h"
#include "common/rng.h"

namespace tepui {

namespace {

// Silence for so many heartbeat intervals means that the master, or the way to it, is gone.
constexpr int kHeartbeatsMissedMax = 3;

}  // namespace

struct Scheduler::State {
  enum class Phase : uint8_t {
    kDisconnected,
    kGreeting,     // Hello is out
    kSubscribing,  // Subscribe is out
    kSubscribed,
    kEnded,  // torn down, or the master said that this is over
  };

  State(Scheduler& owner, SchedulerOptions given, uint64_t seed, SchedulerHandler& its_handler,
        SchedulerEffects& its_effects)
      : scheduler(owner),
        options(std::move(given)),
        info(options.info),
        rng(seed),
        handler(its_handler),
        effects(its_effects) {}

  // ---- the conversation
  void on(const HelloReply& reply);
  void on(const Subscribed& subscribed);
  void on(const OfferBatch& batch);
  void on(const Rescind& rescind);
  void on(const Updates& updates);
  void on(const Failure& failure);
  void on(const ErrorMessage& error);
  void on(const Heartbeat&);
  void on(const Goodbye& goodbye);
  void on(const InverseOfferBatch& message);
  void on(const RescindInverseOffers& message);

  void greet();
  void subscribe();
  void lose(std::string_view why);
  void lose_and_reconnect(std::string_view why);
  void set_deadline(Instant when);
  bool expect(Phase wanted, std::string_view name);
  Result<void> learn_agents(const OfferBatch& batch);
  Result<std::vector<Offer>> resolve(const OfferBatch& batch) const;

  // ---- calls
  bool call(std::string_view name, SchedulerToMaster message);
  void dropped(std::string_view name, std::string_view why);
  bool keep_has_room(std::string_view name) const;
  void send_kept();
  void send_acknowledgements();

  Scheduler& scheduler;
  const SchedulerOptions options;
  FrameworkInfo info;
  Rng rng;
  SchedulerHandler& handler;
  SchedulerEffects& effects;

  Phase phase = Phase::kDisconnected;
  Now now{};
  uint64_t epoch = 0;  // the highest seen
  Duration subscribe_wait{};
  Duration silence_max{};  // 0: the master promised no heartbeats
  Instant deadline = kNever;

  // What offers of this session refer to. Looked up by number, dropped with the session.
  std::map<uint32_t, std::shared_ptr<const AgentFacts>> agents;

  bool delivering_updates = false;
  std::vector<Acknowledge::Item> acknowledgements;

  // Kept while there is no subscription.
  std::map<TaskId, std::optional<KillPolicy>> kept_kills;
  std::map<TaskId, AgentId> kept_reconciles;
  bool kept_reconcile_all = false;
};

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

void Scheduler::State::on(const Updates& updates) {
  if (!expect(Phase::kSubscribed, "updates")) return;
  delivering_updates = true;
  for (const TaskStatus& status : updates.statuses) {
    handler.on_update(scheduler, status);
    if (phase != Phase::kSubscribed) break;
    if (!options.explicit_acknowledgements) scheduler.acknowledge(status);
  }
  delivering_updates = false;
  send_acknowledgements();
}

void Scheduler::State::on(const Failure& failure) {
  if (!expect(Phase::kSubscribed, "failure")) return;
  handler.on_agent_lost(scheduler, failure.agent_id);
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

// --------------------------------------------------------------------------------------- calls

void Scheduler::State::dropped(std::string_view name, std::string_view why) {
  effects.on_event(event::MessageDropped{.name = name, .why = why});
}

bool Scheduler::State::call(std::string_view name, SchedulerToMaster message) {
  if (phase != Phase::kSubscribed) {
    dropped(name, "not subscribed");
    return false;
  }
  effects.send(std::move(message));
  return true;
}

bool Scheduler::State::keep_has_room(std::string_view name) const {
  if (phase == Phase::kEnded) {
    effects.on_event(event::MessageDropped{.name = name, .why = "the subscription has ended"});
    return false;
  }
  if (kept_kills.size() + kept_reconciles.size() < limits::kSchedulerKeptCallsMax) return true;
  effects.on_event(event::MessageDropped{.name = name, .why = "too many calls are kept already"});
  return false;
}

// After on_subscribed, so that what the author asks for there goes first; nothing is sent if the
// author tore the framework down in it.
void Scheduler::State::send_kept() {
  if (phase != Phase::kSubscribed) return;
  for (const auto& [task, policy] : kept_kills) {
    effects.send(Kill{.task_id = task, .agent_id = {}, .kill_policy = policy});
  }
  kept_kills.clear();
  if (!kept_reconciles.empty()) {
    Reconcile reconcile;
    for (const auto& [task, agent] : kept_reconciles) {
      reconcile.items.push_back({.task_id = task, .agent_id = agent});
    }
    effects.send(std::move(reconcile));
    kept_reconciles.clear();
  }
  if (kept_reconcile_all) effects.send(Reconcile{});
  kept_reconcile_all = false;
}

void Scheduler::State::send_acknowledgements() {
  if (acknowledgements.empty()) return;
  Acknowledge message{.items = std::exchange(acknowledgements, {})};
  call("acknowledge", std::move(message));
}

Scheduler::Scheduler(SchedulerOptions options, uint64_t seed, SchedulerHandler& handler,
                     SchedulerEffects& effects)
    : state_(std::make_unique<State>(*this, std::move(options), seed, handler, effects)) {}

Scheduler::~Scheduler() = default;

void Scheduler::launch(std::span<const OfferId> offers, std::vector<TaskInfo> tasks,
                       std::optional<Duration> refuse) {
  if (offers.empty()) return state_->dropped("accept", "no offers named");
  Accept accept{.offers = {offers.begin(), offers.end()}, .operations = {}, .filters = {refuse}};
  accept.operations.push_back({.type = OfferOperation::Type::kLaunch, .tasks = std::move(tasks)});
  Accepts message;
  message.accepts.push_back(std::move(accept));
  state_->call("accept", std::move(message));
}

void Scheduler::decline(std::span<const OfferId> offers, std::optional<Duration> refuse) {
  if (offers.empty()) return;
  state_->call("decline", Decline{.offers = {offers.begin(), offers.end()}, .filters = {refuse}});
}

void Scheduler::accept_inverse(std::span<const OfferId> offers, std::optional<Duration> refuse) {
  if (offers.empty()) return;
  state_->call("accept_inverse_offers",
               AcceptInverseOffers{.offers = {offers.begin(), offers.end()}, .filters = {refuse}});
}

void Scheduler::decline_inverse(std::span<const OfferId> offers, std::optional<Duration> refuse) {
  if (offers.empty()) return;
  state_->call("decline_inverse_offers",
               DeclineInverseOffers{.offers = {offers.begin(), offers.end()}, .filters = {refuse}});
}

void Scheduler::suppress(std::vector<std::string> roles) {
  std::vector<std::string>& suppressed = state_->info.suppressed_roles;
  for (const std::string& role : state_->info.roles) {
    const bool meant = roles.empty() || std::ranges::find(roles, role) != roles.end();
    if (meant && std::ranges::find(suppressed, role) == suppressed.end())
      suppressed.push_back(role);
  }
  std::ranges::sort(suppressed);
  state_->call("suppress", Suppress{.roles = std::move(roles)});
}

void Scheduler::revive(std::vector<std::string> roles) {
  std::erase_if(state_->info.suppressed_roles, [&roles](const std::string& role) {
    return roles.empty() || std::ranges::find(roles, role) != roles.end();
  });
  state_->call("revive", Revive{.roles = std::move(roles)});
}

void Scheduler::kill(const TaskId& task, std::optional<KillPolicy> policy) {
  if (state_->phase == State::Phase::kSubscribed) {
    state_->effects.send(Kill{.task_id = task, .agent_id = {}, .kill_policy = policy});
  } else if (state_->keep_has_room("kill")) {
    state_->kept_kills[task] = policy;
  }
}

void Scheduler::acknowledge(const TaskStatus& status) {
  if (status.uuid.is_nil()) return;
  state_->acknowledgements.push_back(
      {.agent_id = status.agent_id, .task_id = status.task_id, .uuid = status.uuid});
  if (!state_->delivering_updates) state_->send_acknowledgements();
}

void Scheduler::reconcile(std::vector<Reconcile::Item> tasks) {
  if (state_->phase == State::Phase::kSubscribed) {
    state_->effects.send(Reconcile{.items = std::move(tasks)});
    return;
  }
  if (tasks.empty() && state_->phase != State::Phase::kEnded) state_->kept_reconcile_all = true;
  for (Reconcile::Item& item : tasks) {
    if (!state_->keep_has_room("reconcile")) return;
    state_->kept_reconciles[item.task_id] = std::move(item.agent_id);
  }
}

void Scheduler::teardown() {
  if (!state_->call("teardown", Teardown{})) return;
  state_->phase = State::Phase::kEnded;
  state_->set_deadline(kNever);
}

bool Scheduler::subscribed() const { return state_->phase == State::Phase::kSubscribed; }
const FrameworkInfo& Scheduler::info() const { return state_->info; }
uint64_t Scheduler::epoch() const { return state_->epoch; }

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
