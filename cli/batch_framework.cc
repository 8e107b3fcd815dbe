#include "cli/batch_framework.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "common/loans.h"

namespace tepui::cli {

BatchFramework::BatchFramework(Batch batch, BatchOwner& owner)
    : batch_(std::move(batch)), owner_(owner), jobs_(batch_.tasks.size()) {
  for (size_t i = 0; i < jobs_.size(); ++i) {
    jobs_[i].outcome.name = batch_.tasks[i].name;
    jobs_[i].outcome.id = TaskId{batch_.tasks[i].name};
    waiting_.push_back(i);
  }
}

void BatchFramework::on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) {
  id_ = subscribed.framework_id;
  suppressed_ = false;
  // What was under way when the connection broke: the master or the agents know.
  std::vector<Reconcile::Item> open;
  for (const auto& [id, index] : by_id_) {
    open.push_back({.task_id = id, .agent_id = jobs_[index].outcome.agent_id});
  }
  if (!open.empty()) scheduler.reconcile(std::move(open));
}

namespace {
// The task as it is launched on what is left: of each resource the revocable, if that is enough.
std::shared_ptr<const TaskSpec> preferring_revocable(const std::shared_ptr<const TaskSpec>& spec,
                                                     const Resources& left) {
  Resources wanted;
  for (const Resource& item : spec->resources.items()) {
    const Resources regular = Resources::create({item}).value();
    const Resources revocable = as_revocable(regular);
    wanted += left.contains(revocable) ? revocable : regular;
  }
  if (wanted == spec->resources) return spec;
  auto changed = std::make_shared<TaskSpec>(*spec);
  changed->resources = std::move(wanted);
  return changed;
}
}  // namespace

void BatchFramework::on_offers(Scheduler& scheduler, std::span<const Offer> offers) {
  for (const Offer& offer : offers) {
    Resources left = offer.resources.unreserved();
    if (!batch_.revocable) left = left.non_revocable();
    std::vector<TaskInfo> tasks;
    // One pass: a large task at the head does not keep smaller ones from filling the rest.
    for (auto it = waiting_.begin(); it != waiting_.end() && !cancelled_;) {
      const size_t index = *it;
      auto spec = batch_.tasks[index].spec;
      if (batch_.revocable) spec = preferring_revocable(spec, left);
      if (!left.contains(spec->resources)) {
        ++it;
        continue;
      }
      left -= spec->resources;
      Job& job = jobs_[index];
      ++job.attempt;
      job.outcome.id =
          TaskId{job.attempt == 1 ? job.outcome.name
                                  : fmt::format("{}.{}", job.outcome.name, job.attempt)};
      job.outcome.agent_id = offer.agent->id;
      job.outcome.state = TaskState::kStaging;
      job.launched = true;
      job.started = false;
      job.launched_at = owner_.now().mono;
      job.agent = offer.agent;
      by_id_[job.outcome.id] = index;
      ++running_;
      tasks.push_back({.id = job.outcome.id, .name = job.outcome.name, .spec = std::move(spec)});
      it = waiting_.erase(it);
    }
    const OfferId id = offer.id;
    if (tasks.empty()) {
      scheduler.decline(std::span(&id, 1));
    } else {
      scheduler.launch(std::span(&id, 1), std::move(tasks));
    }
  }
  if (waiting_.empty() && !suppressed_) {
    suppressed_ = true;
    scheduler.suppress();
  }
  owner_.on_progress();
}

void BatchFramework::on_update(Scheduler& scheduler, const TaskStatus& status) {
  const auto found = by_id_.find(status.task_id);
  if (found == by_id_.end()) {
    // An earlier attempt whose agent came back after all: another one has taken its place.
    if (!is_terminal(status.state) && status.state != TaskState::kUnreachable &&
        status.state != TaskState::kUnknown) {
      scheduler.kill(status.task_id);
    }
    return;
  }
  const size_t index = found->second;
  Job& job = jobs_[index];
  job.outcome.state = status.state;
  if (status.state == TaskState::kRunning && !job.started) start_job(index);
  // Of an unknown task neither the master nor an agent will say more.
  if (is_terminal(status.state) || status.state == TaskState::kUnreachable ||
      status.state == TaskState::kUnknown) {
    end_job(scheduler, index, status);
  }
  owner_.on_progress();
}

void BatchFramework::start_job(size_t index) {
  Job& job = jobs_[index];
  job.started = true;
  job.running_at = owner_.now().mono;
  job.outcome.launch_ms = to_millis(job.running_at - job.launched_at);
  owner_.on_started(index, job.outcome.id, *job.agent);
}

void BatchFramework::end_job(Scheduler& scheduler, size_t index, const TaskStatus& status) {
  Job& job = jobs_[index];
  by_id_.erase(job.outcome.id);
  --running_;
  const bool lost = status.state == TaskState::kLost || status.state == TaskState::kDropped ||
                    status.state == TaskState::kGone || status.state == TaskState::kUnreachable ||
                    status.state == TaskState::kUnknown;
  if (lost && job.attempt < kAttemptsMax && !cancelled_) {
    owner_.on_trouble(
        fmt::format("{} was lost ({}), launching it again", job.outcome.id.value, status.message));
    job.outcome.launch_ms.reset();
    waiting_.push_back(index);
    suppressed_ = false;
    scheduler.revive();
    return;
  }
  if (!job.started && status.exit_status) owner_.on_started(index, job.outcome.id, *job.agent);
  job.outcome.exit_status = status.exit_status;
  job.outcome.signal = status.signal;
  job.outcome.message = status.message;
  if (job.started) job.outcome.run_ms = to_millis(owner_.now().mono - job.running_at);
  job.ended = true;
  ++ended_;
  if (ended_ == jobs_.size()) finish(scheduler);
}

void BatchFramework::cancel(Scheduler& scheduler) {
  if (cancelled_ || done_) return;
  cancelled_ = true;
  for (const size_t index : std::exchange(waiting_, {})) {
    jobs_[index].ended = true;
    jobs_[index].outcome.state = TaskState::kKilled;
    jobs_[index].outcome.message = "Cancelled before it was launched";
    ++ended_;
  }
  for (const auto& [id, index] : by_id_) scheduler.kill(id);
  if (ended_ == jobs_.size()) finish(scheduler);
}

void BatchFramework::finish(Scheduler& scheduler) {
  if (done_) return;
  done_ = true;
  scheduler.teardown();
  owner_.on_done("");
}

std::vector<TaskOutcome> BatchFramework::outcomes() const {
  std::vector<TaskOutcome> outcomes;
  for (const Job& job : jobs_) outcomes.push_back(job.outcome);
  return outcomes;
}

void BatchFramework::on_rescinded(Scheduler&, OfferId) {}

void BatchFramework::on_agent_lost(Scheduler&, const AgentId& agent) {
  owner_.on_trouble(fmt::format("agent {} is gone", agent.value));
}

void BatchFramework::on_disconnected(Scheduler&, std::string_view why) {
  owner_.on_trouble(fmt::format("no connection to the master: {}", why));
}

void BatchFramework::on_error(Scheduler&, std::string_view message) {
  if (done_) return;
  done_ = true;
  owner_.on_done(message);
}

}  // namespace tepui::cli
