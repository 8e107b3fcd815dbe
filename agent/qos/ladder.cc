#include "agent/qos/ladder.h"

#include <algorithm>

namespace tepui {

namespace {

constexpr size_t kMeanOf = 10;  // readings
constexpr int64_t kBytesPerKb = 1024;
constexpr int64_t kDutyMin = 50;  // permille

bool repeats(Step step) {
  return step == Step::kCpuMax || step == Step::kMemoryHigh || step == Step::kIoMax ||
         step == Step::kEgress;
}

// Half of what was allowed, or of what is used, whichever is less; never below the floor.
int64_t halved(int64_t allowed, int64_t used, int64_t floor) {
  const int64_t from = allowed > 0 ? std::min(allowed, std::max(used, floor * 2)) : used;
  return std::max(from / 2, floor);
}

Ladder::Taken sized(Step step, const Ladder::Taken* before, const QosSettings& settings,
                    const UsageHistory& usage) {
  const int64_t allowed = before == nullptr ? 0 : before->value;
  Ladder::Taken taken{.step = step};
  switch (step) {
    case Step::kCpuMax:
      taken.value = halved(allowed, usage.mean(Contended::kCpu, kMeanOf), settings.cpu_floor_milli);
      taken.permille = std::max((before == nullptr ? 1000 : before->permille) / 2, kDutyMin);
      break;
    case Step::kCpuset:
      taken.value = std::max<int64_t>(usage.mean(Contended::kCpu, kMeanOf) / 2000, 1);
      break;
    case Step::kMemoryHigh: {
      const int64_t used = usage.memory_bytes();
      const int64_t from = allowed > 0 ? std::min(allowed, used) : used;
      taken.value = std::max(from / 10 * 9, settings.memory_floor_bytes);
      break;
    }
    case Step::kIoMax:
      taken.value = halved(allowed, usage.mean(Contended::kIo, kMeanOf) * kBytesPerKb,
                           settings.io_floor_kb * kBytesPerKb);
      break;
    case Step::kEgress:
      taken.value = halved(allowed, usage.mean(Contended::kNetwork, kMeanOf) * kBytesPerKb,
                           settings.egress_floor_kb * kBytesPerKb);
      break;
    case Step::kOfferLess:
    case Step::kIdle:
    case Step::kFreeze:
    case Step::kEvict:
    case Step::kKill:
      break;
  }
  return taken;
}

int64_t smaller(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

std::optional<Ladder::Taken> Ladder::next(Contended contended, const QosSettings& settings,
                                          const UsageHistory& usage, bool may_lose_memory) const {
  const std::vector<Taken>& stack = taken(contended);
  const std::vector<Step>& ladder = settings.ladders[static_cast<size_t>(contended)];
  if (!stack.empty() && repeats(stack.back().step)) {
    const Taken again = sized(stack.back().step, &stack.back(), settings, usage);
    const auto count = std::ranges::count(stack, again.step, &Taken::step);
    const bool is_less = again.value < stack.back().value || again.permille < stack.back().permille;
    if (is_less && static_cast<size_t>(count) < kRepeatedMax) return again;
  }
  for (const Step step : ladder) {
    if (step == Step::kOfferLess) continue;
    if (!stack.empty() && step <= stack.back().step) continue;
    if (step == Step::kMemoryHigh && !may_lose_memory) continue;
    if (step == Step::kFreeze && frozen()) continue;
    return sized(step, nullptr, settings, usage);
  }
  return std::nullopt;
}

void Ladder::take(Contended contended, Taken taken) {
  stacks_[static_cast<size_t>(contended)].push_back(taken);
}

std::optional<Ladder::Taken> Ladder::undo(Contended contended) {
  std::vector<Taken>& stack = stacks_[static_cast<size_t>(contended)];
  if (stack.empty()) return std::nullopt;
  const Taken last = stack.back();
  stack.pop_back();
  return last;
}

bool Ladder::none() const {
  return std::ranges::all_of(stacks_, [](const auto& stack) { return stack.empty(); });
}

std::optional<Instant> Ladder::frozen_since() const {
  std::optional<Instant> since;
  for (const std::vector<Taken>& stack : stacks_) {
    for (const Taken& taken : stack) {
      if (taken.step == Step::kFreeze) since = std::min(since.value_or(taken.at), taken.at);
    }
  }
  return since;
}

Corrections Ladder::corrections() const {
  Corrections all;
  for (const std::vector<Taken>& stack : stacks_) {
    for (const Taken& taken : stack) {
      switch (taken.step) {
        case Step::kIdle:
          all.idle = true;
          break;
        case Step::kCpuMax:
          all.cpu_max_milli = smaller(all.cpu_max_milli, taken.value);
          all.cpu_time_permille = smaller(all.cpu_time_permille, taken.permille);
          break;
        case Step::kCpuset:
          all.cpuset_cpus = smaller(all.cpuset_cpus, taken.value);
          break;
        case Step::kMemoryHigh:
          all.memory_high_bytes = smaller(all.memory_high_bytes, taken.value);
          break;
        case Step::kIoMax:
          all.io_max_bytes = smaller(all.io_max_bytes, taken.value);
          break;
        case Step::kEgress:
          all.egress_max_bytes = smaller(all.egress_max_bytes, taken.value);
          break;
        case Step::kFreeze:
          all.frozen = true;
          break;
        case Step::kOfferLess:
        case Step::kEvict:
        case Step::kKill:
          break;
      }
    }
  }
  return all;
}

}  // namespace tepui
