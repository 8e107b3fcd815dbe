#include "master/frameworks.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "master/executors.h"
#include "master/maintenance.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/sessions.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

FrameworkEntry& add_framework(State& s, FrameworkInfo info) {
  auto owned = std::make_unique<FrameworkEntry>();
  FrameworkEntry& framework = *owned;
  framework.info = std::move(info);
  framework.handle = s.frameworks.insert(std::move(owned));
  s.frameworks_by_id.emplace(framework.info.id, &framework);
  s.allocator.add_framework(framework.handle, shape_of(framework));
  s.allocator.set_framework_active(framework.handle, false);
  return framework;
}

void start_failover_timer(State& s, FrameworkEntry& framework, Duration timeout) {
  framework.failover_timer =
      s.deadlines.rearm(framework.failover_timer, later(s.now.mono, timeout),
                        {.kind = Due::Kind::kFailover, .object = pack(framework.handle)});
}

void start_heartbeats(State& s, FrameworkEntry& framework) {
  framework.heartbeat_timer = s.deadlines.rearm(
      framework.heartbeat_timer,
      later(s.now.mono, std::min(s.config.tunables.heartbeat_interval, framework.heartbeat_told)),
      {.kind = Due::Kind::kHeartbeat, .object = pack(framework.handle)});
}

void stop_timers(State& s, FrameworkEntry& framework) {
  s.deadlines.cancel(framework.failover_timer);
  s.deadlines.cancel(framework.heartbeat_timer);
}

void send_subscribed(State& s, FrameworkEntry& framework) {
  framework.heartbeat_told = s.config.tunables.heartbeat_interval;
  s.effects.send(
      framework.session,
      MasterToScheduler(Subscribed{.framework_id = framework.info.id,
                                   .master_id = s.master_id,
                                   .epoch = s.epoch,
                                   .heartbeat_interval = s.config.tunables.heartbeat_interval}));
}

FrameworkId new_framework_id(State& s) {
  while (true) {
    FrameworkId id{fmt::format("{}-f{}", s.master_id, s.next_framework++)};
    // A scheduler may have come with an id of this form that no leader gave it.
    if (find_framework(s, id) == nullptr) return id;
  }
}

// What the scheduler sent, made whole and checked; the error is for the scheduler.
Result<FrameworkInfo> check_info(State& s, const Session& session, FrameworkInfo info) {
  for (std::vector<std::string>* roles : {&info.roles, &info.suppressed_roles}) {
    std::sort(roles->begin(), roles->end());
    roles->erase(std::unique(roles->begin(), roles->end()), roles->end());
  }
  std::ranges::stable_sort(info.offer_constraints, {}, &RoleConstraints::role);
  std::ranges::stable_sort(info.min_allocatable, {}, &RoleMinimum::role);
  if (info.principal.empty()) info.principal = session.principal;
  if (info.principal != session.principal && !session.principal.empty()) {
    return fail(fmt::format("framework principal '{}' is not that of the session, '{}'",
                            info.principal, session.principal));
  }
  if (session.framework != nullptr && info.id.empty()) info.id = session.framework->info.id;
  if (session.framework != nullptr && info.id != session.framework->info.id) {
    return fail("the session belongs to another framework");
  }
  TRY(validate(info));
  for (const std::string& role : info.roles) {
    if (!s.authorizer.authorize(info.principal, Action::kRegisterFramework, role)) {
      return fail(fmt::format("'{}' may not use the role '{}'", info.principal, role));
    }
  }
  if (s.frameworks_completed.contains(info.id)) return fail("Framework has been removed");
  const FrameworkEntry* known = find_framework(s, info.id);
  if (known != nullptr && known->info.principal != info.principal) {
    return fail("the principal of a framework cannot change");
  }
  return info;
}

// Offers of roles that it leaves, or that it needs a capability for which it drops.
void rescind_unfit_offers(State& s, FrameworkEntry& framework, const FrameworkInfo& next) {
  const bool drops_any = (framework.info.capabilities & ~next.capabilities) != 0;
  const std::vector<OfferEntry*> offers = framework.offers;
  for (OfferEntry* offer : offers) {
    if (!drops_any && std::ranges::binary_search(next.roles, offer->role)) continue;
    end_offer(s, *offer, event::OfferEnd::kRescinded, std::nullopt);
  }
}

