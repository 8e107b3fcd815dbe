#include "master/accept.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "master/conversions.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/offers.h"
#include "master/operations.h"
#include "master/outbox.h"
#include "master/tasks.h"

namespace tepui::master {

namespace {

using Column = Books::Column;

Task task_of(const State& s, const FrameworkEntry& framework, const AgentId& agent,
             std::string_view role, const TaskInfo& info) {
  Task task{.id = info.id,
            .name = info.name,
            .framework_id = framework.info.id,
            .agent_id = agent,
            .role = std::string(role),
            .launched_at = s.now.wall};
  if (info.spec == nullptr) return task;
  const TaskSpec& spec = *info.spec;
  task.resources = spec.resources;
  task.limits = spec.limits;
  task.labels = spec.labels;
  task.user = spec.command.user.empty() ? framework.info.user : spec.command.user;
  task.group = spec.group;
  task.discovery = spec.discovery;
  return task;
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
  const AgentId agent = pool.agent == nullptr ? AgentId{} : pool.agent->info.id;
  for (const OfferOperation& operation : accept.operations) {
    for (const TaskInfo& info : operation.tasks) {
      if (find_task(framework, info.id) != nullptr) {
        // The call came twice, or the id is used twice: the task that lives has its own fate.
        s.emit(event::MessageDropped{.name = "launch", .why = "a task with this id lives"});
        continue;
      }
      refuse_task(s, framework, info, task_of(s, framework, agent, pool.role, info), verdict);
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

Result<void> check_task(const FrameworkEntry& framework, const Pool& pool, const TaskInfo& info) {
  if (framework.tasks_by_id.contains(info.id)) {
    return fail(fmt::format("task id '{}' is in use", info.id.value));
  }
  TRY(validate(info));
  TRY(check_whole(info.spec->resources, pool.agent->info.resources));
  if (!pool.remaining.contains(info.spec->resources)) {
    return fail(fmt::format("task uses {}, more than the {} that are left of the offers",
                            to_text(info.spec->resources), to_text(pool.remaining)));
  }
  return {};
}

void launch(State& s, FrameworkEntry& framework, Pool& pool, TaskInfo info) {
  Task task = task_of(s, framework, pool.agent->info.id, pool.role, info);
  if (!s.authorizer.authorize(framework.info.principal, Action::kRunTask, task.user)) {
    const std::string why =
        fmt::format("'{}' may not run tasks as user '{}'", framework.info.principal, task.user);
    return refuse_task(
        s, framework, info, task,
        {.state = TaskState::kError, .reason = TaskReason::kTaskUnauthorized, .message = why});
  }
  if (const Result<void> valid = check_task(framework, pool, info); !valid.has_value()) {
    return refuse_task(s, framework, info, task,
                       {.state = TaskState::kError,
                        .reason = TaskReason::kTaskInvalid,
                        .message = valid.error().message});
  }
  AgentEntry& agent = *pool.agent;
  // What is shared stays in the pool for further tasks; each has a share of its own.
  const Resources shared =
      task.resources.filter([](const Resource& item) { return item.kind->shared; });
  const Resources taken = task.resources.minus(shared);
  if (!move_resources(s, agent, Column::kOffered, Column::kAllocated, taken) ||
      !move_resources(s, agent, Column::kFree, Column::kAllocated, shared)) {
    return refuse_task(s, framework, info, task,
                       {.state = as_seen_by(framework, TaskState::kDropped),
                        .reason = TaskReason::kAgentDisconnected,
                        .message = "the agent has just been isolated"});
  }
  if (!shared.empty()) s.allocator.allocate(framework.handle, agent.handle, pool.role, shared);
  pool.remaining -= taken;
  add_task(s, framework, agent, std::move(task), false);
  queue_launch(s, agent, framework,
               {.framework_id = framework.info.id, .role = pool.role, .task = std::move(info)});
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
