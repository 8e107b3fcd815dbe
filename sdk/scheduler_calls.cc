// What the author of a framework calls.
#include <algorithm>
#include <string>
#include <utility>

#include "common/limits.h"
#include "sdk/scheduler_state.h"

namespace tepui {

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

void Scheduler::launch(std::span<const OfferId> offers, std::vector<TaskInfo> tasks,
                       std::optional<Duration> refuse) {
  std::vector<OfferOperation> operations;
  operations.push_back({.type = OfferOperation::Type::kLaunch, .tasks = std::move(tasks)});
  accept(offers, std::move(operations), refuse);
}

void Scheduler::accept(std::span<const OfferId> offers, std::vector<OfferOperation> operations,
                       std::optional<Duration> refuse) {
  if (offers.empty()) return state_->dropped("accept", "no offers named");
  Accept accept{.offers = {offers.begin(), offers.end()},
                .operations = std::move(operations),
                .filters = {refuse}};
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

namespace {

bool names(const std::vector<std::string>& roles, const std::string& role) {
  return roles.empty() || std::ranges::find(roles, role) != roles.end();
}

void note_suppressed(FrameworkInfo& info, const std::vector<std::string>& roles) {
  std::vector<std::string>& suppressed = info.suppressed_roles;
  for (const std::string& role : info.roles) {
    if (names(roles, role) && std::ranges::find(suppressed, role) == suppressed.end()) {
      suppressed.push_back(role);
    }
  }
  std::ranges::sort(suppressed);
}

void note_revived(FrameworkInfo& info, const std::vector<std::string>& roles) {
  std::erase_if(info.suppressed_roles,
                [&roles](const std::string& role) { return names(roles, role); });
}

}  // namespace

void Scheduler::suppress(std::vector<std::string> roles) {
  note_suppressed(state_->info, roles);
  for (FrameworkInfo& next : state_->updates) note_suppressed(next, roles);
  state_->call("suppress", Suppress{.roles = std::move(roles)});
}

void Scheduler::revive(std::vector<std::string> roles) {
  note_revived(state_->info, roles);
  for (FrameworkInfo& next : state_->updates) note_revived(next, roles);
  state_->call("revive", Revive{.roles = std::move(roles)});
}

Result<void> Scheduler::update(FrameworkInfo info) {
  info.id = state_->info.id;
  for (std::vector<std::string>* roles : {&info.roles, &info.suppressed_roles}) {
    std::ranges::sort(*roles);
  }
  TRY(validate(info));
  if (!state_->call("update_framework", UpdateFramework{.info = info})) {
    return fail("there is no subscription to update: try again in on_subscribed");
  }
  state_->updates.push_back(std::move(info));
  return {};
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

void Scheduler::acknowledge(const OperationStatus& status) {
  if (status.uuid.is_nil()) return;
  AcknowledgeOperations message;
  message.items.push_back(
      {.agent_id = status.agent_id, .operation_id = status.operation_id, .uuid = status.uuid});
  state_->call("acknowledge_operations", std::move(message));
}

void Scheduler::reconcile_operations(std::vector<ReconcileOperations::Item> operations) {
  state_->call("reconcile_operations", ReconcileOperations{.items = std::move(operations)});
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

}  // namespace tepui