// A known framework says what it is like now. User and checkpointing stay as they were.
void update_info(State& s, FrameworkEntry& framework, FrameworkInfo info) {
  info.user = framework.info.user;
  info.checkpoint = framework.info.checkpoint;
  if (info == framework.info) return;
  rescind_unfit_offers(s, framework, info);
  framework.info = std::move(info);
  s.allocator.update_framework(framework.handle, shape_of(framework));
  // Agents are told anew, with the next launch.
  s.agents.each([&framework](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    agent->told.erase(framework.handle);
  });
  s.emit(event::FrameworkUpdated{.info = &framework.info});
}

void connect(State& s, FrameworkEntry& framework, Session& session) {
  if (framework.is_connected()) {
    const SessionId old = framework.session;
    // First, so that losing the old session is not losing the framework.
    discard_offers_of(s, framework);
    framework.session = {};
    dismiss(s, old, "Framework failed over");
  }
  forget_outbox(framework);
  framework.introduced.clear();
  framework.next_agent_number = 1;
  framework.session = framework.newest_session = session.id;
  framework.recovered = false;
  framework.congested = session.congested;
  session.framework = &framework;
  stop_timers(s, framework);
  start_heartbeats(s, framework);
  s.allocator.update_framework(framework.handle, shape_of(framework));
  s.allocator.set_framework_active(framework.handle, true);
}

// The roles a call names, all of them the framework's own; nothing if one is not.
bool are_own_roles(State& s, const FrameworkEntry& framework, const std::vector<std::string>& roles,
                   std::string_view call) {
  for (const std::string& role : roles) {
    if (std::binary_search(framework.info.roles.begin(), framework.info.roles.end(), role)) {
      continue;
    }
    s.emit(event::MessageDropped{.name = call, .why = "a role is not one of the framework's"});
    return false;
  }
  return true;
}

void set_suppressed(State& s, FrameworkEntry& framework, std::vector<std::string> suppressed) {
  if (framework.info.suppressed_roles == suppressed) return;
  framework.info.suppressed_roles = std::move(suppressed);
  s.emit(event::FrameworkUpdated{.info = &framework.info});
}

}  // namespace

void on_subscribe(State& s, Session& session, const Subscribe& message) {
  Result<FrameworkInfo> checked = check_info(s, session, message.info);
  if (!checked.has_value()) {
    return reject(s, session.id, session.peer, checked.error().message);
  }
  FrameworkInfo info = *std::move(checked);
  if (session.framework != nullptr) {  // the reply was slow, the scheduler asked again
    update_info(s, *session.framework, std::move(info));
    return send_subscribed(s, *session.framework);
  }
  FrameworkEntry* framework = find_framework(s, info.id);
  if (framework != nullptr && session.id < framework->newest_session) {
    // The scheduler gave it up, and what it said in it arrives only now.
    return close_session(s, session.id, "the framework has a newer session");
  }
  const bool has_id = !info.id.empty();
  if (!has_id) info.id = new_framework_id(s);
  if (framework == nullptr) {
    framework = &add_framework(s, std::move(info));
    connect(s, *framework, session);
  } else {
    connect(s, *framework, session);
    update_info(s, *framework, std::move(info));
  }
  s.emit(event::FrameworkAdded{.info = &framework->info, .resubscribed = has_id});
  send_subscribed(s, *framework);
}

void on_update_framework(State& s, const Session& session, FrameworkEntry& framework,
                         const UpdateFramework& message) {
  const auto answer = [&](std::string error) {
    s.effects.send(session.id, MasterToScheduler(FrameworkUpdated{.error = std::move(error)}));
  };
  Result<FrameworkInfo> checked = check_info(s, session, message.info);
  if (!checked.has_value()) return answer(checked.error().message);
  if (checked->user != framework.info.user) return answer("the user of a framework cannot change");
  if (checked->checkpoint != framework.info.checkpoint) {
    return answer("whether a framework checkpoints cannot change");
  }
  update_info(s, framework, *std::move(checked));
  answer({});
}

void on_teardown(State& s, FrameworkEntry& framework) {
  if (!s.authorizer.authorize(framework.info.principal, Action::kTeardownFramework,
                              framework.info.id.value)) {
    s.emit(event::MessageDropped{.name = "teardown", .why = "not authorized"});
    return;
  }
  remove_framework(s, framework, "torn down");
}

