#include "tests/sim/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "common/executors.h"
#include "common/roles.h"
#include "tests/sim/fits.h"

namespace tepui::sim {

namespace {
bool holds_resources(TaskState state) {
  return !is_terminal(state) && state != TaskState::kUnreachable;
}
}  // namespace

void Ledger::on_event(const Event& event) {
  std::visit([this](const auto& one) { on(one); }, event);
}

void Ledger::on(const event::AgentAdded& e) {
  AgentBook& book = agents_[e.info->id];
  book.total = e.info->resources;
  book.connected = true;
  touched_.insert(e.info->id);
  world_.reached(e.reregistered ? "agent.reregistered" : "agent.registered");
}

void Ledger::on(const event::AgentDisconnected& e) {
  const auto at = agents_.find(*e.id);
  if (at != agents_.end()) at->second.connected = false;
  touched_.insert(*e.id);
  world_.reached("agent.disconnected");
}

void Ledger::on(const event::AgentUnreachable& e) {
  world_.reached("agent.unreachable");
  forget_agent(*e.id);
}

void Ledger::on(const event::AgentRemoved& e) {
  world_.reached("agent.removed");
  forget_agent(*e.id);
}

void Ledger::on(const event::AgentUpdated& e) {
  agents_[e.info->id].total = e.info->resources;
  touched_.insert(e.info->id);
}

// Judged at the end of the run: the master must live on and the agent must come back.
void Ledger::on(const event::AgentBroken& e) {
  world_.reached("agent.broken");
  world_.trace(fmt::format("agent {} is broken: {}", e.id->value, e.why));
  const auto at = agents_.find(*e.id);
  if (at != agents_.end()) at->second.connected = false;
}

void Ledger::forget_agent(const AgentId& id) {
  for (const auto& [offer, entry] : offers_) {
    if (entry.agent == id) {
      world_.violated("offers", fmt::format("agent {} went, but its offer {} is still out",
                                            id.value, to_text(offer)));
    }
  }
  for (auto& [key, task] : tasks_) {
    if (task.agent == id) task.held = false;
  }
  for (auto& [key, held] : executors_) {
    if (key.first == id) held = {};
  }
  agents_.erase(id);
}

void Ledger::release(const AgentId& id, const Resources& resources, Resources AgentBook::* part) {
  const auto at = agents_.find(id);
  if (at == agents_.end()) return;
  Resources& sum = at->second.*part;
  if (!sum.contains(resources)) {
    return world_.violated("ledger",
                           fmt::format("{} are released on agent {}, of which only {} were "
                                       "given",
                                       to_text(resources), id.value, to_text(sum)));
  }
  sum -= resources;
  touched_.insert(id);
}

// Moves the task's resources to where its state wants them.
void Ledger::settle(TaskEntry& task) {
  const bool holds = holds_resources(task.state);
  if (task.held && !holds) {
    task.held = false;
    release(task.agent, task.resources, &AgentBook::allocated);
  } else if (!task.held && holds) {
    const auto at = agents_.find(task.agent);
    if (at == agents_.end()) return;
    task.held = true;
    at->second.allocated += task.resources;
    touched_.insert(task.agent);
  }
}

void Ledger::check_rescinded(const AgentId& id) {
  for (const auto& [offer, entry] : offers_) {
    if (entry.agent != id || entry.resources.revocable().empty()) continue;
    world_.violated("rescinding",
                    fmt::format("agent {} has other revocable resources than before, and its offer "
                                "{} of {} is still out",
                                id.value, to_text(offer), to_text(entry.resources)));
  }
}

void Ledger::check_unmixed(std::string_view task, const Resources& resources) {
  if (!resources.revocable().empty()) world_.reached("task.revocable");
  for (const std::string& name : resources.revocable().names()) {
    if (resources.non_revocable().total_milli(name) == 0) continue;
    world_.violated("unmixed", fmt::format("task {} runs on {}", task, to_text(resources)));
  }
}

void Ledger::on(const event::TaskAdded& e) {
  const TaskKey key{e.task->framework_id, e.task->id};
  const auto [at, fresh] = tasks_.emplace(key, TaskEntry{e.task->agent_id, e.task->kind->resources,
                                                         e.task->state, false, e.task->kind->role});
  if (!fresh) {
    return world_.violated("fate", fmt::format("task {} was added twice", e.task->id.value));
  }
  if (e.recovered) world_.reached("task.recovered");
  if (holds_resources(e.task->state)) check_unmixed(e.task->id.value, e.task->kind->resources);
  settle(at->second);
  if (holds_resources(at->second.state) && !at->second.held) {
    world_.violated("ledger", fmt::format("task {} was added on agent {}, which is not there",
                                          e.task->id.value, e.task->agent_id.value));
  }
}

void Ledger::on(const event::TaskUpdated& e) {
  world_.reached(to_text(e.task->state));
  const auto at = tasks_.find({e.task->framework_id, e.task->id});
  if (at == tasks_.end()) return;
  TaskEntry& entry = at->second;
  // A task of an agent that comes back may be as young as STAGING, whatever was thought of it.
  const bool over = is_terminal(entry.state) && entry.state != TaskState::kLost;
  if (over && entry.state != e.task->state) {
    return world_.violated(
        "fate", fmt::format("the master lets {} follow {} for task {}", to_text(e.task->state),
                            to_text(entry.state), e.task->id.value));
  }
  entry.state = e.task->state;
  settle(entry);
}

void Ledger::on(const event::TaskRemoved& e) {
  const auto at = tasks_.find({e.task->framework_id, e.task->id});
  if (at == tasks_.end()) return;
  if (at->second.held) release(at->second.agent, at->second.resources, &AgentBook::allocated);
  tasks_.erase(at);
}

void Ledger::on(const event::ExecutorAdded& e) {
  const bool has_book = agents_.contains(*e.agent_id);
  const auto [at, fresh] =
      executors_.emplace(std::pair{*e.agent_id, ExecutorKey{*e.framework_id, e.executor->id}},
                         has_book ? e.executor->resources : Resources{});
  if (!fresh) {
    return world_.violated("ledger", fmt::format("executor {} was added twice on agent {}",
                                                 e.executor->id.value, e.agent_id->value));
  }
  world_.reached("executor.added");
  if (!has_book) return;
  agents_.at(*e.agent_id).allocated += at->second;
  touched_.insert(*e.agent_id);
}

void Ledger::on(const event::ExecutorRemoved& e) {
  const auto at = executors_.find({*e.agent_id, {*e.framework_id, e.executor->id}});
  if (at == executors_.end()) {
    return world_.violated("ledger", fmt::format("executor {} was removed from agent {}, on which "
                                                 "it was not",
                                                 e.executor->id.value, e.agent_id->value));
  }
  release(*e.agent_id, at->second, &AgentBook::allocated);
  executors_.erase(at);
}

void Ledger::on(const event::OperationUpdated& e) {
  if (e.status->state != OperationState::kPending) return;
  world_.reached(to_text(e.operation->type));
  const bool is_resize = e.operation->type == Operation::Type::kGrowVolume ||
                         e.operation->type == Operation::Type::kShrinkVolume;
  if (!is_resize && e.operation->type != Operation::Type::kDestroy) return;
  for (const auto& [key, task] : tasks_) {
    if (!task.held || task.agent != *e.agent_id) continue;
    for (const Resource& item : e.operation->resources.items()) {
      const auto is_it = [&item](const Resource& used) { return *used.kind == *item.kind; };
      if (std::ranges::none_of(task.resources.items(), is_it)) continue;
      world_.violated(
          "volumes",
          fmt::format("{} of {} on agent {}, which task {} uses", to_text(e.operation->type),
                      to_text(e.operation->resources), e.agent_id->value, key.second.value));
    }
  }
}

void Ledger::on(const event::QuotaChanged& e) {
  world_.reached("quota.changed");
  quotas_[std::string(e.role)] = *e.quota;
}

void Ledger::on(const event::AgentStanding& e) {
  const auto at = agents_.find(*e.id);
  if (at == agents_.end()) return;
  at->second.deactivated = e.deactivated;
  for (const auto& [id, offer] : offers_) {
    if (e.deactivated && offer.agent == *e.id) {
      world_.violated("standing", fmt::format("agent {} is deactivated, and its offer {} is out",
                                              e.id->value, to_text(id)));
    }
  }
  if (e.draining != "drained") return;
  world_.reached("agent.drained");
  for (const auto& [key, task] : tasks_) {
    // One that has ended may come back with the agent, if its acknowledgement was lost.
    if (task.agent != *e.id || is_terminal(task.state)) continue;
    world_.violated("drain", fmt::format("agent {} is called drained with task {} on it",
                                         e.id->value, key.second.value));
  }
}

int64_t Ledger::used_of(std::string_view role, std::string_view name) const {
  int64_t milli = 0;
  const auto add = [&](const std::string& of, const Resources& what) {
    if (of != role && !is_descendant(role, of)) return;
    milli += what.total_milli(name) - what.revocable().total_milli(name);
  };
  for (const auto& [id, offer] : offers_) add(offer.role, offer.resources);
  for (const auto& [key, task] : tasks_) {
    if (task.held) add(task.role, task.resources);
  }
  return milli;
}

void Ledger::check_limits(std::string_view role, const Resources& offered) {
  for (const std::string_view above : role_path(role)) {
    const auto quota = quotas_.find(std::string(above));
    if (quota == quotas_.end()) continue;
    for (const auto& [name, milli] : quota->second.limits_milli) {
      if (offered.total_milli(name) == 0) continue;
      const int64_t used_milli = used_of(above, name);
      if (used_milli <= milli) continue;
      world_.violated("limits",
                      fmt::format("role {} was offered {} {}, which makes {} of at most {}", role,
                                  milli_to_text(offered.total_milli(name)), name,
                                  milli_to_text(used_milli), milli_to_text(milli)));
    }
  }
}

void Ledger::on(const event::OfferMade& e) {
  if (!offers_.emplace(e.id, OfferEntry{*e.agent_id, *e.resources, std::string(e.role)}).second) {
    return world_.violated("offers", fmt::format("offer {} was made twice", to_text(e.id)));
  }
  if (!e.resources->revocable().empty()) world_.reached("offer.revocable");
  check_limits(e.role, e.resources->non_revocable());
  const auto at = agents_.find(*e.agent_id);
  if (at != agents_.end() && at->second.deactivated) {
    return world_.violated("standing", fmt::format("offer {} is of agent {}, which is deactivated",
                                                   to_text(e.id), e.agent_id->value));
  }
  if (at == agents_.end() || !at->second.connected) {
    return world_.violated("offers", fmt::format("offer {} is of agent {}, which is not connected",
                                                 to_text(e.id), e.agent_id->value));
  }
  at->second.offered += *e.resources;
  touched_.insert(*e.agent_id);
}

void Ledger::on(const event::OfferEnded& e) {
  const auto at = offers_.find(e.id);
  if (at == offers_.end()) {
    return world_.violated("offers", fmt::format("offer {} ended, but was not out", to_text(e.id)));
  }
  switch (e.how) {
    case event::OfferEnd::kAccepted:
      world_.reached("offer.accepted");
      break;
    case event::OfferEnd::kDeclined:
      world_.reached("offer.declined");
      break;
    case event::OfferEnd::kRescinded:
      world_.reached("offer.rescinded");
      break;
    case event::OfferEnd::kTimedOut:
      world_.reached("offer.timed_out");
      break;
    case event::OfferEnd::kDiscarded:
      world_.reached("offer.discarded");
      break;
  }
  release(at->second.agent, at->second.resources, &AgentBook::offered);
  offers_.erase(at);
}

void Ledger::check() {
  for (const AgentId& id : touched_) {
    const auto at = agents_.find(id);
    if (at == agents_.end()) continue;
    const AgentBook& book = at->second;
    if (!fits(book.total, book.offered + book.allocated)) {
      world_.violated("ledger", fmt::format("agent {} has {}, but {} are offered and {} allocated",
                                            id.value, to_text(book.total), to_text(book.offered),
                                            to_text(book.allocated)));
    }
    if (!book.connected && !book.offered.empty()) {
      world_.violated("offers", fmt::format("agent {} is disconnected, but {} of it are offered",
                                            id.value, to_text(book.offered)));
    }
  }
  touched_.clear();
}

std::string Ledger::what_is_not_free() const {
  for (const auto& [id, book] : agents_) {
    if (!book.offered.empty()) {
      return fmt::format("{} of agent {} are still offered", to_text(book.offered), id.value);
    }
    if (!book.allocated.empty()) {
      return fmt::format("{} of agent {} are still allocated", to_text(book.allocated), id.value);
    }
  }
  return {};
}

}  // namespace tepui::sim
