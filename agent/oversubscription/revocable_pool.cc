#include "agent/oversubscription/revocable_pool.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/corrections.h"
#include "agent/oversubscription/predictors.h"
#include "common/check.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr int64_t kBytesPerMb = 1 << 20;
constexpr int64_t kNsPerMilliCpu = 1'000'000;  // of processor time, a second

int64_t bytes_of(int64_t mem_milli) {
  if (mem_milli == kUnlimited) return kMaxTaskAmount;
  return mem_milli / 1000 * kBytesPerMb;
}

TaskTerms terms_of(const ContainerFacts& facts, std::string_view name, bool in_bytes) {
  const int64_t request = facts.resources().non_revocable().total_milli(name);
  const int64_t limit = facts.maximum_milli(name);
  if (in_bytes) return {.request = bytes_of(request), .limit = bytes_of(limit)};
  return {.request = request, .limit = std::min(limit, kMaxTaskAmount)};
}

Resource revocable_item(std::string name, int64_t milli) {
  return {.kind = make_kind({.name = std::move(name), .revocable = true}), .amount = milli};
}

Resources resources_of(const Revocable& amount) {
  std::vector<Resource> items;
  if (amount.cpus_milli > 0) items.push_back(revocable_item("cpus", amount.cpus_milli));
  const int64_t megabytes = amount.memory_bytes / kBytesPerMb;
  if (megabytes > 0) items.push_back(revocable_item("mem", megabytes * 1000));
  Result<Resources> made = Resources::create(std::move(items));
  CHECK(made.has_value());
  return *std::move(made);
}

Error wrong(const Entry& entry, std::string_view expected) {
  const std::string where = entry.line > 0 ? fmt::format("line {}: ", entry.line) : std::string();
  return {.message =
              fmt::format("{}oversubscription.{}: expected {}", where, entry.path, expected)};
}

Result<std::string> text(const Entry& entry, std::string_view expected) {
  if (const auto* found = std::get_if<std::string>(&entry.value)) return *found;
  return std::unexpected(wrong(entry, expected));
}

Result<Duration> duration(const Entry& entry, Duration least, Duration most) {
  const std::string expected =
      fmt::format("a time in quotes, from \"{}\" to \"{}\"", to_text(least), to_text(most));
  const Result<Duration> value = parse_duration(TRY(text(entry, expected)));
  if (!value || *value < least || *value > most) return std::unexpected(wrong(entry, expected));
  return *value;
}

Result<uint32_t> permille(const Entry& entry) {
  const auto* number = std::get_if<int64_t>(&entry.value);
  if (number == nullptr || *number < 0 || *number > 1000) {
    return std::unexpected(wrong(entry, "a whole number from 0 to 1000"));
  }
  return static_cast<uint32_t>(*number);
}

Result<int64_t> cpus(const Entry& entry) {
  constexpr int64_t kMost = 1'000'000;
  if (const auto* number = std::get_if<int64_t>(&entry.value)) {
    if (*number >= 0 && *number <= kMost) return *number * 1000;
  }
  if (const auto* real = std::get_if<double>(&entry.value)) {
    if (*real >= 0 && *real <= static_cast<double>(kMost)) {
      return static_cast<int64_t>(*real * 1000 + 0.5);
    }
  }
  return std::unexpected(wrong(entry, "a number of processors such as 2.5"));
}

Result<int64_t> mem(const Entry& entry) {
  constexpr std::string_view kExpected = "an amount such as \"8GB\"";
  const Result<int64_t> bytes = parse_bytes(TRY(text(entry, kExpected)));
  if (!bytes) return std::unexpected(wrong(entry, kExpected));
  return *bytes / kBytesPerMb * 1000;
}

Result<std::string> predictor(const Entry& entry) {
  const std::string expected = fmt::format("one of {}", fmt::join(kPredictorNames, ", "));
  std::string name = TRY(text(entry, expected));
  if (std::ranges::find(kPredictorNames, name) == kPredictorNames.end()) {
    return std::unexpected(wrong(entry, expected));
  }
  return name;
}

Result<EstimatorKind> kind(const Entry& entry) {
  constexpr std::string_view kExpected = "none, fixed or peak";
  const std::string name = TRY(text(entry, kExpected));
  if (name == "none") return EstimatorKind::kNone;
  if (name == "fixed") return EstimatorKind::kFixed;
  if (name == "peak") return EstimatorKind::kPeak;
  return std::unexpected(wrong(entry, kExpected));
}

Result<void> read_one(const Entry& entry, OversubscriptionSettings& settings) {
  using std::chrono::hours;
  using std::chrono::seconds;
  EstimatorSettings& estimator = settings.estimator;
  if (entry.path == "estimator") {
    settings.kind = TRY(kind(entry));
  } else if (entry.path == "cpus") {
    settings.fixed_cpus_milli = TRY(cpus(entry));
  } else if (entry.path == "mem") {
    settings.fixed_mem_milli = TRY(mem(entry));
  } else if (entry.path == "interval") {
    settings.interval = TRY(duration(entry, seconds(1), hours(1)));
  } else if (entry.path == "cpu-predictor") {
    estimator.cpu_predictor = TRY(predictor(entry));
  } else if (entry.path == "memory-predictor") {
    estimator.memory_predictor = TRY(predictor(entry));
  } else if (entry.path == "cpu-margin-permille") {
    estimator.cpu_slack.margin_permille = TRY(permille(entry));
  } else if (entry.path == "memory-margin-permille") {
    estimator.memory_slack.margin_permille = TRY(permille(entry));
  } else if (entry.path == "growth-time") {
    estimator.cpu_slack.growth_time = TRY(duration(entry, seconds(1), hours(24 * 7)));
    estimator.memory_slack.growth_time = estimator.cpu_slack.growth_time;
  } else if (entry.path == "min-history") {
    estimator.cpu.min_history = TRY(duration(entry, seconds(1), hours(24 * 7)));
    estimator.memory.min_history = estimator.cpu.min_history;
  } else if (entry.path == "max-silence") {
    estimator.cpu.max_silence = TRY(duration(entry, seconds(1), hours(24 * 7)));
    estimator.memory.max_silence = estimator.cpu.max_silence;
  } else {
    return std::unexpected(
        wrong(entry,
              "estimator, cpus, mem, interval, cpu-predictor, memory-predictor, "
              "cpu-margin-permille, memory-margin-permille, growth-time, min-history or "
              "max-silence"));
  }
  return {};
}

}  // namespace

