#include "agent/qos/controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

namespace {

constexpr Duration kMinute = std::chrono::minutes(1);
constexpr Duration kHour = std::chrono::hours(1);
constexpr int64_t kBytesPerMb = 1 << 20;

bool is_below(std::string_view role, std::string_view top) {
  return top.empty() || role == top ||
         (role.starts_with(top) && role.size() > top.size() && role[top.size()] == '/');
}

bool is_for(const QosRule& rule, const ContainerFacts& facts) {
  return std::ranges::any_of(
      facts.tasks, [&rule](const ContainerTask& task) { return is_below(task.role, rule.role); });
}

WallTime first_launch(const ContainerFacts& facts) {
  WallTime first = WallTime::max();
  for (const ContainerTask& task : facts.tasks) first = std::min(first, task.launched_at);
  return first;
}

}  // namespace

std::string effect_of(const QosDecision& decision) {
  if (decision.culprit.empty()) {
    return fmt::format("{:g} % of unused {} is offered",
                       static_cast<double>(decision.offered_permille) / 10,
                       name_of(decision.contended));
  }
  if (!decision.undone && !is_reversible(decision.step)) return "its end";
  std::string all = to_text(decision.corrections);
  return all.empty() ? "nothing is held against it" : all;
}

std::string reason_of(const QosDecision& decision, std::string_view victim) {
  if (decision.undone || decision.victim.empty()) return decision.rule;
  const SignalInfo& signal = info_of(decision.signal);
  return fmt::format("{}: {} of {} is {} {}, above {} {}", decision.rule, signal.name,
                     victim.empty() ? std::string_view(decision.victim.value) : victim,
                     decision.value, signal.unit, decision.threshold, signal.unit);
}

QosController::QosController(QosSettings settings)
    : settings_(std::move(settings)),
      corrections_(settings_.corrections_per_minute, kMinute),
      evictions_(settings_.evictions_per_hour, kHour) {
  CHECK(check(settings_).has_value());
}

QosController::~QosController() = default;

void QosController::on_settings(const QosSettings& settings) {
  CHECK(check(settings).has_value());
  if (settings == settings_) return;
  const bool same_rules = settings.rules == settings_.rules;
  settings_ = settings;
  corrections_.set(settings_.corrections_per_minute, kMinute);
  evictions_.set(settings_.evictions_per_hour, kHour);
  for (Front& each : fronts_) {
    each.calm = {};
    each.innocent_until = {};
  }
  if (same_rules) return;
  for (auto& [id, member] : members_) {
    member.watches.clear();
    fill_watches(member);
  }
}

void QosController::fill_watches(Member& member) const {
  if (!member.revocable) member.watches.resize(settings_.rules.size());
}

void QosController::on_container(const ContainerFacts& facts) {
  Member& member = members_[facts.id];
  member.facts = facts;
  const Resources resources = facts.resources();
  member.revocable = is_revocable(resources);
  member.may_lose_memory = member.revocable && resources.non_revocable().total_milli("mem") == 0;
  member.launched_at = first_launch(facts);
  const int64_t maximum = facts.maximum_milli("mem");
  member.signals.set_memory_max(maximum == kUnlimited ? 0 : maximum / 1000 * kBytesPerMb);
  member.watches.resize(member.revocable ? 0 : settings_.rules.size());
  // Whoever has processors of its own now is nobody's culprit; whoever applies this knows it, too.
  if (!member.revocable) member.ladder = Ladder();
}

void QosController::on_gone(const ContainerId& id) { members_.erase(id); }

void QosController::on_sample(const ContainerId& id, const Sample& sample) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  Member& member = found->second;
  member.signals.add(sample);
  member.usage.add(reading_, sample);
  member.sampled = true;
  newest_ = std::max(newest_, sample.at);
}

void QosController::on_machine(const MachineSample& sample) { machine_ = sample; }

void QosController::on_reported(const ContainerId& id, Instant at, int64_t latency_us) {
  const auto found = members_.find(id);
  if (found != members_.end()) found->second.signals.report(at, latency_us);
}

