#include "agent/operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/total.h"
#include "agent/volumes.h"
#include "common/limits.h"

namespace tepui {

AgentOperations::AgentOperations(const AgentConfig& config, Rng rng, AgentEffects& effects)
    : config_(config), effects_(effects), rng_(rng), total_(config.info.resources) {
  for (const AgentOperation& operation : config.operations) {
    told_[operation.uuid] = {
        .operation = operation, .serial = ++last_told_, .wait = config.tunables.update_retry_min};
  }
}

// ------------------------------------------------------------------------------- application

void AgentOperations::on_apply(const ApplyOperations& message, const Resources& in_use) {
  in_use_ = in_use;
  for (const AgentOperation& operation : message.items) {
    if (operation.uuid.is_nil() || told_.contains(operation.uuid)) {
      effects_.on_event(event::MessageDropped{.name = "apply_operations",
                                              .why = "the operation is known or has no uuid"});
      continue;
    }
    waiting_.push_back(operation);
  }
  begin_step();
}

// As many of the waiting operations as one durable step can hold.
void AgentOperations::begin_step() {
  if (step_ || (waiting_.empty() && !forgets_)) return;
  Step& step = step_.emplace(Step{});
  step.serial = ++last_serial_;
  step.total = total_;
  step.applies = !waiting_.empty();
  while (!waiting_.empty()) {
    const Result<Conversion> conversion = convert(waiting_.front().operation);
    if (conversion && meets_own_trace(step, *conversion)) break;
    apply(step, std::move(waiting_.front()));
    waiting_.pop_front();
  }
  forgets_ = false;
  AgentCheckpoint& checkpoint = step.checkpoint;
  checkpoint.serial = step.serial;
  checkpoint.total = step.total;
  for (const auto& [uuid, told] : told_) checkpoint.operations.push_back(told.operation);
  checkpoint.operations.insert(checkpoint.operations.end(), step.operations.begin(),
                               step.operations.end());
  effects_.checkpoint(checkpoint);
}

// A volume that is made and undone, or undone and made again, in one step would keep its content.
bool AgentOperations::meets_own_trace(const Step& step, const Conversion& conversion) const {
  const auto is_listed = [this](const std::vector<VolumePlace>& list, const Resources& resources) {
    return std::ranges::any_of(resources.items(), [&](const Resource& item) {
      return is_volume(item) &&
             std::ranges::find(list, volume_place(*item.kind, config_.work_dir)) != list.end();
    });
  };
  return is_listed(step.checkpoint.destroy, conversion.to) ||
         is_listed(step.checkpoint.make, conversion.from);
}

bool AgentOperations::has_volume_at(const Resources& resources, const VolumePlace& place) const {
  return std::ranges::any_of(resources.items(), [&](const Resource& item) {
    return is_volume(item) && volume_place(*item.kind, config_.work_dir) == place;
  });
}

void AgentOperations::apply(Step& step, AgentOperation operation) {
  OperationStatus& status = operation.status;
  status = {.operation_id = operation.operation.id,
            .uuid = {.high = rng_.next(), .low = rng_.next()},
            .agent_id = config_.info.id};
  const auto refuse = [&](std::string why) {
    status.state = OperationState::kDropped;
    status.message = std::move(why);
    step.operations.push_back(std::move(operation));
    must_register_ = true;
  };
  const Result<Conversion> conversion = convert(operation.operation);
  if (!conversion) return refuse(conversion.error().message);
  if (!step.total.contains(conversion->from)) {
    return refuse(fmt::format("the agent does not have {}", to_text(conversion->from)));
  }
  if (const Result<void> whole = check_whole(conversion->from, step.total); !whole) {
    return refuse(whole.error().message);  // it was resized here, and the master does not know it
  }
  const Resources rest = step.total - conversion->from;
  for (const Resource& item : conversion->to.items()) {
    // Its end was not durable, and the master counted on it.
    if (is_volume(item) && has_volume_at(rest, volume_place(*item.kind, config_.work_dir))) {
      return refuse(fmt::format("volume '{}' is there already", item.kind->disk->persistence_id));
    }
  }
  Resources total = rest + conversion->to;
  if (!can_hold(total, in_use_)) {
    return refuse(fmt::format("some of {} is in use by a task", to_text(conversion->from)));
  }
  step.total = std::move(total);
  const auto directories = [this](const Resources& resources, std::vector<VolumePlace>& list) {
    for (const Resource& item : resources.items()) {
      if (is_volume(item)) list.push_back(volume_place(*item.kind, config_.work_dir));
    }
  };
  if (operation.operation.type == Operation::Type::kCreate) {
    directories(conversion->to, step.checkpoint.make);
  } else if (operation.operation.type == Operation::Type::kDestroy) {
    directories(conversion->from, step.checkpoint.destroy);
  }
  status.state = OperationState::kFinished;
  status.converted = conversion->to;
  step.operations.push_back(std::move(operation));
}

void AgentOperations::on_checkpointed(Now now, uint64_t serial) {
  if (!step_ || step_->serial != serial) return;
  Step step = *std::exchange(step_, std::nullopt);
  total_ = std::move(step.total);
  for (AgentOperation& operation : step.operations) {
    const OperationState state = operation.status.state;
    std::string message = operation.status.message;
    finish(now, std::move(operation), state, std::move(message));
  }
  begin_step();
}

void AgentOperations::on_checkpoint_failed(Now now, uint64_t serial, const Error& error) {
  if (!step_ || step_->serial != serial) return;
  Step step = *std::exchange(step_, std::nullopt);
  for (AgentOperation& operation : step.operations) {
    operation.status.converted = {};
    finish(now, std::move(operation), OperationState::kFailed,
           "cannot make it durable: " + error.message);
    must_register_ = true;
  }
  // What only forgot is forgotten with the next step that works.
  forgets_ = !step.applies;
  if (!waiting_.empty()) begin_step();
}

void AgentOperations::finish(Now now, AgentOperation operation, OperationState state,
                             std::string message) {
  operation.status.state = state;
  operation.status.message = std::move(message);
  const Uuid uuid = operation.uuid;
  Told& told = told_[uuid];
  told = {.operation = std::move(operation),
          .serial = ++last_told_,
          .wait = config_.tunables.update_retry_min};
  effects_.on_event(event::OperationUpdated{.agent_id = &config_.info.id,
                                            .framework_id = &told.operation.framework_id,
                                            .operation = &told.operation.operation,
                                            .status = &told.operation.status});
  if (!paused_) set_due(uuid, told, now.mono);
}

// ------------------------------------------------------------------------------------ reports

void AgentOperations::on_acknowledged(const AcknowledgeOperationReports& message) {
  for (const AcknowledgeOperationReports::Item& item : message.items) {
    const auto found = told_.find(item.operation);
    if (found == told_.end() || found->second.operation.status.uuid != item.status) {
      effects_.on_event(event::MessageDropped{.name = "acknowledge_operation_reports",
                                              .why = "no such status waits for it"});
      continue;
    }
    set_due(item.operation, found->second, kNever);
    told_.erase(found);
    forgets_ = true;
  }
  begin_step();
}

void AgentOperations::on_session_over() {
  waiting_.clear();
  on_unregistered();
}

void AgentOperations::on_registered(Now now) {
  paused_ = false;
  for (auto& [uuid, told] : told_) {
    told.wait = config_.tunables.update_retry_min;
    set_due(uuid, told, now.mono);
  }
}

void AgentOperations::on_unregistered() {
  paused_ = true;
  due_.clear();
  for (auto& [uuid, told] : told_) told.due = kNever;
}

void AgentOperations::send_due(Now now) {
  OperationReports reports;
  while (!due_.empty() && due_.begin()->first.first <= now.mono) {
    const Uuid uuid = due_.begin()->second;
    Told& told = told_.at(uuid);
    reports.items.push_back(told.operation);
    set_due(uuid, told, later(now.mono, told.wait));
    told.wait = std::min(told.wait * 2, config_.tunables.update_retry_max);
  }
  if (!reports.items.empty()) effects_.send(std::move(reports));
}

void AgentOperations::set_due(Uuid uuid, Told& told, Instant due) {
  if (told.due != kNever) due_.erase({told.due, told.serial});
  told.due = due;
  if (due != kNever) due_.emplace(std::pair{due, told.serial}, uuid);
}

void AgentOperations::describe(std::vector<AgentOperation>& operations) const {
  for (const auto& [uuid, told] : told_) operations.push_back(told.operation);
}

Result<void> AgentOperations::audit() const {
  for (const auto& [uuid, told] : told_) {
    if (!is_terminal(told.operation.status.state)) {
      return fail(fmt::format("operation {} is reported before its end", to_text(uuid)));
    }
    if ((told.due == kNever) != paused_) {
      return fail(fmt::format("operation {} has {} deadline", to_text(uuid),
                              told.due == kNever ? "no" : "a"));
    }
  }
  if (!step_ && !waiting_.empty()) return fail("operations wait, and no step is under way");
  return {};
}

}  // namespace tepui
