#include "agent/qos/trial.h"

#include <algorithm>

#include "agent/corrections.h"

namespace tepui {

namespace {

// Estimates that wait for their horizon at once; a shorter interval than that leaves some out.
constexpr size_t kOpenMax = 10'000;

}  // namespace

Trial::Trial(const OversightSettings& settings, Duration horizon)
    : horizon_(horizon), controller_(settings.qos), pool_(settings.oversubscription) {}

void Trial::on_container(const ContainerFacts& facts) {
  controller_.on_container(facts);
  pool_.on_container(facts);
  const Resources resources = facts.resources();
  Member& member = members_[facts.id];
  member.revocable = is_revocable(resources);
  member.allocated_milli = resources.non_revocable().total_milli("cpus");
  TrialResult::Task& task = result_.tasks[facts.id];
  task.name = facts.tasks.size() == 1 ? facts.tasks.front().id.value : facts.executor_id.value;
  if (!facts.tasks.empty()) task.role = facts.tasks.front().role;
  task.revocable = member.revocable;
}

void Trial::on_gone(const ContainerId& id) {
  controller_.on_gone(id);
  pool_.on_gone(id);
  members_.erase(id);
}

void Trial::on_sample(const ContainerId& id, const Sample& sample) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  controller_.on_sample(id, sample);
  pool_.on_sample(id, sample);
  Member& member = found->second;
  if (member.last && sample.at > member.last->at) {
    const int64_t used = sample.cpu_usage_ns.value() - member.last->cpu_usage_ns.value();
    const int64_t ns = (sample.at - member.last->at).count();
    member.used_milli =
        used <= 0
            ? 0
            : static_cast<int64_t>(1000.0 * static_cast<double>(used) / static_cast<double>(ns));
  }
  member.last = sample;
}

void Trial::add_time(Duration passed) {
  int64_t allocated = 0;
  for (const auto& [id, member] : members_) {
    allocated += member.allocated_milli;
    result_.tasks.at(id).seen += passed;
  }
  const int64_t lent = std::min(pool_.estimate().cpus_milli, allocated);
  result_.allocated_cpu_secs += static_cast<double>(allocated) / 1000 * to_secs(passed);
  result_.lent_cpu_secs += static_cast<double>(lent) / 1000 * to_secs(passed);
  const ContainerId* before = nullptr;
  const std::vector<QosController::Sufferer> sufferers = controller_.sufferers();
  for (const QosController::Sufferer& each : sufferers) {
    // Once, by however many rules.
    if (before == nullptr || *before != each.id) result_.tasks.at(each.id).suffered += passed;
    before = &each.id;
  }
  for (const QosController::Corrected& each : controller_.corrected()) {
    TrialResult::Task& task = result_.tasks.at(each.id);
    task.corrected += passed;
    if (each.corrections.frozen) task.frozen += passed;
  }
}

// What those that paid use now counts for all estimates whose time it is.
void Trial::judge(Instant now) {
  int64_t used = 0;
  for (const auto& [id, member] : members_) {
    if (!member.revocable) used += member.used_milli;
  }
  for (Estimate& each : open_) each.peak_milli = std::max(each.peak_milli, used);
  while (!open_.empty() && open_.front().until <= now) {
    const Estimate& done = open_.front();
    ++result_.estimates;
    if (done.peak_milli > done.left_milli) {
      ++result_.violations;
      severity_sum_ += static_cast<double>(done.peak_milli - done.left_milli) /
                       static_cast<double>(done.peak_milli);
    }
    open_.pop_front();
  }
}

void Trial::on_sampled(Now now) {
  ++result_.readings;
  if (last_ && now.mono > *last_) {
    const Duration passed = now.mono - *last_;
    result_.span += passed;
    add_time(passed);
    judge(now.mono);
  }
  last_ = now.mono;
  for (const QosDecision& decision : controller_.decide(now)) {
    if (decision.culprit.empty() || decision.undone) continue;
    TrialResult::Task& task = result_.tasks.at(decision.culprit);
    ++task.steps;
    if (!is_reversible(decision.step)) task.evicted = true;
  }
  if (!pool_.is_due(now.mono)) return;
  (void)pool_.propose(now.mono, controller_.offered_permille(Contended::kCpu),
                      controller_.offered_permille(Contended::kMemory));
  if (pool_.settings().kind == EstimatorKind::kNone || open_.size() >= kOpenMax) return;
  int64_t allocated = 0;
  for (const auto& [id, member] : members_) allocated += member.allocated_milli;
  open_.push_back({.until = later(now.mono, horizon_),
                   .left_milli = allocated - std::min(pool_.estimate().cpus_milli, allocated)});
}

TrialResult Trial::result() const {
  TrialResult result = result_;
  result.counts = controller_.counts();
  if (result.violations > 0)
    result.severity = severity_sum_ / static_cast<double>(result.violations);
  return result;
}

}  // namespace tepui
