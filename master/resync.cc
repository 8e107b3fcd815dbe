#include "master/resync.h"

#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "master/executors.h"
#include "master/frameworks.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/outbox.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

class Resync {
 public:
  Resync(State& s, AgentEntry& agent, ResyncOptions options)
      : s_(s), agent_(agent), options_(options), had_tasks_(!agent.tasks.empty()) {}

  bool run(ReregisterAgent& message, std::span<const FrameworkId> frameworks) {
    for (const FrameworkInfo& info : message.frameworks) meet(info);
    for (const FrameworkId& id : frameworks) meet(id);
    merge_executors(message.executors);
    for (Task& task : message.tasks) merge(task);
    if (had_tasks_) settle_missing();
    book_revocable();
    for (const FrameworkId& id : shutdowns_) {
      send_now(s_, agent_, ShutdownFramework{.framework_id = id});
    }
    for (KillTask& kill : kills_) send_now(s_, agent_, std::move(kill));
    const bool has_orders = !shutdowns_.empty() || !kills_.empty() || !missing_.items.empty();
    if (!missing_.items.empty()) send_now(s_, agent_, std::move(missing_));
    return has_orders;
  }

 private:
  void meet(const FrameworkInfo& info) {
    if (s_.frameworks_completed.contains(info.id)) {
      shutdowns_.push_back(info.id);
      return;
    }
    FrameworkEntry* framework = find_framework(s_, info.id);
    if (framework == nullptr) framework = &recover_framework(s_, info);
    agent_.frameworks.insert(framework->handle);
  }

  void meet(const FrameworkId& id) {
    if (const FrameworkEntry* framework = find_framework(s_, id)) {
      agent_.frameworks.insert(framework->handle);
    } else {
      shutdowns_.push_back(id);
    }
  }

  // Tasks of one framework come in a row.
  FrameworkEntry* framework_of(const Task& task) {
    if (last_ == nullptr || last_->info.id != task.framework_id) {
      last_ = find_framework(s_, task.framework_id);
    }
    return last_;
  }

  void book(const ExecutorEntry& entry) {
    const Resources& held = entry.info->resources;
    book(entry.framework->handle, entry.role, held.non_revocable());
    if (!held.revocable().empty()) revocable_executors_.push_back(&entry);
  }

  // Whom the agent names lives. A repeated request does not know of launches since.
  void merge_executors(const std::vector<AgentExecutor>& told) {
    std::set<std::pair<FrameworkHandle, ExecutorId>> named;
    for (const AgentExecutor& item : told) {
      const FrameworkEntry* framework = find_framework(s_, item.framework_id);
      if (framework != nullptr) named.emplace(framework->handle, item.executor->id);
    }
    std::vector<std::pair<FrameworkEntry*, ExecutorId>> known;
    for (const auto& [key, entry] : agent_.executors)
      known.emplace_back(entry.framework, key.second);
    for (const auto& [framework, id] : known) {
      const ExecutorEntry& entry = *find_executor(agent_, *framework, id);
      const bool lives = options_.is_repeated || named.contains({framework->handle, id});
      if (!options_.new_books) {
        if (!lives) end_executor(s_, agent_, *framework, id);
      } else if (lives && agent_.books.column(Books::Column::kFree)
                              .contains(entry.info->resources.non_revocable())) {
        book(entry);
      } else {
        forget_executor(s_, agent_, *framework, id);
      }
    }
    for (const AgentExecutor& item : told) {
      FrameworkEntry* framework = find_framework(s_, item.framework_id);
      if (framework == nullptr || find_executor(agent_, *framework, item.executor->id) != nullptr) {
        continue;
      }
      book(add_executor(s_, *framework, agent_, item.executor, item.role));
    }
  }

  void merge(Task& told) {
    FrameworkEntry* framework = framework_of(told);
    if (framework == nullptr) return;  // completed: it is being shut down
    TaskEntry* known = find_task(*framework, told.id);
    if (known != nullptr && known->agent != &agent_) {
      // The id was used again while this agent was forgotten. The one that the framework means
      // is the one it launched last.
      kills_.push_back({.framework_id = told.framework_id, .task_id = told.id});
      return;
    }
    if (known == nullptr) {
      // Its acknowledgement is on the way to the agent, in this session. If not, the update that
      // the agent repeats is forwarded all the same.
      if (options_.is_repeated && is_terminal(told.state)) return;
      known = &add(*framework, std::move(told));
    } else if (known->unreachable) {
      come_back(*known, told);
    } else {
      confirm(*known, told);
    }
    if (had_tasks_) seen_.insert(known);
    if (known->kill_requested && !is_terminal(known->task.state)) {
      kills_.push_back({.framework_id = known->task.framework_id,
                        .task_id = known->task.id,
                        .kill_policy = known->kill_policy});
    }
  }

  // What is revocable may be lent, or less than it was when the task began.
  bool is_free(const TaskEntry& entry) const {
    const Resources wanted = entry.task.kind->resources.non_revocable();
    return agent_.books.column(Books::Column::kFree).contains(wanted) &&
           check_whole(wanted, agent_.books.total()).has_value();
  }