Result<OversubscriptionSettings> read_oversubscription_settings(const Entries& entries) {
  OversubscriptionSettings settings;
  for (const Entry& entry : entries) TRY(read_one(entry, settings));
  if (settings.kind == EstimatorKind::kFixed && settings.fixed_cpus_milli == 0 &&
      settings.fixed_mem_milli == 0) {
    return fail("oversubscription: the fixed estimator needs cpus, mem or both");
  }
  TRY(Estimator::make(settings.estimator));
  return settings;
}

RevocablePool::RevocablePool(const OversubscriptionSettings& settings) : settings_(settings) {
  begin_estimator();
}

void RevocablePool::begin_estimator() {
  estimator_.reset();
  estimate_ = {};
  members_.clear();
  free_.clear();
  next_slot_ = 0;
  if (settings_.kind != EstimatorKind::kPeak) return;
  Result<Estimator> made = Estimator::make(settings_.estimator);
  CHECK(made.has_value());
  estimator_.emplace(*std::move(made));
}

void RevocablePool::on_settings(const OversubscriptionSettings& settings) {
  settings_ = settings;
  begin_estimator();
  next_ = {};
  for (const auto& [id, facts] : std::exchange(facts_, {})) on_container(facts);
}

void RevocablePool::on_container(const ContainerFacts& facts) {
  // What is revocable is lent by others: it has nothing that could be lent again.
  if (is_revocable(facts.resources())) return on_gone(facts.id);
  facts_[facts.id] = facts;
  if (!estimator_) return;
  const auto found = members_.find(facts.id);
  if (found != members_.end()) return add(found->second, facts);
  Member member;
  if (!free_.empty()) {
    member.slot = free_.back();
    free_.pop_back();
  } else if (next_slot_ < kMaxTaskSlots) {
    member.slot = next_slot_++;
  } else {
    return;  // nothing of it is lent
  }
  add(members_.emplace(facts.id, std::move(member)).first->second, facts);
}

void RevocablePool::add(Member& member, const ContainerFacts& facts) {
  estimator_->on_task_added(member.slot, terms_of(facts, "cpus", false),
                            terms_of(facts, "mem", true));
}

void RevocablePool::on_gone(const ContainerId& id) {
  facts_.erase(id);
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  estimator_->on_task_removed(found->second.slot);
  free_.push_back(found->second.slot);
  members_.erase(found);
}

void RevocablePool::on_sample(const ContainerId& id, const Sample& sample) {
  const auto found = members_.find(id);
  if (found == members_.end() || !sample.cpu_usage_ns.known()) return;
  if (!found->second.before) found->second.before = sample;
  found->second.latest = sample;
}

void RevocablePool::on_working_set(const ContainerId& id, Instant at, int64_t bytes) {
  const auto found = members_.find(id);
  if (found != members_.end()) estimator_->on_memory_sample(found->second.slot, at, bytes);
}

void RevocablePool::estimate_anew(Instant now) {
  for (auto& [id, member] : members_) {
    if (!member.before || !member.latest || member.latest->at <= member.before->at) continue;
    const int64_t used = member.latest->cpu_usage_ns.value() - member.before->cpu_usage_ns.value();
    const double secs = to_secs(member.latest->at - member.before->at);
    if (used >= 0) {
      // All samples of a round have one time.
      estimator_->on_cpu_sample(
          member.slot, now,
          static_cast<int64_t>(static_cast<double>(used) / secs / kNsPerMilliCpu + 0.5));
    }
    member.before = member.latest;
  }
  estimate_ = estimator_->revocable(now);
}

std::optional<Resources> RevocablePool::propose(Instant now, int64_t cpu_permille,
                                                int64_t memory_permille) {
  if (is_due(now)) {
    next_ = later(now, settings_.interval);
    switch (settings_.kind) {
      case EstimatorKind::kNone:
        estimate_ = {};
        break;
      case EstimatorKind::kFixed:
        estimate_ = {.cpus_milli = settings_.fixed_cpus_milli,
                     .memory_bytes = bytes_of(settings_.fixed_mem_milli)};
        break;
      case EstimatorKind::kPeak:
        estimate_anew(now);
        break;
    }
  }
  const auto part = [](int64_t amount, int64_t permille) {
    return static_cast<int64_t>(static_cast<double>(amount) * static_cast<double>(permille) / 1000);
  };
  const Revocable allowed{.cpus_milli = part(estimate_.cpus_milli, cpu_permille),
                          .memory_bytes = part(estimate_.memory_bytes, memory_permille)};
  if (said_ == allowed) return std::nullopt;
  if (!said_ && allowed == Revocable{}) return std::nullopt;  // nobody believes otherwise
  said_ = allowed;
  return resources_of(allowed);
}

}  // namespace tepui
