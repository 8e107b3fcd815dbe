#include "master/accept.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "master/conversions.h"
#include "master/executors.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

using Column = Books::Column;

// Null: a command task, or one of a group.
const ExecutorInfo* executor_of(const TaskInfo& info) {
  return info.spec == nullptr ? nullptr : info.spec->executor.get();
}

// `executor`: of the task, or of its group.
Task task_of(const State& s, const FrameworkEntry& framework, const Pool& pool,
             const TaskInfo& info, const ExecutorInfo* executor) {
  TaskKind kind{.name = info.name, .role = pool.role};
  if (info.spec != nullptr) {
    const TaskSpec& spec = *info.spec;
    kind.resources = spec.resources;
    kind.limits = spec.limits;
    kind.labels = spec.labels;
    kind.user = spec.command.user.empty() ? framework.info.user : spec.command.user;
    kind.group = spec.group;
    kind.discovery = spec.discovery;
  }
  if (executor != nullptr) kind.executor_id = executor->id;
  return {.id = info.id,
          .framework_id = framework.info.id,
          .agent_id = pool.agent == nullptr ? AgentId{} : pool.agent->info.id,
          .kind = std::move(kind),
          .launched_at = s.now.wall};
}

// A task that never was in the table has a short life in the stream of events, so that people see
// what became of it; unless its id names another task that lives.
void refuse_task(State& s, FrameworkEntry& framework, const TaskInfo& info, const Task& described,
                 const Verdict& verdict) {
  TaskStatus status = make_status(s, info.id, described.agent_id, verdict);
  if (find_task(framework, info.id) == nullptr) {
    Task task = described;
    task.state = task.update_state = verdict.state;  // from the start: it never holds anything
    task.last_status = status;
    s.emit(event::TaskAdded{.task = &task, .recovered = false});
    s.emit(event::TaskUpdated{.task = &task, .status = &task.last_status});
    s.emit(event::TaskRemoved{.task = &task});
  } else {
    s.emit(event::MessageDropped{.name = "launch", .why = verdict.message});
  }
  queue_update(s, framework, std::move(status));
}

void drop_tasks(State& s, FrameworkEntry& framework, const Accept& accept, const Pool& pool,
                const Verdict& verdict) {
  for (const OfferOperation& operation : accept.operations) {
    for (const TaskInfo& info : operation.tasks) {
      if (find_task(framework, info.id) != nullptr) {
        // The call came twice, or the id is used twice: the task that lives has its own fate.
        s.emit(event::MessageDropped{.name = "launch", .why = "a task with this id lives"});
        continue;
      }
      refuse_task(s, framework, info, task_of(s, framework, pool, info, executor_of(info)),
                  verdict);
    }
  }
}

Result<void> check_offers(State& s, const FrameworkEntry& framework, const Accept& accept) {
  if (accept.offers.empty()) return fail("no offer is named");
  const OfferEntry* first = nullptr;
  for (const OfferId id : accept.offers) {
    const OfferEntry* offer = find_offer(s, id);
    if (offer == nullptr || offer->framework != &framework) {
      return fail(fmt::format("offer {} is no longer valid", to_text(id)));
    }
    if (first == nullptr) first = offer;
    if (offer->agent != first->agent) return fail("the offers are of several agents");
    if (offer->role != first->role) return fail("the offers are of several roles");
  }
  std::vector<OfferId> sorted = accept.offers;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return fail(fmt::format("offer {} is named twice", to_text(*twice)));
  }
  return {};
}

void drop_call(State& s, FrameworkEntry& framework, const Accept& accept, const Error& error) {
  s.emit(event::MessageDropped{.name = "accept", .why = error.message});
  for (const OfferId id : accept.offers) {
    OfferEntry* offer = find_offer(s, id);
    if (offer == nullptr || offer->framework != &framework) continue;
    end_offer(s, *offer, event::OfferEnd::kDiscarded, std::nullopt);
  }
  drop_tasks(s, framework, accept, {},
             {.state = as_seen_by(framework, TaskState::kDropped),
              .reason = TaskReason::kInvalidOffers,
              .message = error.message});
  refuse_operations(s, framework, accept, error.message);
}

