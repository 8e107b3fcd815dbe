#include "master/shell/tables.h"

#include <algorithm>

#include "common/limits.h"

namespace tepui {

void Tables::apply(const feed::Item& item, WallTime at) {
  ++version_;
  if (const auto* i = std::get_if<feed::TaskChange>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::OfferUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<event::OfferEnded>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::AgentUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<feed::AgentDown>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::FrameworkUp>(&item)) return on(*i, at);
  if (const auto* i = std::get_if<feed::FrameworkDown>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::RoleWeight>(&item)) return on(*i);
  if (const auto* i = std::get_if<feed::MetricsSnapshot>(&item)) {
    metrics_ = i->rows;
  } else if (const auto* elected = std::get_if<feed::Elected>(&item)) {
    epoch_ = elected->epoch;
    master_id_ = elected->master_id;
    complete_ = true;
  } else if (std::holds_alternative<feed::Reset>(item)) {
    reset();
  } else if (std::holds_alternative<feed::Complete>(item)) {
    complete_ = true;
    changed_ = Changed{.keys = {}, .removed = {}, .resync = true};
  }
}

void Tables::reset() {
  agents_.clear();
  std::erase_if(frameworks_, [](const auto& entry) { return entry.second.state != "completed"; });
  std::erase_if(tasks_, [this](const auto& entry) { return task_holds_.contains(entry.first); });
  task_holds_.clear();
  roles_.clear();
  offers_.clear();
  cluster_milli_.clear();
  complete_ = false;
}

void Tables::on(const feed::AgentUp& item, WallTime at) {
  AgentRow& row = agents_[item.info.id];
  const Quantities before = row.info.resources.quantities();
  for (const Quantities::Item& q : before.items()) cluster_milli_[q.name] -= q.milli;
  row.info = item.info;
  row.state = "active";
  if (row.registered_at == WallTime{}) row.registered_at = at;
  const Quantities after = item.info.resources.quantities();
  for (const Quantities::Item& q : after.items()) cluster_milli_[q.name] += q.milli;
  touch(Table::kAgents, item.info.id.value);
}

void Tables::on(const feed::AgentDown& item) {
  const auto found = agents_.find(item.id);
  if (found == agents_.end()) return;
  switch (item.how) {
    case feed::AgentDown::How::kDisconnected:
      found->second.state = "disconnected";
      break;
    case feed::AgentDown::How::kUnreachable:
      found->second.state = "unreachable";
      break;
    case feed::AgentDown::How::kBroken:
      found->second.state = "broken";
      break;
    case feed::AgentDown::How::kRemoved: {
      const Quantities had = found->second.info.resources.quantities();
      for (const Quantities::Item& q : had.items()) cluster_milli_[q.name] -= q.milli;
      agents_.erase(found);
      gone(Table::kAgents, item.id.value);
      return;
    }
  }
  touch(Table::kAgents, item.id.value);
}

void Tables::on(const feed::FrameworkUp& item, WallTime at) {
  FrameworkRow& row = frameworks_[item.info.id];
  for (const std::string& name : row.info.roles) role(name).frameworks = 0;
  row.info = item.info;
  if (row.subscribed_at == WallTime{}) row.subscribed_at = at;
  row.state = item.how == feed::FrameworkUp::How::kRecovered ? "recovered" : "active";
  for (const std::string& name : item.info.roles) {
    role(name);
    touch(Table::kRoles, name);
  }
  touch(Table::kFrameworks, item.info.id.value);
}

void Tables::on(const feed::FrameworkDown& item) {
  const auto found = frameworks_.find(item.id);
  if (found == frameworks_.end()) return;
  found->second.state = item.removed ? "completed" : "disconnected";
  touch(Table::kFrameworks, item.id.value);
  for (const std::string& name : found->second.info.roles) touch(Table::kRoles, name);
  if (!item.removed) return;
  completed_frameworks_.push_back(item.id);
  if (completed_frameworks_.size() > limits::kCompletedFrameworksMax) {
    frameworks_.erase(completed_frameworks_.front());
    gone(Table::kFrameworks, completed_frameworks_.front().value);
    completed_frameworks_.pop_front();
  }
}

void Tables::on(const feed::TaskChange& item) {
  const TaskKey key{item.task.framework_id, item.task.id};
  const bool removed = item.how == feed::TaskChange::How::kRemoved;
  const bool holds =
      !removed && !is_terminal(item.task.state) && item.task.state != TaskState::kUnreachable;
  if (holds && !task_holds_.contains(key)) {
    const Held held{.framework_id = item.task.framework_id,
                    .agent_id = item.task.agent_id,
                    .role = item.task.role,
                    .resources = item.task.resources};
    hold(Hold::kAllocated, held);
    task_holds_.emplace(key, held);
    if (const auto agent = agents_.find(held.agent_id); agent != agents_.end()) {
      ++agent->second.tasks;
    }
    if (const auto framework = frameworks_.find(held.framework_id);
        framework != frameworks_.end()) {
      ++framework->second.tasks;
    }
  } else if (!holds) {
    drop_task_hold(key);
  }
  tasks_[key].task = item.task;
  touch(Table::kTasks, item.task.id.value, item.task.framework_id.value);
  if (removed) remember_completed(item.task);
}

void Tables::drop_task_hold(const TaskKey& key) {
  const auto found = task_holds_.find(key);
  if (found == task_holds_.end()) return;
  release(Hold::kAllocated, found->second);
  if (const auto agent = agents_.find(found->second.agent_id); agent != agents_.end()) {
    --agent->second.tasks;
  }
  if (const auto framework = frameworks_.find(key.first); framework != frameworks_.end()) {
    --framework->second.tasks;
  }
  task_holds_.erase(found);
}

void Tables::remember_completed(const Task& task) {
  completed_tasks_.emplace_back(task.framework_id, task.id);
  if (completed_tasks_.size() <= limits::kCompletedTasksMax) return;
  const TaskKey oldest = completed_tasks_.front();
  completed_tasks_.pop_front();
  if (task_holds_.contains(oldest)) return;  // the id was used again, and that task is active
  if (tasks_.erase(oldest) != 0) gone(Table::kTasks, oldest.second.value, oldest.first.value);
}

void Tables::on(const feed::OfferUp& item, WallTime at) {
  hold(Hold::kOffered, Held{.framework_id = item.framework_id,
                            .agent_id = item.agent_id,
                            .role = item.role,
                            .resources = item.resources});
  offers_[item.id] = OfferRow{.id = item.id,
                              .framework_id = item.framework_id,
                              .agent_id = item.agent_id,
                              .role = item.role,
                              .resources = item.resources,
                              .made_at = at};
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
  touch(Table::kRoles, item.role);
}

void Tables::hold(Hold kind, const Held& held) {
  const auto add = [&](Resources& allocated, Resources& offered) {
    (kind == Hold::kAllocated ? allocated : offered) += held.resources;
  };
  if (const auto row = agents_.find(held.agent_id); row != agents_.end()) {
    add(row->second.allocated, row->second.offered);
    touch(Table::kAgents, held.agent_id.value);
  }
  if (const auto row = frameworks_.find(held.framework_id); row != frameworks_.end()) {
    add(row->second.allocated, row->second.offered);
    touch(Table::kFrameworks, held.framework_id.value);
  }
  RoleRow& row = role(held.role);
  add(row.allocated, row.offered);
  touch(Table::kRoles, held.role);
}

void Tables::release(Hold kind, const Held& held) {
  // minus(), not -=: the agent or framework may have gone and come back since.
  const auto take = [&](Resources& allocated, Resources& offered) {
    Resources& from = kind == Hold::kAllocated ? allocated : offered;
    from = from.minus(held.resources);
  };
  if (const auto row = agents_.find(held.agent_id); row != agents_.end()) {
    take(row->second.allocated, row->second.offered);
    touch(Table::kAgents, held.agent_id.value);
  }
  if (const auto row = frameworks_.find(held.framework_id); row != frameworks_.end()) {
    take(row->second.allocated, row->second.offered);
    touch(Table::kFrameworks, held.framework_id.value);
  }
  RoleRow& row = role(held.role);
  take(row.allocated, row.offered);
  touch(Table::kRoles, held.role);
}

RoleRow& Tables::role(const std::string& name) {
  RoleRow& row = roles_[name];
  row.name = name;
  return row;
}

void Tables::touch(Table table, const std::string& key, const std::string& within) {
  changed_.keys.emplace(table, key, within);
}

void Tables::gone(Table table, const std::string& key, const std::string& within) {
  changed_.keys.erase({table, key, within});
  changed_.removed.push_back({.table = table, .key = key, .within = within});
}

void Tables::count_frameworks(RoleRow& row) const {
  row.frameworks = 0;
  for (const auto& [id, framework] : frameworks_) {
    const auto& roles = framework.info.roles;
    if (framework.state != "completed" && std::ranges::find(roles, row.name) != roles.end()) {
      ++row.frameworks;
    }
  }
}

int64_t Tables::dominant_share_ppm(const RoleRow& row) const {
  Quantities used = row.allocated.quantities();
  used.add(row.offered.quantities());
  int64_t share = 0;
  for (const Quantities::Item& item : used.items()) {
    const auto total = cluster_milli_.find(item.name);
    if (total == cluster_milli_.end() || total->second <= 0) continue;
    __extension__ using Wide = __int128;
    share = std::max(share, static_cast<int64_t>(Wide{item.milli} * 1'000'000 / total->second));
  }
  return share;
}

bool Tables::add_row(Rows& rows, Table table, const std::string& key,
                     const std::string& within) const {
  switch (table) {
    case Table::kAgents:
      if (const auto row = agents_.find(AgentId{key}); row != agents_.end()) {
        rows.agents.push_back(row->second);
        return true;
      }
      return false;
    case Table::kFrameworks:
      if (const auto row = frameworks_.find(FrameworkId{key}); row != frameworks_.end()) {
        rows.frameworks.push_back(row->second);
        return true;
      }
      return false;
    case Table::kTasks:
      if (const auto row = tasks_.find({FrameworkId{within}, TaskId{key}}); row != tasks_.end()) {
        rows.tasks.push_back(row->second);
        return true;
      }
      return false;
    case Table::kRoles:
      if (const auto row = roles_.find(key); row != roles_.end()) {
        RoleRow& added = rows.roles.emplace_back(row->second);
        count_frameworks(added);
        added.dominant_share_ppm = dominant_share_ppm(added);
        return true;
      }
      return false;
    case Table::kOffers:
      if (const Result<OfferId> id = parse_offer_id(key)) {
        if (const auto row = offers_.find(*id); row != offers_.end()) {
          rows.offers.push_back(row->second);
          return true;
        }
      }
      return false;
    case Table::kMetrics:
      for (const MetricRow& row : metric_rows()) {
        if (row.key != key) continue;
        rows.metrics.push_back(row);
        return true;
      }
      return false;
  }
  return false;
}

namespace {

// Collects rows into replies of a bounded number of rows each.
class Parts {
 public:
  Parts(const ListRequest& request, uint64_t version) : request_(request.request) {
    version_ = version;
    open();
  }