  // What is regular of all tasks comes before what is revocable of any: what of that is lent is
  // seen by what is left.
  void book(TaskEntry& entry) {
    if (!entry.holds_resources()) return;
    const TaskKind& kind = *entry.task.kind;
    book(entry.framework->handle, kind.role, kind.resources.non_revocable());
    if (!kind.resources.revocable().empty()) revocable_.push_back(&entry);
  }

  void book_revocable() {
    for (const ExecutorEntry* entry : revocable_executors_) {
      book(entry->framework->handle, entry->role, entry->info->resources.revocable());
    }
    for (const TaskEntry* entry : revocable_) {
      book(entry->framework->handle, entry->task.kind->role,
           entry->task.kind->resources.revocable());
    }
    revocable_executors_.clear();
    revocable_.clear();
  }

  // First the allocator, which sees what is lent.
  void book(FrameworkHandle framework, std::string_view role, const Resources& resources) {
    if (!agent_.in_allocator || agent_.broken) return;
    s_.allocator.allocate(framework, agent_.handle, role, resources);
    settle_loan(s_, agent_);
    keep_what_runs(s_, agent_, resources.revocable());
    move_resources(s_, agent_, Books::Column::kFree, Books::Column::kAllocated, resources);
  }

  TaskEntry& add(FrameworkEntry& framework, Task task) {
    task.agent_id = agent_.info.id;
    TaskEntry& entry = add_task(s_, framework, agent_, std::move(task), true);
    book(entry);
    if (options_.was_here) announce(entry);
    return entry;
  }

  void come_back(TaskEntry& entry, const Task& told) {
    entry.unreachable = false;
    // Nothing leads back to STAGING: what the agent has taken and not begun is about to start.
    const bool is_staging = told.state == TaskState::kStaging;
    entry.task.state = is_staging ? TaskState::kStarting : told.state;
    entry.task.update_state = is_staging ? TaskState::kStarting : told.update_state;
    entry.task.update_uuid = told.update_uuid;
    book(entry);
    announce(entry);
  }

  void confirm(TaskEntry& entry, const Task& told) {
    if (!entry.holds_resources()) return;  // it has ended, which is the last word
    const bool has_ended = is_terminal(told.state);
    if (options_.new_books && has_ended) {
      // What it used is not booked anew only to be given back: others may use it by now, and what
      // is given back between two bookings could be lent.
      entry.task.state = told.state;
    } else if (options_.new_books) {
      book(entry);
    }
    if (has_ended || told.state != entry.task.state) {
      set_state(s_, entry, told.state, told.last_status);
    }
  }

  // The framework took the task for lost. What has ended meanwhile the agent reports by itself,
  // with the update that it repeats.
  void announce(TaskEntry& entry) {
    TaskStatus status = make_status(s_, entry.task.id, agent_.info.id,
                                    {.state = entry.task.state,
                                     .reason = TaskReason::kAgentReregistered,
                                     .message = "the agent came back with the task"});
    status.container_id = entry.task.container_id;
    entry.task.last_status = status;
    s_.emit(event::TaskUpdated{.task = &entry.task, .status = &entry.task.last_status});
    if (!is_terminal(entry.task.state)) queue_update(s_, *entry.framework, std::move(status));
  }

  void settle_missing() {
    const std::vector<TaskEntry*> tasks = agent_.tasks;
    for (TaskEntry* entry : tasks) {
      if (seen_.contains(entry)) continue;
      if (is_terminal(entry->task.state)) {
        // The agent has its acknowledgement, or the framework took it for LOST long ago.
        remove_task(s_, *entry);
      } else if (entry->unreachable) {
        pronounce(s_, *entry,
                  {.state = as_seen_by(*entry->framework, TaskState::kGone),
                   .reason = TaskReason::kAgentReregistered,
                   .message = "the agent came back without the task"});
      } else if (options_.new_books && !is_free(*entry)) {
        // It uses what an operation was to make, and that did not reach the agent either.
        const TaskState gone = as_seen_by(*entry->framework, TaskState::kGone);
        entry->unreachable = true;  // so it holds nothing
        entry->task.state = gone;
        pronounce(s_, *entry,
                  {.state = gone,
                   .reason = TaskReason::kAgentReregistered,
                   .message = "the agent has neither the task nor what it uses"});
      } else {
        if (options_.new_books) book(*entry);
        missing_.items.push_back({.framework_id = entry->task.framework_id,
                                  .task_id = entry->task.id,
                                  .partition_aware = entry->framework->is_partition_aware()});
      }
    }
  }

  State& s_;
  AgentEntry& agent_;
  const ResyncOptions options_;
  const bool had_tasks_;  // before it named any
  FrameworkEntry* last_ = nullptr;
  std::unordered_set<const TaskEntry*> seen_;
  std::vector<TaskEntry*> revocable_;                      // of which that is still to be booked
  std::vector<const ExecutorEntry*> revocable_executors_;  // likewise
  std::vector<FrameworkId> shutdowns_;
  std::vector<KillTask> kills_;
  ReconcileTasks missing_;
};

}  // namespace

bool resync(State& s, AgentEntry& agent, ReregisterAgent& message,
            std::span<const FrameworkId> frameworks, ResyncOptions options) {
  return Resync(s, agent, options).run(message, frameworks);
}

}  // namespace tepui::master