Pool take_offers(State& s, const Accept& accept) {
  Pool pool;
  const event::OfferEnd how =
      accept.operations.empty() ? event::OfferEnd::kDeclined : event::OfferEnd::kAccepted;
  for (const OfferId id : accept.offers) {
    OfferEntry* offer = find_offer(s, id);
    pool.agent = offer->agent;
    pool.role = offer->role;
    pool.remaining += offer->resources;
    take_offer(s, *offer, how);
  }
  return pool;
}

// What a launch takes of the pool, and whether an executor has to be started for it.
struct Claim {
  Resources resources;
  bool executor_runs = true;
};

// Adds the executor to the claim, unless it lives on the agent already.
Result<void> claim_executor(const FrameworkEntry& framework, const Pool& pool,
                            const ExecutorInfo& executor, Claim& claim) {
  if (!executor.framework_id.empty() && executor.framework_id != framework.info.id) {
    return fail(fmt::format("executor '{}' is of framework '{}', expected '{}'", executor.id.value,
                            executor.framework_id.value, framework.info.id.value));
  }
  const ExecutorEntry* known = find_executor(*pool.agent, framework, executor.id);
  if (known != nullptr) {
    if (is_same(*known->info, executor)) return {};
    return fail(fmt::format("executor '{}' lives on the agent with another description",
                            executor.id.value));
  }
  claim.executor_runs = false;
  claim.resources += executor.resources;
  return {};
}

Result<void> check_claim(const Pool& pool, const Claim& claim, std::string_view who) {
  if (pool.remaining.contains(claim.resources)) return {};
  return fail(fmt::format("{} uses {}, more than the {} that are left of the offers", who,
                          to_text(claim.resources), to_text(pool.remaining)));
}

Result<Claim> check_task(const FrameworkEntry& framework, const Pool& pool, const TaskInfo& info) {
  if (framework.tasks_by_id.contains(info.id)) {
    return fail(fmt::format("task id '{}' is in use", info.id.value));
  }
  TRY(validate(info));
  TRY(check_whole(info.spec->resources, pool.agent->info.resources));
  Claim claim{.resources = info.spec->resources};
  if (info.spec->executor != nullptr) {
    TRY(claim_executor(framework, pool, *info.spec->executor, claim));
  }
  TRY(check_claim(pool, claim, "task"));
  return claim;
}

Result<Claim> check_group(const FrameworkEntry& framework, const Pool& pool,
                          const OfferOperation& group) {
  if (group.executor == nullptr) return fail("the group names no executor");
  if (group.tasks.size() > limits::kGroupTasksMax) {
    return fail(fmt::format("the group has {} tasks, at most {} are allowed", group.tasks.size(),
                            limits::kGroupTasksMax));
  }
  TRY(validate_group(*group.executor, group.tasks));
  Claim claim;
  for (const TaskInfo& info : group.tasks) {
    if (framework.tasks_by_id.contains(info.id)) {
      return fail(fmt::format("task id '{}' is in use", info.id.value));
    }
    TRY(check_whole(info.spec->resources, pool.agent->info.resources));
    claim.resources += info.spec->resources;
  }
  TRY(claim_executor(framework, pool, *group.executor, claim));
  TRY(check_claim(pool, claim, "the group with its executor"));
  return claim;
}

// False: the agent has just been isolated.
bool book(State& s, const FrameworkEntry& framework, Pool& pool, const Resources& claimed) {
  AgentEntry& agent = *pool.agent;
  // What is shared stays in the pool for further tasks; each has a share of its own.
  const Resources shared = claimed.filter([](const Resource& item) { return item.kind->shared; });
  const Resources taken = claimed.minus(shared);
  if (!move_resources(s, agent, Column::kOffered, Column::kAllocated, taken) ||
      !move_resources(s, agent, Column::kFree, Column::kAllocated, shared)) {
    return false;
  }
  if (!shared.empty()) s.allocator.allocate(framework.handle, agent.handle, pool.role, shared);
  pool.remaining -= taken;
  return true;
}

Verdict isolated(const FrameworkEntry& framework) {
  return {.state = as_seen_by(framework, TaskState::kDropped),
          .reason = TaskReason::kAgentDisconnected,
          .message = "the agent has just been isolated"};
}