void QosController::watch(Member& member) {
  const Instant at = member.signals.latest();
  for (size_t place = 0; place < member.watches.size(); ++place) {
    const QosRule& rule = settings_.rules[place];
    Watch& watch = member.watches[place];
    if (!is_for(rule, member.facts)) {
      watch = Watch();
      continue;
    }
    watch.value = member.signals.value(rule.signal);
    // Whoever cannot be measured does not suffer as far as anybody knows.
    const int64_t value = watch.value.value_or(0);
    if (watch.value) watch.history.add(reading_, value, rule.threshold);
    if (value > rule.threshold) {
      if (!watch.above_since) watch.above_since = at;
      const bool long_enough = at - *watch.above_since >= rule.hold;
      if ((long_enough || (rule.urgent > 0 && value > rule.urgent)) && !watch.suffers) {
        watch.suffers = true;
        watch.since = *watch.above_since;
      }
    } else {
      watch.above_since.reset();
      if (value < rule.recovery || !watch.value) watch.suffers = false;
    }
  }
}

std::vector<QosDecision> QosController::decide(Now now) {
  std::vector<QosDecision> out;
  for (auto& [id, member] : members_) {
    if (member.sampled) watch(member);
    // What is measured no more is not known to suffer.
    if (!member.sampled && newest_ - member.signals.latest() > ContainerSignals::kReportKept) {
      for (Watch& each : member.watches) each = Watch();
    }
    member.sampled = false;
  }
  switch (settings_.policy) {
    case QosPolicyKind::kRules:
      decide_by_rules(now, out);
      break;
    case QosPolicyKind::kOff:
    case QosPolicyKind::kLoad:
    case QosPolicyKind::kSerenity:
      // Under other rules something may have been corrected.
      for (size_t each = 0; each < kContendedCount; ++each) {
        undo_all(now, static_cast<Contended>(each), "the policy has changed", out);
      }
      if (settings_.policy == QosPolicyKind::kLoad) decide_by_load(now, out);
      if (settings_.policy == QosPolicyKind::kSerenity) decide_by_serenity(now, out);
      break;
  }
  ++reading_;
  return out;
}

void QosController::say(QosDecision decision, std::vector<QosDecision>& out) {
  auto& counts = decision.undone ? counts_.undone : counts_.taken;
  ++counts[static_cast<size_t>(decision.step)];
  decisions_.push_back(decision);
  if (decisions_.size() > kDecisionsKept) decisions_.pop_front();
  out.push_back(std::move(decision));
}

void QosController::kill(Now now, Member& member, QosDecision decision,
                         std::vector<QosDecision>& out) {
  if (member.ending) return;
  if (!evictions_.take(now.mono)) {
    ++counts_.held_back;
    return;
  }
  member.ending = true;
  decision.at = now.mono;
  decision.at_wall = now.wall;
  decision.culprit = member.facts.id;
  say(std::move(decision), out);
}

int64_t QosController::offered_permille(Contended contended) const {
  return front(contended).offered_permille;
}

Corrections QosController::corrections_of(const ContainerId& id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? Corrections{} : found->second.ladder.corrections();
}

std::vector<QosController::Sufferer> QosController::sufferers() const {
  std::vector<Sufferer> all;
  for (const auto& [id, member] : members_) {
    for (size_t place = 0; place < member.watches.size(); ++place) {
      const Watch& watch = member.watches[place];
      if (!watch.suffers) continue;
      const QosRule& rule = settings_.rules[place];
      all.push_back({.id = id,
                     .rule = rule.name,
                     .signal = rule.signal,
                     .value = watch.value.value_or(0),
                     .threshold = rule.threshold,
                     .since = watch.since});
    }
  }
  return all;
}

std::vector<QosController::Corrected> QosController::corrected() const {
  std::vector<Corrected> all;
  for (const auto& [id, member] : members_) {
    if (member.ladder.none()) continue;
    Corrected each{.id = id, .corrections = member.ladder.corrections(), .since = kNever};
    for (size_t place = 0; place < kContendedCount; ++place) {
      const auto contended = static_cast<Contended>(place);
      const auto& taken = member.ladder.taken(contended);
      if (taken.empty()) continue;
      each.since = std::min(each.since, taken.front().at);
      const Front& state = front(contended);
      if (state.hot) continue;
      each.undone_at = std::min(
          each.undone_at, later(std::max(state.calm_since, state.last_undo), calm_of(contended)));
    }
    all.push_back(std::move(each));
  }
  return all;
}

}  // namespace tepui
