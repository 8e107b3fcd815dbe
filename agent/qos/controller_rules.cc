// The part of QosController that corrects by rules: who suffers most, who is to blame, what is done
// about it, and when that is undone.

#include <algorithm>
#include <utility>

#include "agent/qos/controller.h"
#include "common/check.h"

namespace tepui {

namespace {

constexpr size_t kMeanOf = 10;  // readings
// Before memory is taken back by ending its holder.
constexpr int64_t kGapsToEvict = 10;

// After so many gaps without a step that is left, what was done did not help.
constexpr int64_t gaps_of_patience(Contended contended) {
  return contended == Contended::kMemory ? kGapsToEvict + 2 : 4;
}

// What counts as use at all: 10 milli-cpus, 1 MB, 64 kB a second.
int64_t noticeable(Contended contended) {
  switch (contended) {
    case Contended::kCpu:
      return 10;
    case Contended::kMemory:
      return 1024;
    case Contended::kIo:
    case Contended::kNetwork:
      return 64;
  }
  return 0;
}

}  // namespace

// Before the window of a signal is over it cannot show what was done.
Duration QosController::gap_of(const Worst& worst) const {
  return std::max(settings_.step_gap, info_of(worst.rule->signal).window);
}

void QosController::decide_by_rules(Now now, std::vector<QosDecision>& out) {
  for (size_t each = 0; each < kContendedCount; ++each) {
    const auto contended = static_cast<Contended>(each);
    const Worst worst = worst_of(contended);
    if (worst.watch != nullptr) {
      heat(now, contended, worst, out);
    } else {
      cool(now, contended, out);
    }
  }
}

QosController::Worst QosController::worst_of(Contended contended) const {
  Worst worst;
  for (const auto& [id, member] : members_) {
    for (size_t place = 0; place < member.watches.size(); ++place) {
      const QosRule& rule = settings_.rules[place];
      const Watch& watch = member.watches[place];
      if (!watch.suffers || info_of(rule.signal).contended != contended) continue;
      const int64_t badness = watch.history.at(reading_);
      if (worst.watch != nullptr && badness <= worst.badness) continue;
      worst = {.victim = &member, .rule = &rule, .watch = &watch, .badness = badness};
    }
  }
  return worst;
}

// The longest of the rules that are about the resource, or what relapses made of it.
Duration QosController::calm_of(Contended contended) const {
  Duration calm{};
  for (const QosRule& rule : settings_.rules) {
    if (info_of(rule.signal).contended == contended) calm = std::max(calm, rule.calm);
  }
  return std::max(calm, front(contended).calm);
}

void QosController::heat(Now now, Contended contended, const Worst& worst,
                         std::vector<QosDecision>& out) {
  Front& state = front(contended);
  if (!state.hot) {
    state.hot = true;
    state.hot_since = now.mono;
    state.raised_badness = worst.badness;
    const Duration calm = calm_of(contended);
    if (state.ever_undone && now.mono - state.last_undo < calm * 2) {
      state.calm = std::min(calm * 2, std::max(settings_.calm_max, calm));
    } else if (state.ever_undone && now.mono - state.last_undo > calm * 10) {
      state.calm = {};
    }
  }
  if (now.mono < state.innocent_until) return;
  const bool first = state.last_step == Instant{};
  if (!first && now.mono - state.last_step < gap_of(worst)) return;
  offer_less(now, contended, worst, out);
  if (correct(now, contended, worst, out)) {
    state.last_step = now.mono;
    return;
  }
  // Who is to blame may not have shown yet.
  const Instant tried = std::max(state.last_step, state.hot_since);
  if (now.mono - tried < gap_of(worst) * gaps_of_patience(contended)) return;
  give_up(now, contended, worst, out);
}

void QosController::offer_less(Now now, Contended contended, const Worst& worst,
                               std::vector<QosDecision>& out) {
  Front& state = front(contended);
  const std::vector<Step>& ladder = settings_.ladders[static_cast<size_t>(contended)];
  if (ladder.empty() || ladder.front() != Step::kOfferLess || state.offered_permille == 0) return;
  state.offered_permille = state.offered_permille > 500 ? 500 : 0;
  say({.at = now.mono,
       .at_wall = now.wall,
       .step = Step::kOfferLess,
       .culprit = {},
       .contended = contended,
       .rule = worst.rule->name,
       .signal = worst.rule->signal,
       .value = worst.watch->value.value_or(0),
       .threshold = worst.rule->threshold,
       .victim = worst.victim->facts.id,
       .corrections = {},
       .offered_permille = state.offered_permille},
      out);
}

std::optional<Ladder::Taken> QosController::step_for(Now now, Contended contended,
                                                     const Worst& worst,
                                                     const Member& member) const {
  const std::vector<Step>& ladder = settings_.ladders[static_cast<size_t>(contended)];
  const bool urgent = worst.rule->urgent > 0 && worst.watch->value.value_or(0) > worst.rule->urgent;
  const bool may_freeze = std::ranges::find(ladder, Step::kFreeze) != ladder.end();
  if (urgent && may_freeze && !member.ladder.frozen()) return Ladder::Taken{.step = Step::kFreeze};
  auto next = member.ladder.next(contended, settings_, member.usage, member.may_lose_memory);
  if (!next || is_reversible(next->step)) return next;
  // Whoever does not run hurts nobody by running; only its memory is still in the way.
  const std::optional<Instant> frozen = member.ladder.frozen_since();
  const Duration patience = gap_of(worst) * (urgent ? 2 : kGapsToEvict);
  if (contended == Contended::kMemory && member.may_lose_memory) {
    const auto& taken = member.ladder.taken(contended);
    if (taken.empty() || now.mono - taken.back().at >= patience) return next;
  }
  if (frozen && now.mono - *frozen >= settings_.frozen_max) return next;
  return std::nullopt;
}

bool QosController::correct(Now now, Contended contended, const Worst& worst,
                            std::vector<QosDecision>& out) {
  Member* culprit = nullptr;
  std::optional<Ladder::Taken> step;
  int64_t most = 0;
  for (auto& [id, member] : members_) {
    if (!member.revocable || member.ending) continue;
    const int64_t used = member.usage.mean(contended, kMeanOf);
    if (used < noticeable(contended) && !member.ladder.frozen()) continue;
    const int64_t guilt = blame(member.usage, contended, worst.watch->history, reading_);
    if (guilt <= most) continue;
    const auto possible = step_for(now, contended, worst, member);
    if (!possible) continue;
    culprit = &member;
    step = possible;
    most = guilt;
  }
  if (culprit == nullptr) return false;
  QosDecision decision{.at = now.mono,
                       .at_wall = now.wall,
                       .step = step->step,
                       .culprit = culprit->facts.id,
                       .contended = contended,
                       .rule = worst.rule->name,
                       .signal = worst.rule->signal,
                       .value = worst.watch->value.value_or(0),
                       .threshold = worst.rule->threshold,
                       .victim = worst.victim->facts.id,
                       .blame = most,
                       .corrections = {},
                       .offered_permille = front(contended).offered_permille};
  if (!is_reversible(step->step)) {
    kill(now, *culprit, std::move(decision), out);
    return true;
  }
  if (!corrections_.take(now.mono)) {
    ++counts_.held_back;
    return true;
  }
  step->at = now.mono;
  culprit->ladder.take(contended, *step);
  decision.corrections = culprit->ladder.corrections();
  say(std::move(decision), out);
  return true;
}

// Nothing more can be done. If nothing of it helped, revocable work is not the cause.
void QosController::give_up(Now now, Contended contended, const Worst& worst,
                            std::vector<QosDecision>& out) {
  Front& state = front(contended);
  const int64_t still = 800;  // of a thousand of what it was
  if (worst.badness * 1000 < state.raised_badness * still) return;
  ++counts_.nobody;
  state.innocent_until = later(now.mono, settings_.innocent);
  undo_all(now, contended, "it did not help: revocable work is not the cause", out);
}

bool QosController::is_calm(Contended contended) const {
  for (const auto& [id, member] : members_) {
    for (size_t place = 0; place < member.watches.size(); ++place) {
      const QosRule& rule = settings_.rules[place];
      if (info_of(rule.signal).contended != contended) continue;
      const Watch& watch = member.watches[place];
      if (watch.suffers || watch.value.value_or(0) >= std::max<int64_t>(rule.recovery, 1)) {
        return false;
      }
    }
  }
  return true;
}

void QosController::cool(Now now, Contended contended, std::vector<QosDecision>& out) {
  Front& state = front(contended);
  if (!is_calm(contended)) {
    // Neither bad enough for more, nor good enough for less.
    state.calm_since = now.mono;
    return;
  }
  if (state.hot) {
    state.hot = false;
    state.calm_since = now.mono;
  }
  const Duration calm = calm_of(contended);
  if (now.mono - state.calm_since < calm) return;
  if (state.ever_undone && now.mono - state.last_undo < calm) return;
  if (!undo_one(now, contended, "all have been well since", out)) return;
  state.last_undo = now.mono;
  state.ever_undone = true;
}

// The harshest step first, wherever it is; what is offered comes last.
bool QosController::undo_one(Now now, Contended contended, std::string_view why,
                             std::vector<QosDecision>& out) {
  Member* hardest = nullptr;
  Step step = Step::kOfferLess;
  for (auto& [id, member] : members_) {
    const auto& taken = member.ladder.taken(contended);
    if (taken.empty() || member.ending || taken.back().step <= step) continue;
    hardest = &member;
    step = taken.back().step;
  }
  QosDecision decision{.at = now.mono,
                       .at_wall = now.wall,
                       .step = step,
                       .undone = true,
                       .culprit = {},
                       .contended = contended,
                       .rule = std::string(why),
                       .victim = {},
                       .corrections = {}};
  Front& state = front(contended);
  if (hardest != nullptr) {
    (void)hardest->ladder.undo(contended);
    decision.culprit = hardest->facts.id;
    decision.corrections = hardest->ladder.corrections();
  } else if (state.offered_permille < 1000) {
    state.offered_permille = state.offered_permille == 0 ? 500 : 1000;
  } else {
    return false;
  }
  decision.offered_permille = state.offered_permille;
  say(std::move(decision), out);
  return true;
}

void QosController::undo_all(Now now, Contended contended, std::string_view why,
                             std::vector<QosDecision>& out) {
  while (undo_one(now, contended, why, out)) {
  }
}

}  // namespace tepui
