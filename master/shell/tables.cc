#include "master/shell/tables.h"

#include <algorithm>
#include <tuple>

#include "common/limits.h"
#include "common/roles.h"

namespace tepui {

namespace {
constexpr std::string_view kBroken = "broken";
constexpr std::string_view kCompleted = "completed";
constexpr std::string_view kUnreachable = "unreachable";
constexpr int64_t kDefaultWeightMilli = 1000;

bool holds_resources(TaskState state) {
  return !is_terminal(state) && state != TaskState::kUnreachable;
}
}  // namespace

void Tables::apply(feed::Item item, WallTime at) {
  ++version_;
  if (auto* i = std::get_if<feed::TaskChange>(&item)) return on(std::move(*i));
  if (auto* i = std::get_if<feed::TaskUp>(&item)) return on(std::move(*i));
  if (const auto* i = std::get_if<feed::TaskDown>(&item)) return on(*i);
  if (auto* i = std::get_if<feed::ExecutorChange>(&item)) return on(std::move(*i));
  if (const auto* i = std::get_if<feed::OfferUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<event::OfferEnded>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::AgentUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<feed::AgentDown>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::FrameworkUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<feed::FrameworkDown>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::RoleWeight>(&item)) return on(*i);
  if (auto* i = std::get_if<feed::RoleQuota>(&item)) return on(std::move(*i));
  if (const auto* i = std::get_if<feed::AgentStanding>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::AgentPlanned>(&item)) return on(*i);
  if (auto* i = std::get_if<feed::MachineChange>(&item)) return on(std::move(*i));
  if (const auto* i = std::get_if<feed::InverseAnswer>(&item)) return on(*i);
  if (auto* i = std::get_if<feed::MetricsSnapshot>(&item)) {
    metrics_ = std::move(i->rows);
  } else if (const auto* elected = std::get_if<feed::Elected>(&item)) {
    epoch_ = elected->epoch;
    master_id_ = elected->master_id;
    complete_ = true;
  } else if (std::holds_alternative<feed::Reset>(item)) {
    reset();
  } else if (std::holds_alternative<feed::Deposed>(item)) {
    // Of the state nothing is left, and nobody watches any more.
    reset();
    seen_before_.clear();
    epoch_ = 0;
    master_id_.clear();
  } else if (std::holds_alternative<feed::Complete>(item)) {
    complete_ = true;
    seen_before_.clear();
    changed_ = Changed{.keys = {}, .removed = {}, .resync = true};
  }
}

void Tables::reset() {
  for (const auto& [id, row] : agents_)
    seen_before_[{Table::kAgents, id.value}] = row.registered_at;
  for (const auto& [id, row] : frameworks_) {
    seen_before_[{Table::kFrameworks, id.value}] = row.subscribed_at;
  }
  for (const auto& [id, row] : offers_) seen_before_[{Table::kOffers, to_text(id)}] = row.made_at;
  agents_.clear();
  std::erase_if(frameworks_, [](const auto& entry) { return entry.second.state != kCompleted; });
  std::erase_if(tasks_, [](const auto& entry) { return !entry.second.completed; });
  agent_sums_.clear();
  framework_sums_.clear();
  executors_.clear();
  roles_.clear();
  offers_.clear();
  maintenance_.clear();
  cluster_milli_.clear();
  reserved_.clear();
  complete_ = false;
}

WallTime Tables::since(Table table, const std::string& key, WallTime at) const {
  const auto found = seen_before_.find({table, key});
  return found == seen_before_.end() ? at : found->second;
}

void Tables::count_in_cluster(const AgentRow& row, int64_t sign) {
  const Quantities quantities = row.info.resources.quantities();
  for (const Quantities::Item& q : quantities.items()) cluster_milli_[q.name] += sign * q.milli;
  for (const Resource& item : row.info.resources.items()) {
    if (!item.kind->is_reserved() || !item.is_scalar()) continue;
    const std::string role(item.kind->reservation_role());
    Quantities amount;
    amount.add(item.name(), item.scalar_milli());
    Quantities& reserved = reserved_[role];
    if (sign > 0) {
      reserved.add(amount);
    } else {
      reserved.subtract(amount);
    }
    if (reserved.empty()) reserved_.erase(role);
    this->role(role);
    touch_role(role);
  }
}

void Tables::on(const feed::AgentUp& item, WallTime at) {
  const auto [found, added] = agents_.try_emplace(item.info.id);
  AgentRow& row = found->second;
  if (added) {
    row.registered_at = since(Table::kAgents, item.info.id.value, at);
  } else if (row.state != kUnreachable) {
    count_in_cluster(row, -1);
  }
  row.info = item.info;
  row.state = "active";
  count_in_cluster(row, 1);
  touch(Table::kAgents, item.info.id.value);
}

void Tables::on(const feed::AgentDown& item) {
  const auto found = agents_.find(item.id);
  if (found == agents_.end()) return;
  AgentRow& row = found->second;
  const bool counted = row.state != kUnreachable;
  switch (item.how) {
    case feed::AgentDown::How::kDisconnected:
      // Broken says more, and stays true until it registers again.
      if (row.state != kBroken) row.state = "disconnected";
      break;
    case feed::AgentDown::How::kUnreachable:
      if (counted) count_in_cluster(row, -1);
      row.state = kUnreachable;
      forget_answers_about(row);
      break;
    case feed::AgentDown::How::kBroken:
      if (counted) row.state = kBroken;
      break;
    case feed::AgentDown::How::kRemoved:
      if (counted) count_in_cluster(row, -1);
      forget_answers_about(row);
      agents_.erase(found);
      gone(Table::kAgents, item.id.value);
      return;
  }
  touch(Table::kAgents, item.id.value);
}

void Tables::on(const feed::FrameworkUp& item, WallTime at) {
  const auto [found, added] = frameworks_.try_emplace(item.info.id);
  FrameworkRow& row = found->second;
  if (added) row.subscribed_at = since(Table::kFrameworks, item.info.id.value, at);
  const std::vector<std::string> before =
      added || row.state == kCompleted ? std::vector<std::string>() : std::move(row.info.roles);
  row.info = item.info;
  row.state = item.how == feed::FrameworkUp::How::kRecovered ? "recovered" : "active";
  for (const std::string& name : row.info.roles) ++role(name).frameworks;
  for (const std::string& name : before) --role(name).frameworks;
  for (const std::string& name : before) touch_role(name);
  for (const std::string& name : row.info.roles) touch_role(name);
  touch(Table::kFrameworks, item.info.id.value);
}

void Tables::on(const feed::FrameworkDown& item) {
  const auto found = frameworks_.find(item.id);
  if (found == frameworks_.end() || found->second.state == kCompleted) return;
  FrameworkRow& row = found->second;
  row.state = item.removed ? kCompleted : "disconnected";
  touch(Table::kFrameworks, item.id.value);
  if (!item.removed) return;
  forget_answers_of(item.id);
  for (const std::string& name : row.info.roles) {
    --role(name).frameworks;
    touch_role(name);
  }
  completed_frameworks_.push_back(item.id);
  if (completed_frameworks_.size() <= limits::kCompletedFrameworksMax) return;
  const FrameworkId oldest = completed_frameworks_.front();
  completed_frameworks_.pop_front();
  const auto forgotten = frameworks_.find(oldest);
  if (forgotten == frameworks_.end() || forgotten->second.state != kCompleted) return;
  frameworks_.erase(forgotten);
  gone(Table::kFrameworks, oldest.value);
}

void Tables::on(feed::TaskUp item) {
  const Task& task = item.task;
  KnownTask& known = tasks_[{task.framework_id, task.id}];
  settle_hold(known, false);  // of an earlier task with this id
  known.task = std::move(item.task);
  known.completed = false;
  settle_hold(known, holds_resources(known.task.state));
  touch(Table::kTasks, known.task.id.value, known.task.framework_id.value);
}

void Tables::on(feed::TaskChange item) {
  const auto found = tasks_.find({item.framework_id, item.id});
  // In a resync: it will be told with the state it then has.
  if (found == tasks_.end() || found->second.completed) return;
  KnownTask& known = found->second;
  known.task.state = item.state;
  known.task.update_state = item.update_state;
  known.task.update_uuid = item.update_uuid;
  known.task.container_id = std::move(item.container_id);
  known.task.last_status = std::move(item.last_status);
  settle_hold(known, holds_resources(item.state));
  touch(Table::kTasks, item.id.value, item.framework_id.value);
}

void Tables::on(const feed::TaskDown& item) {
  const auto found = tasks_.find({item.framework_id, item.id});
  if (found == tasks_.end() || found->second.completed) return;
  settle_hold(found->second, false);
  found->second.completed = true;
  touch(Table::kTasks, item.id.value, item.framework_id.value);
  remember_completed(found->first);
}

void Tables::settle_hold(KnownTask& known, bool holds) {
  if (known.holding == holds) return;
  known.holding = holds;
  const Task& task = known.task;
  const Held held{.framework_id = task.framework_id,
                  .agent_id = task.agent_id,
                  .role = task.kind->role,
                  .resources = task.kind->resources};
  holds ? hold(Hold::kAllocated, held) : release(Hold::kAllocated, held);
}

void Tables::remember_completed(TaskKey key) {
  completed_tasks_.push_back(std::move(key));
  if (completed_tasks_.size() <= limits::kCompletedTasksMax) return;
  const TaskKey oldest = std::move(completed_tasks_.front());
  completed_tasks_.pop_front();
  const auto found = tasks_.find(oldest);
  // Its id may have been used again, and that task not be completed.
  if (found == tasks_.end() || !found->second.completed) return;
  tasks_.erase(found);
  gone(Table::kTasks, oldest.second.value, oldest.first.value);
}

void Tables::on(feed::ExecutorChange item) {
  const std::tuple key(item.framework_id, item.agent_id, item.id);
  const auto release_it = [this](const feed::ExecutorChange& known) {
    release(Hold::kAllocated, {.framework_id = known.framework_id,
                               .agent_id = known.agent_id,
                               .role = known.role,
                               .resources = known.resources});
  };
  if (const auto found = executors_.find(key); found != executors_.end()) {
    release_it(found->second);
    executors_.erase(found);
  }
  if (!item.lives) return;
  const feed::ExecutorChange& known = executors_[key] = std::move(item);
  hold(Hold::kAllocated, {.framework_id = known.framework_id,
                          .agent_id = known.agent_id,
                          .role = known.role,
                          .resources = known.resources});
}

void Tables::on(const feed::OfferUp& item, WallTime at) {
  const auto [found, added] =
      offers_.try_emplace(item.id, OfferRow{.id = item.id,
                                            .framework_id = item.framework_id,
                                            .agent_id = item.agent_id,
                                            .role = item.role,
                                            .resources = item.resources,
                                            .made_at = {}});
  if (!added) return;  // made while the state was being told, and now part of it
  found->second.made_at = since(Table::kOffers, to_text(item.id), at);
  hold(Hold::kOffered, Held{.framework_id = item.framework_id,
                            .agent_id = item.agent_id,
                            .role = item.role,
                            .resources = item.resources});
  touch(Table::kOffers, to_text(item.id));
}

void Tables::on(const event::OfferEnded& item) {
  const auto found = offers_.find(item.id);
  if (found == offers_.end()) return;
  release(Hold::kOffered, Held{.framework_id = found->second.framework_id,
                               .agent_id = found->second.agent_id,
                               .role = found->second.role,
                               .resources = found->second.resources});
  offers_.erase(found);
  gone(Table::kOffers, to_text(item.id));
}

void Tables::on(const feed::RoleWeight& item) {
  role(item.role).weight_milli = item.weight_milli;
  touch_role(item.role);
}

void Tables::on(feed::RoleQuota item) {
  role(item.role).quota = std::move(item.quota);
  touch_role(item.role);
}

void Tables::on(const feed::AgentStanding& item) {
  const auto found = agents_.find(item.id);
  if (found == agents_.end()) return;
  found->second.deactivated = item.deactivated;
  found->second.draining = item.draining;
  touch(Table::kAgents, item.id.value);
}

void Tables::on(const feed::AgentPlanned& item) {
  const auto found = agents_.find(item.id);
  if (found == agents_.end()) return;
  found->second.unavailability = item.unavailability;
  forget_answers_about(found->second);
  touch(Table::kAgents, item.id.value);
}

void Tables::on(feed::MachineChange item) {
  const std::string hostname = item.row.hostname;
  if (item.row.mode.empty()) {
    if (maintenance_.erase(hostname) > 0) gone(Table::kMaintenance, hostname);
    return;
  }
  MaintenanceRow& row = maintenance_[hostname];
  // What was answered to another plan is void.
  if (row.unavailability == item.row.unavailability) item.row.answers = std::move(row.answers);
  row = std::move(item.row);
  touch(Table::kMaintenance, hostname);
}

void Tables::on(const feed::InverseAnswer& item) {
  const auto agent = agents_.find(item.answer.agent_id);
  if (agent == agents_.end()) return;
  const auto machine = maintenance_.find(agent->second.info.hostname);
  if (machine == maintenance_.end()) return;
  const auto key = [](const MaintenanceRow::Answer& answer) {
    return std::tie(answer.agent_id, answer.framework_id);
  };
  std::vector<MaintenanceRow::Answer>& answers = machine->second.answers;
  const auto at = std::ranges::lower_bound(answers, key(item.answer), {}, key);
  if (at != answers.end() && key(*at) == key(item.answer)) {
    *at = item.answer;
  } else {
    answers.insert(at, item.answer);
  }
  touch(Table::kMaintenance, machine->first);
}

void Tables::forget_answers_about(const AgentRow& agent) {
  const auto machine = maintenance_.find(agent.info.hostname);
  if (machine == maintenance_.end()) return;
  const size_t erased = std::erase_if(
      machine->second.answers,
      [&agent](const MaintenanceRow::Answer& answer) { return answer.agent_id == agent.info.id; });
  if (erased > 0) touch(Table::kMaintenance, machine->first);
}

void Tables::forget_answers_of(const FrameworkId& framework) {
  for (auto& [hostname, row] : maintenance_) {
    const size_t erased =
        std::erase_if(row.answers, [&framework](const MaintenanceRow::Answer& answer) {
          return answer.framework_id == framework;
        });
    if (erased > 0) touch(Table::kMaintenance, hostname);
  }
}

Quantities Tables::consumed(const std::string& role) const {
  Quantities sum;
  const auto add_below = [&role](const auto& map, const auto& add) {
    for (const auto& [name, value] : map) {
      if (name == role || is_descendant(role, name)) add(value);
    }
  };
  add_below(reserved_, [&sum](const Quantities& reserved) { sum.add(reserved); });
  add_below(roles_, [&sum](const RoleRow& row) {
    sum.add(row.allocated
                .filter([](const Resource& item) {
                  return !item.kind->is_reserved() && !item.kind->revocable && !item.kind->shared;
                })
                .quantities());
  });
  return sum;
}

void Tables::hold(Hold kind, const Held& held) {
  const auto add = [kind](auto& sums, const Resources& what) {
    (kind == Hold::kAllocated ? sums.allocated : sums.offered) += what;
  };
  // Across agents only scalars have a sum: two agents may have the same ports.
  const Resources scalars = held.resources.scalars_only();
  add(role(held.role), scalars);
  add(framework_sums_[held.framework_id], scalars);
  add(agent_sums_[held.agent_id], held.resources);
  if (kind == Hold::kAllocated) {
    ++framework_sums_[held.framework_id].tasks;
    ++agent_sums_[held.agent_id].tasks;
  }
  touch_holders(held);
}

void Tables::release(Hold kind, const Held& held) {
  const auto take = [kind](auto& sums, const Resources& what) {
    (kind == Hold::kAllocated ? sums.allocated : sums.offered) -= what;
  };
  const auto take_of = [&](auto& sums_of, const auto& id, const Resources& what) {
    Sums& sums = sums_of.at(id);
    take(sums, what);
    if (kind == Hold::kAllocated) --sums.tasks;
    if (sums.tasks == 0 && sums.allocated.empty() && sums.offered.empty()) sums_of.erase(id);
  };
  const Resources scalars = held.resources.scalars_only();
  take(role(held.role), scalars);
  take_of(framework_sums_, held.framework_id, scalars);
  take_of(agent_sums_, held.agent_id, held.resources);
  touch_holders(held);
}

void Tables::touch_holders(const Held& held) {
  touch(Table::kAgents, held.agent_id.value);
  touch(Table::kFrameworks, held.framework_id.value);
  touch_role(held.role);
}

AgentRow Tables::with_sums(AgentRow row) const {
  if (const auto found = agent_sums_.find(row.info.id); found != agent_sums_.end()) {
    row.allocated = found->second.allocated;
    row.offered = found->second.offered;
    row.tasks = found->second.tasks;
  }
  return row;
}

FrameworkRow Tables::with_sums(FrameworkRow row) const {
  if (const auto found = framework_sums_.find(row.info.id); found != framework_sums_.end()) {
    row.allocated = found->second.allocated;
    row.offered = found->second.offered;
    row.tasks = found->second.tasks;
  }
  return row;
}

RoleRow& Tables::role(const std::string& name) {
  RoleRow& row = roles_[name];
  row.name = name;
  return row;
}

void Tables::touch_role(const std::string& name) {
  // What it consumes, those above it consume.
  for (size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    if (std::string above = name.substr(0, slash); roles_.contains(above)) {
      touch(Table::kRoles, above);
    }
  }
  const auto found = roles_.find(name);
  if (found == roles_.end()) return;
  const RoleRow& row = found->second;
  if (row.frameworks != 0 || row.weight_milli != kDefaultWeightMilli || !row.allocated.empty() ||
      !row.offered.empty() || !row.quota.is_default() || reserved_.contains(name)) {
    return touch(Table::kRoles, name);
  }
  roles_.erase(found);
  gone(Table::kRoles, name);
}

void Tables::touch(Table table, const std::string& key, const std::string& within) {
  if (collect_ == Collect::kChanges) changed_.touch({table, key, within});
}

void Tables::gone(Table table, const std::string& key, const std::string& within) {
  if (collect_ == Collect::kChanges) changed_.remove({table, key, within});
}

int64_t Tables::dominant_share_ppm(const RoleRow& row) const {
  Quantities used = row.allocated.quantities();
  used.add(row.offered.quantities());
  int64_t share = 0;
  for (const Quantities::Item& item : used.items()) {
    if (std::ranges::find(unfair_, item.name) != unfair_.end()) continue;
    const auto total = cluster_milli_.find(item.name);
    if (total == cluster_milli_.end() || total->second <= 0) continue;
    __extension__ using Wide = __int128;
    share = std::max(share, static_cast<int64_t>(Wide{item.milli} * 1'000'000 / total->second));
  }
  return share;
}

}  // namespace tepui