  Rows& next() {
    if (++rows_ > limits::kListPartRows) {
      replies_.back().more = true;
      open();
      rows_ = 1;
    }
    return replies_.back().rows;
  }

  std::vector<ListReply> take() { return std::move(replies_); }

 private:
  void open() {
    replies_.push_back({.request = request_, .state_version = version_, .more = false, .rows = {}});
  }

  uint32_t request_;
  uint64_t version_ = 0;
  uint32_t rows_ = 0;
  std::vector<ListReply> replies_;
};

}  // namespace

std::vector<ListReply> Tables::list(const ListRequest& request) const {
  Parts parts(request, version_);
  const auto wanted = [&](std::string_view key) {
    return request.key.empty() || request.key == key;
  };
  switch (request.table) {
    case Table::kAgents:
      for (const auto& [id, row] : agents_) {
        if (wanted(id.value)) parts.next().agents.push_back(row);
      }
      break;
    case Table::kFrameworks:
      for (const auto& [id, row] : frameworks_) {
        if (wanted(id.value)) parts.next().frameworks.push_back(row);
      }
      break;
    case Table::kTasks:
      for (const auto& [key, row] : tasks_) {
        if (!wanted(key.second.value)) continue;
        if (!request.framework_id.empty() && request.framework_id != key.first) continue;
        if (!request.agent_id.empty() && request.agent_id != row.task.agent_id) continue;
        parts.next().tasks.push_back(row);
      }
      break;
    case Table::kRoles:
      for (const auto& [name, row] : roles_) {
        if (wanted(name)) add_row(parts.next(), Table::kRoles, name, {});
      }
      break;
    case Table::kOffers:
      for (const auto& [id, row] : offers_) {
        if (!request.agent_id.empty() && request.agent_id != row.agent_id) continue;
        if (wanted(to_text(id))) parts.next().offers.push_back(row);
      }
      break;
    case Table::kMetrics:
      for (MetricRow& row : metric_rows()) {
        if (wanted(row.key)) parts.next().metrics.push_back(std::move(row));
      }
      break;
  }
  return parts.take();
}

WatchEvent Tables::describe(const Changed& changed, const std::vector<Table>& tables) const {
  const auto watched = [&](Table table) {
    if (tables.empty()) return table != Table::kMetrics;
    return std::ranges::find(tables, table) != tables.end();
  };
  WatchEvent event{.request = 0, .state_version = version_, .resync = changed.resync};
  for (const auto& [table, key, within] : changed.keys) {
    if (watched(table)) add_row(event.changed, table, key, within);
  }
  for (const WatchEvent::Removed& removed : changed.removed) {
    if (watched(removed.table)) event.removed.push_back(removed);
  }
  return event;
}

std::vector<MetricRow> Tables::metric_rows() const {
  std::vector<MetricRow> rows = metrics_;
  std::map<std::string, int64_t> used;
  for (const auto& [id, row] : agents_) {
    Quantities sum = row.allocated.quantities();
    for (const Quantities::Item& item : sum.items()) used[item.name] += item.milli;
  }
  for (const auto& [name, total] : cluster_milli_) {
    const double in_use = static_cast<double>(used[name]);
    const double all = static_cast<double>(total);
    rows.push_back({"master/" + name + "_total", all / 1000});
    rows.push_back({"master/" + name + "_used", in_use / 1000});
    rows.push_back({"master/" + name + "_percent", total > 0 ? in_use / all : 0});
  }
  for (const auto& [name, row] : roles_) {
    rows.push_back({"allocator/mesos/roles/" + name + "/shares/dominant",
                    static_cast<double>(dominant_share_ppm(row)) / 1e6});
  }
  std::ranges::sort(rows, {}, &MetricRow::key);
  return rows;
}

}  // namespace tepui