bool may_run(const State& s, const FrameworkEntry& framework, const Task& task) {
  return s.authorizer.authorize(framework.info.principal, Action::kRunTask, task.kind->user);
}

std::string not_authorized(const FrameworkEntry& framework, const Task& task) {
  return fmt::format("'{}' may not run tasks as user '{}'", framework.info.principal,
                     task.kind->user);
}

void launch(State& s, FrameworkEntry& framework, Pool& pool, TaskInfo info) {
  Task task = task_of(s, framework, pool, info, executor_of(info));
  if (!may_run(s, framework, task)) {
    return refuse_task(s, framework, info, task,
                       {.state = TaskState::kError,
                        .reason = TaskReason::kTaskUnauthorized,
                        .message = not_authorized(framework, task)});
  }
  const Result<Claim> claim = check_task(framework, pool, info);
  if (!claim.has_value()) {
    return refuse_task(s, framework, info, task,
                       {.state = TaskState::kError,
                        .reason = TaskReason::kTaskInvalid,
                        .message = claim.error().message});
  }
  if (!book(s, framework, pool, claim->resources)) {
    return refuse_task(s, framework, info, task, isolated(framework));
  }
  AgentEntry& agent = *pool.agent;
  if (!claim->executor_runs) add_executor(s, framework, agent, info.spec->executor, pool.role);
  add_task(s, framework, agent, std::move(task), false);
  const bool executor_runs = info.spec->executor != nullptr && claim->executor_runs;
  queue_launch(s, agent, framework,
               {.framework_id = framework.info.id,
                .role = pool.role,
                .task = std::move(info),
                .executor_runs = executor_runs});
}

// All of them or none.
void launch_group(State& s, FrameworkEntry& framework, Pool& pool, OfferOperation group) {
  std::vector<Task> tasks;
  for (const TaskInfo& info : group.tasks) {
    tasks.push_back(task_of(s, framework, pool, info, group.executor.get()));
  }
  const auto refuse = [&](const Verdict& verdict) {
    for (size_t i = 0; i < tasks.size(); ++i) {
      refuse_task(s, framework, group.tasks[i], tasks[i], verdict);
    }
  };
  for (const Task& task : tasks) {
    if (may_run(s, framework, task)) continue;
    return refuse({.state = TaskState::kError,
                   .reason = TaskReason::kTaskGroupUnauthorized,
                   .message = not_authorized(framework, task)});
  }
  const Result<Claim> claim = check_group(framework, pool, group);
  if (!claim.has_value()) {
    return refuse({.state = TaskState::kError,
                   .reason = TaskReason::kTaskGroupInvalid,
                   .message = claim.error().message});
  }
  if (!book(s, framework, pool, claim->resources)) return refuse(isolated(framework));
  AgentEntry& agent = *pool.agent;
  if (!claim->executor_runs) add_executor(s, framework, agent, group.executor, pool.role);
  for (Task& task : tasks) add_task(s, framework, agent, std::move(task), false);
  send_group(s, agent, framework,
             {.framework_id = framework.info.id,
              .role = pool.role,
              .executor = std::move(group.executor),
              .tasks = std::move(group.tasks),
              .executor_runs = claim->executor_runs});
}

}  // namespace

void on_accept(State& s, FrameworkEntry& framework, Accept accept) {
  if (const Result<void> valid = check_offers(s, framework, accept); !valid.has_value()) {
    return drop_call(s, framework, accept, valid.error());
  }
  Pool pool = take_offers(s, accept);
  for (OfferOperation& operation : accept.operations) {
    switch (operation.type) {
      case OfferOperation::Type::kLaunch:
        for (TaskInfo& info : operation.tasks) launch(s, framework, pool, std::move(info));
        break;
      case OfferOperation::Type::kLaunchGroup:
        launch_group(s, framework, pool, std::move(operation));
        break;
      case OfferOperation::Type::kConvert:
        convert_offered(s, framework, pool, operation.operation);
        break;
    }
  }
  pool.remaining += pool.withheld;
  if (pool.remaining.empty()) return;
  move_resources(s, *pool.agent, Column::kOffered, Column::kFree, pool.remaining);
  recover(s, *pool.agent, framework.handle, pool.role, pool.remaining, refusal(accept.filters));
}

}  // namespace tepui::master
