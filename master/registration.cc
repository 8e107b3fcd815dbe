#include "master/registration.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/fingerprint.h"
#include "master/agents.h"
#include "master/drain.h"
#include "master/frameworks.h"
#include "master/loans.h"
#include "master/maintenance.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/resync.h"
#include "master/sessions.h"

namespace tepui::master {

namespace {

using Phase = AgentEntry::Phase;
using Leaving = AgentEntry::Leaving;

constexpr std::string_view kDown = "the machine is down for maintenance";
constexpr std::string_view kNoDomain =
    "this master takes only agents that say where they are: start it with --domain=REGION/ZONE";
constexpr std::string_view kStale = "the agent has a newer session";

void send_registered(State& s, AgentEntry& agent, bool reregistered) {
  const MasterTunables& tunables = s.config.tunables;
  agent.ping_told = tunables.ping_interval;
  send_now(
      s, agent,
      Registered{.agent_id = agent.info.id,
                 .master_id = s.master_id,
                 .epoch = s.epoch,
                 // The next ping is never exactly on time: who waits for one would give up.
                 .ping_timeout = tunables.ping_interval * std::max(tunables.ping_misses_max, 2),
                 .reregistered = reregistered});
}

void bind(State& s, AgentEntry& agent, Session& session) {
  if (!agent.session.is_null() && agent.session != session.id) {
    close_session(s, agent.session, kStale);
  }
  agent.session = agent.newest_session = session.id;
  agent.told.clear();
  session.agent = &agent;
  session.registering = false;
  set_phase(s, agent, Phase::kConnected);
}

// New books in which nothing is offered or allocated.
void open_books(State& s, AgentEntry& agent) {
  leave_allocator(s, agent);
  agent.broken = false;
  agent.books.open(agent.info.resources);
  agent.in_allocator = true;
  s.allocator.add_agent(agent.handle, shape_of(agent));
}

// The peer gave this session up for a newer one, and what it said in it arrives only now.
bool is_stale(const AgentEntry* known, const SessionId& session) {
  return known != nullptr && session < known->newest_session;
}

// A refusal for good: the agent must end, and everything it runs.
void shut_down(State& s, SessionId id, std::string why) {
  s.emit(event::PeerRejected{.session = id, .why = why});
  s.effects.send(id, MasterToAgent(ShutdownAgent{.message = why}));
  close_session(s, id, why);
}

// Its tasks go on: the agent tries again, and may come back with a domain.
bool lacks_domain(const State& s, const AgentInfo& info) {
  return s.config.require_agent_domain && info.domain.empty();
}

Result<void> check_frameworks(std::span<const FrameworkInfo> frameworks) {
  for (const FrameworkInfo& info : frameworks) {
    if (info.id.empty()) return fail("a framework of the agent has no id");
    TRY(validate(info));
  }
  return {};
}

// Those it describes are among those it names, and in their order.
Result<void> check_frameworks(const ReregisterCompactly& message) {
  TRY(check_frameworks(message.framework_infos));
  auto named = message.frameworks.begin();
  for (const FrameworkInfo& info : message.framework_infos) {
    named = std::find(named, message.frameworks.end(), info.id);
    if (named == message.frameworks.end()) {
      return fail(fmt::format(
          "framework '{}' is described but not named, or not described in the order of the names",
          info.id.value));
    }
    ++named;
  }
  return {};
}

bool is_or_was_known(State& s, const FrameworkId& id) {
  return find_framework(s, id) != nullptr || s.frameworks_completed.contains(id);
}

Result<void> check_work(State& s, const ReregisterAgent& message) {
  std::unordered_set<std::string_view> named;
  for (const FrameworkInfo& info : message.frameworks) named.insert(info.id.value);
  for (const AgentExecutor& item : message.executors) {
    TRY(validate(*item.executor));
  }
  const FrameworkId* fine = nullptr;  // tasks of one framework come in a row
  for (const Task& task : message.tasks) {
    TRY(validate_id(task.id.value, "task id"));
    if (task.state == TaskState::kUnreachable || task.state == TaskState::kUnknown) {
      return fail(fmt::format("task '{}' is {}, which no agent can know", task.id.value,
                              to_text(task.state)));
    }
    if (fine != nullptr && *fine == task.framework_id) continue;
    if (!named.contains(task.framework_id.value) && !is_or_was_known(s, task.framework_id)) {
      return fail(fmt::format("task '{}' is of framework '{}', which the agent does not describe",
                              task.id.value, task.framework_id.value));
    }
    fine = &task.framework_id;
  }
  return {};
}

}  // namespace

void on_register(State& s, Session& session, const RegisterAgent& message) {
  if (session.agent != nullptr) {  // the reply was slow, the agent asked again
    return send_registered(s, *session.agent, false);
  }
  if (session.registering) return;
  if (!message.info.id.empty()) {
    return reject(s, session.id, session.peer, "an agent with an id registers again, not anew");
  }
  if (const Result<void> valid = validate(message.info); !valid.has_value()) {
    return reject(s, session.id, session.peer, valid.error().message);
  }
  if (!s.authorizer.authorize(session.principal, Action::kRegisterAgent, message.info.hostname)) {
    return shut_down(s, session.id, fmt::format("'{}' may not register agents", session.principal));
  }
  if (is_down(s, message.info.hostname)) return shut_down(s, session.id, std::string(kDown));
  if (lacks_domain(s, message.info)) return reject(s, session.id, session.peer, kNoDomain);
  session.registering = true;
  RegistryChange change{.kind = RegistryChange::Kind::kAdmit,
                        .agent = {fmt::format("{}-a{}", s.master_id, s.next_agent++)},
                        .session = session.id,
                        .info = message.info,
                        .message = std::make_unique<ReregisterAgent>(
                            ReregisterAgent{.operations = message.operations})};
  change.info.id = change.agent;
  submit(s, std::move(change));
}

void on_admitted(State& s, const RegistryChange& change) {
  Session* session = find_session(s, change.session);
  if (session == nullptr) {
    // It went without knowing its id, and will register anew.
    RegistryChange removal{.kind = RegistryChange::Kind::kForget, .agent = change.agent};
    return submit(s, std::move(removal));
  }
  const std::vector<AgentEntry*> others = agents_in_place_of(s, change.info);
  for (const AgentEntry* other : others) {
    if (!is_stale(other, change.session)) continue;
    submit(s, {.kind = RegistryChange::Kind::kForget, .agent = change.agent});
    return close_session(s, change.session, kStale);
  }
  AgentEntry& agent = add_agent(s, change.info, Phase::kDisconnected);
  for (AgentEntry* other : others) {
    // Before it is gone: what the machine still has to tell of operations it tells as the new
    // agent.
    hand_over_operations(s, *other, agent);
    remove_agent(s, *other, "a new agent registered in its place");
  }
  resync_operations(s, agent, change.message->operations);
  bind(s, agent, *session);
  open_books(s, agent);
  s.emit(event::AgentAdded{.info = &agent.info, .reregistered = false});
  send_registered(s, agent, false);
  apply_schedule(s, agent);
  start_pings(s, agent);
}

namespace {

// How an agent that comes back tells of itself, beside what it runs.
struct Introduction {
  bool knows_info = false;                  // by its hash: message.info has only the id
  std::span<const FrameworkId> frameworks;  // by their ids; known, completed, or described as well
};

void admit_again(State& s, ReregisterAgent& message, Introduction intro, Session& session) {
  AgentEntry* found = find_agent(s, message.info.id);
  const Phase before = found == nullptr ? Phase::kRecovered : found->phase;
  AgentEntry& agent = found == nullptr ? add_agent(s, message.info, Phase::kDisconnected) : *found;
  // With other attributes its filters and offers are void too, for they were made for the old ones.
  const bool keeps_books =
      agent.in_allocator && !agent.broken && (intro.knows_info || is_known_as(agent, message.info));
  const bool is_repeated = agent.session == session.id;
  if (!keeps_books) {
    leave_allocator(s, agent);
    rescind_offers_of(s, agent);
    if (!intro.knows_info && agent.info != message.info) set_info(s, agent, message.info);
  }
  bind(s, agent, session);
  if (keeps_books) {
    s.allocator.set_agent_active(agent.handle, !agent.standing.deactivated);
  } else {
    open_books(s, agent);
  }
  s.emit(event::AgentAdded{.info = &agent.info, .reregistered = true});
  send_registered(s, agent, true);
  const bool has_orders = resync(s, agent, message, intro.frameworks,
                                 {.was_here = before != Phase::kRecovered,
                                  .new_books = !keeps_books,
                                  .is_repeated = is_repeated});
  agent.told_more = has_orders || agent.standing.drain != Standing::Drain::kNo;
  // A repeated request left the agent before it could hear of any operation in this session.
  if (!is_repeated) resync_operations(s, agent, message.operations);
  if (!keeps_books) apply_schedule(s, agent);
  apply_standing(s, agent);
  start_pings(s, agent);
}

// True if the agent may not come back (now), which it was told.
bool is_refused(State& s, const Session& session, const AgentInfo& info, const AgentEntry* known) {
  if (!s.authorizer.authorize(session.principal, Action::kRegisterAgent, info.hostname)) {
    shut_down(s, session.id, fmt::format("'{}' may not register agents", session.principal));
  } else if (s.agents_removed.contains(info.id) ||
             (known != nullptr && known->leaving == Leaving::kRemoved)) {
    shut_down(s, session.id, "the agent was removed, and its tasks with it");
  } else if (is_down(s, info.hostname)) {
    shut_down(s, session.id, std::string(kDown));
  } else if (lacks_domain(s, info)) {
    reject(s, session.id, session.peer, kNoDomain);
  } else if (is_stale(known, session.id)) {
    close_session(s, session.id, kStale);
  } else {
    return false;
  }
  return true;
}

// An agent that is in the registry, and nothing is about to change that.
bool is_recorded(const AgentEntry* known) {
  return known != nullptr && known->phase != Phase::kUnreachable && known->leaving == Leaving::kNo;
}

bool belongs_to_other(State& s, const Session& session, const AgentId& id) {
  if (session.agent == nullptr || session.agent->info.id == id) return false;
  reject(s, session.id, session.peer, "the session belongs to another agent");
  return true;
}

uint64_t own_fingerprint(const AgentEntry& agent) {
  if (agent.lent.empty() && agent.excess.empty()) return fingerprint(agent.info);
  AgentInfo own = agent.info;
  own.resources = own_total(agent);
  return fingerprint(own);
}

// Keeps of what the agent describes the frameworks that nobody else has described. False if some
// that it names stay unknown.
bool meet_frameworks(State& s, ReregisterCompactly& message) {
  std::erase_if(message.framework_infos,
                [&s](const FrameworkInfo& info) { return is_or_was_known(s, info.id); });
  auto described = message.framework_infos.begin();
  return std::ranges::all_of(message.frameworks, [&](const FrameworkId& id) {
    const bool is_new = described != message.framework_infos.end() && described->id == id;
    if (is_new) ++described;
    return is_new || is_or_was_known(s, id);
  });
}

// Whether the master knows all that the agent leaves out.
bool is_enough(State& s, const AgentEntry* known, ReregisterCompactly& message) {
  return is_recorded(known) && own_fingerprint(*known) == message.info_hash &&
         meet_frameworks(s, message);
}

}  // namespace

void on_reregister(State& s, Session& session, ReregisterAgent& message) {
  if (session.registering) return;
  // Where this session is registered, the total does not yet show the operations it was told of.
  const AgentEntry* bound = session.agent;
  if (bound != nullptr && bound->in_allocator && !bound->broken) {
    message.info.resources = own_total(*bound);
  }
  if (belongs_to_other(s, session, message.info.id)) return;
  Result<void> valid = validate_id(message.info.id.value, "agent id");
  if (valid.has_value()) valid = validate(message.info);
  if (valid.has_value()) valid = check_frameworks(message.frameworks);
  if (valid.has_value()) valid = check_work(s, message);
  if (!valid.has_value()) return reject(s, session.id, session.peer, valid.error().message);
  const AgentEntry* known = find_agent(s, message.info.id);
  if (is_refused(s, session, message.info, known)) return;
  if (is_recorded(known) && is_known_as(*known, message.info)) {
    return admit_again(s, message, {}, session);
  }
  session.registering = true;
  const AgentId id = message.info.id;
  RegistryChange change{.kind = RegistryChange::Kind::kReadmit,
                        .agent = id,
                        .session = session.id,
                        .message = std::make_unique<ReregisterAgent>(std::move(message))};
  submit(s, std::move(change));
}

void on_reregister(State& s, Session& session, ReregisterCompactly& message) {
  if (session.registering) return;
  if (belongs_to_other(s, session, message.id)) return;
  if (message.repeated && session.agent != nullptr && !session.agent->told_more) {
    return send_registered(s, *session.agent, true);  // the reply was slow, or is lost
  }
  Result<void> valid = check_frameworks(message);
  if (!valid.has_value()) return reject(s, session.id, session.peer, valid.error().message);
  const AgentEntry* known = find_agent(s, message.id);
  if (message.repeated || !is_enough(s, known, message)) {
    return s.effects.send(session.id, MasterToAgent(ReregisterFully{}));
  }
  ReregisterAgent whole{.info = {.id = message.id},
                        .frameworks = std::move(message.framework_infos),
                        .tasks = std::move(message.tasks),
                        .operations = std::move(message.operations),
                        .executors = std::move(message.executors)};
  valid = check_work(s, whole);
  if (!valid.has_value()) return reject(s, session.id, session.peer, valid.error().message);
  if (is_refused(s, session, known->info, known)) return;
  admit_again(s, whole, {.knows_info = true, .frameworks = message.frameworks}, session);
}

void on_readmitted(State& s, const RegistryChange& change) {
  const AgentEntry* known = find_agent(s, change.agent);
  Session* session = find_session(s, change.session);
  if (known != nullptr && known->leaving == Leaving::kRemoved) {
    if (session != nullptr) shut_down(s, session->id, "the agent was removed");
    return;
  }
  if (is_stale(known, change.session)) return close_session(s, change.session, kStale);
  // Without the session nothing follows: the agent registers again, and finds itself recorded.
  if (session == nullptr) return;
  if (known != nullptr && known->leaving == Leaving::kToUnreachable) {
    // It was given up while this was being written, and that is written next: back again after it.
    return submit(s, {.kind = RegistryChange::Kind::kReadmit,
                      .agent = change.agent,
                      .session = change.session,
                      .message = std::make_unique<ReregisterAgent>(std::move(*change.message))});
  }
  admit_again(s, *change.message, {}, *session);
}

}  // namespace tepui::master
