#include "agent/task_checks.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

namespace {

bool is_success(CheckInfo::Type type, int32_t value) {
  switch (type) {
    case CheckInfo::Type::kCommand:
      return value == 0;
    case CheckInfo::Type::kHttp:
      return value >= 200 && value < 400;
    case CheckInfo::Type::kTcp:
      return value == 1;
  }
  return false;
}

}  // namespace

TaskChecks::TaskChecks(std::shared_ptr<const TaskSpec> spec) : spec_(std::move(spec)) {
  if (spec_->check) check_ = CheckStatus{.type = spec_->check->type, .value = std::nullopt};
}

const CheckInfo& TaskChecks::info(Kind kind) const {
  return kind == Kind::kCheck ? *spec_->check : spec_->health_check->check;
}

void TaskChecks::begin(Instant now, const TaskStatus* known) {
  if (spec_ == nullptr) return;
  began_ = now;
  if (known != nullptr) {
    healthy_ = known->healthy;
    if (check_ && known->check && known->check->type == check_->type) check_ = known->check;
  }
  if (spec_->check) check_track_.due = later(now, spec_->check->delay);
  if (spec_->health_check) health_track_.due = later(now, spec_->health_check->check.delay);
}

void TaskChecks::end() {
  check_track_ = {};
  health_track_ = {};
}

std::optional<TaskChecks::Step> TaskChecks::next_step(Instant now) {
  for (const Kind kind : {Kind::kHealth, Kind::kCheck}) {
    Track& due = track(kind);
    if (due.due > now) continue;
    if (due.out) {
      return Step{
          .what = Step::What::kGiveUp, .kind = kind, .report = on_result(now, kind, std::nullopt)};
    }
    const Duration timeout = info(kind).timeout;
    due.out = true;
    due.due = timeout == Duration::zero() ? kNever : later(now, timeout);
    return Step{.what = Step::What::kStart, .kind = kind, .report = {}};
  }
  return std::nullopt;
}

TaskChecks::Report TaskChecks::on_result(Instant now, Kind kind, std::optional<int32_t> value) {
  Track& done = track(kind);
  if (!done.out) return {};
  done.out = false;
  done.due = later(now, info(kind).interval);
  if (kind == Kind::kCheck) return on_checked(value);
  return on_health(now, value && is_success(info(kind).type, *value));
}

TaskChecks::Report TaskChecks::on_checked(std::optional<int32_t> value) {
  if (check_->value == value) return {};
  check_->value = value;
  return {.changed = true, .kill = false, .reason = TaskReason::kTaskCheckStatusUpdated};
}

TaskChecks::Report TaskChecks::on_health(Instant now, bool is_healthy) {
  const HealthCheckInfo& wanted = *spec_->health_check;
  if (!is_healthy && !healthy_ && now <= later(began_, wanted.grace_period)) return {};
  failures_ = is_healthy ? 0 : failures_ + 1;
  const bool changed = healthy_ != is_healthy;
  healthy_ = is_healthy;
  return {.changed = changed,
          .kill = failures_ >= wanted.consecutive_failures,
          .reason = TaskReason::kTaskHealthCheckStatusUpdated};
}

Instant TaskChecks::deadline() const { return std::min(check_track_.due, health_track_.due); }

}  // namespace tepui
