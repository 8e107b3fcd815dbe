// The part of QosController that only kills: policies of other systems, for comparison.

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/qos/controller.h"

namespace tepui {

// As the load controller of Mesos: while the load over 5 or 15 minutes is above its threshold, all
// revocable executors are killed.
void QosController::decide_by_load(Now now, std::vector<QosDecision>& out) {
  const auto is_over = [](int64_t load, int64_t threshold) {
    return threshold > 0 && load > threshold;
  };
  const bool over_5 = is_over(machine_.load_5min_milli, settings_.load.threshold_5min_milli);
  const bool over_15 = is_over(machine_.load_15min_milli, settings_.load.threshold_15min_milli);
  if (!over_5 && !over_15) return;
  const int64_t load = over_5 ? machine_.load_5min_milli : machine_.load_15min_milli;
  const int64_t threshold =
      over_5 ? settings_.load.threshold_5min_milli : settings_.load.threshold_15min_milli;
  for (auto& [id, member] : members_) {
    if (!member.revocable) continue;
    kill(now, member,
         {.step = Step::kKill,
          .culprit = {},
          .rule = fmt::format("load of {:g} over {} minutes, above {:g}",
                              static_cast<double>(load) / 1000, over_5 ? 5 : 15,
                              static_cast<double>(threshold) / 1000),
          .value = load,
          .threshold = threshold,
          .victim = {},
          .corrections = {}},
         out);
  }
}

// After Serenity (Intel, 2015), its drop analyser and its seniority decider: where the use of
// somebody who paid drops below a part of what it was before, the youngest revocable executors are
// killed until what they used makes up for it; then it waits for its cooldown.
void QosController::decide_by_serenity(Now now, std::vector<QosDecision>& out) {
  const QosSerenity& terms = settings_.serenity;
  if (killed_once_ && now.mono - last_kill_ < terms.cooldown) return;
  const auto readings = static_cast<size_t>(terms.readings);
  if (reading_ < readings * 2) return;
  const Member* victim = nullptr;
  int64_t lost = 0;
  int64_t before_it = 0;
  for (const auto& [id, member] : members_) {
    if (member.revocable) continue;
    const int64_t now_used = member.usage.mean(Contended::kCpu, readings);
    const int64_t both = member.usage.mean(Contended::kCpu, readings * 2);
    const int64_t before = both * 2 - now_used;
    const int64_t drop = before - now_used;
    if (before <= 0 || drop * 1000 <= before * terms.drop_permille || drop <= lost) continue;
    victim = &member;
    lost = drop;
    before_it = before;
  }
  if (victim == nullptr) return;
  std::vector<Member*> young;
  for (auto& [id, member] : members_) {
    if (member.revocable && !member.ending) young.push_back(&member);
  }
  std::ranges::sort(young, [](const Member* a, const Member* b) {
    return std::pair(b->launched_at, a->facts.id) < std::pair(a->launched_at, b->facts.id);
  });
  int64_t freed = 0;
  for (Member* member : young) {
    if (freed >= lost) break;
    freed += std::max<int64_t>(member->usage.mean(Contended::kCpu, readings), 1);
    kill(now, *member,
         {.step = Step::kKill,
          .culprit = {},
          .rule = fmt::format("use of {} dropped by {:.2f} cpus", victim->facts.id.value,
                              static_cast<double>(lost) / 1000),
          .value = lost,
          .threshold = before_it * terms.drop_permille / 1000,
          .victim = victim->facts.id,
          .corrections = {}},
         out);
    last_kill_ = now.mono;
    killed_once_ = true;
  }
}

}  // namespace tepui