void on_suppress(State& s, FrameworkEntry& framework, const Suppress& message) {
  if (!are_own_roles(s, framework, message.roles, "suppress")) return;
  std::vector<std::string> suppressed = framework.info.suppressed_roles;
  const std::vector<std::string>& named =
      message.roles.empty() ? framework.info.roles : message.roles;
  suppressed.insert(suppressed.end(), named.begin(), named.end());
  std::sort(suppressed.begin(), suppressed.end());
  suppressed.erase(std::unique(suppressed.begin(), suppressed.end()), suppressed.end());
  set_suppressed(s, framework, std::move(suppressed));
  s.allocator.suppress(framework.handle, message.roles);
}

void on_revive(State& s, FrameworkEntry& framework, const Revive& message) {
  if (!are_own_roles(s, framework, message.roles, "revive")) return;
  std::vector<std::string> suppressed;
  if (!message.roles.empty()) {
    suppressed = framework.info.suppressed_roles;
    std::erase_if(suppressed, [&message](const std::string& role) {
      return std::find(message.roles.begin(), message.roles.end(), role) != message.roles.end();
    });
  }
  set_suppressed(s, framework, std::move(suppressed));
  s.allocator.revive(framework.handle, message.roles);
  // Reviving clears filters, but a session that reads too slowly still gets nothing.
  if (framework.congested) s.allocator.update_framework(framework.handle, shape_of(framework));
}

void on_heartbeat_due(State& s, FrameworkEntry& framework) {
  if (!framework.is_connected()) return;
  s.effects.send(framework.session, MasterToScheduler(Heartbeat{}));
  start_heartbeats(s, framework);
}

FrameworkEntry& recover_framework(State& s, const FrameworkInfo& info) {
  FrameworkEntry& framework = add_framework(s, info);
  framework.recovered = true;
  s.emit(event::FrameworkRecovered{.info = &framework.info});
  // Its agents have this long to come back after an election, and so has the framework, even if it
  // wants to end with its connection: it did not lose it by itself.
  start_failover_timer(s, framework,
                       std::max(info.failover_timeout, s.config.tunables.agent_reregister_timeout));
  return framework;
}

void disconnect_framework(State& s, FrameworkEntry& framework, std::string_view why) {
  framework.session = {};
  forget_outbox(framework);
  discard_offers_of(s, framework);
  stop_timers(s, framework);
  s.allocator.set_framework_active(framework.handle, false);
  s.emit(event::FrameworkDisconnected{.id = &framework.info.id});
  if (framework.info.failover_timeout == Duration::zero()) {
    return remove_framework(s, framework, fmt::format("disconnected ({})", why));
  }
  start_failover_timer(s, framework, framework.info.failover_timeout);
}

void remove_framework(State& s, FrameworkEntry& framework, std::string_view why) {
  const FrameworkId id = framework.info.id;
  stop_timers(s, framework);
  discard_offers_of(s, framework);
  forget_operations(s, framework);
  const std::vector<TaskEntry*> tasks = framework.tasks;
  for (TaskEntry* entry : tasks) {
    if (!is_terminal(entry->task.state)) {
      const TaskStatus status = make_status(s, entry->task.id, entry->agent->info.id,
                                            {.state = TaskState::kKilled,
                                             .reason = TaskReason::kFrameworkRemoved,
                                             .message = "the framework was removed"});
      if (entry->unreachable) entry->task.state = TaskState::kKilled;
      set_state(s, *entry, TaskState::kKilled, status);
    }
    remove_task(s, *entry);
  }
  end_executors_of(s, framework);
  s.agents.each([&s, &framework, &id](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    agent->told.erase(framework.handle);
    if (agent->frameworks.erase(framework.handle) == 0) return;
    send_now(s, *agent, ShutdownFramework{.framework_id = id});
  });
  s.allocator.remove_framework(framework.handle);
  forget_inverse_answers_of(s, id);
  s.frameworks_completed.add(id);
  s.emit(event::FrameworkRemoved{.id = &id, .why = why});
  if (framework.is_connected()) {
    const SessionId session = std::exchange(framework.session, {});
    if (Session* bound = find_session(s, session)) bound->framework = nullptr;
    close_session(s, session, why);
  }
  s.frameworks_by_id.erase(id);
  s.frameworks.erase(framework.handle);
}

}  // namespace tepui::master
