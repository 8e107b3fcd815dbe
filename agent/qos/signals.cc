#include "agent/qos/signals.h"

#include <algorithm>

#include "common/check.h"

namespace tepui {

namespace {

constexpr int64_t kPermille = 1000;
constexpr int64_t kNsPerUs = 1000;
// Fewer packets than that in a window say nothing about losses.
constexpr int64_t kPacketsMin = 20;

std::optional<int64_t> change(Measured before, Measured after) {
  if (!before.known() || !after.known() || after.value() < before.value()) return std::nullopt;
  return after.value() - before.value();
}

int64_t permille(int64_t part, int64_t whole) {
  // In double, for neither may overflow; what is lost is far below a thousandth.
  return static_cast<int64_t>(static_cast<double>(part) * kPermille / static_cast<double>(whole));
}

std::optional<int64_t> in_us(Measured ns) {
  if (!ns.known()) return std::nullopt;
  return ns.value() / kNsPerUs;
}

}  // namespace

std::string_view name_of(Contended contended) {
  switch (contended) {
    case Contended::kCpu:
      return "cpu";
    case Contended::kMemory:
      return "memory";
    case Contended::kIo:
      return "io";
    case Contended::kNetwork:
      return "network";
  }
  return "";
}

const SignalInfo& info_of(Signal signal) {
  const auto found = std::ranges::find(kSignals, signal, &SignalInfo::signal);
  CHECK(found != kSignals.end());
  return *found;
}

std::optional<Signal> signal_named(std::string_view name) {
  const auto found = std::ranges::find(kSignals, name, &SignalInfo::name);
  if (found == kSignals.end()) return std::nullopt;
  return found->signal;
}

void ContainerSignals::Usual::see(double value, Duration passed) {
  constexpr double kQuarter = 0.25;
  // Of the value, in a second: while it is new, and then. What is twice as bad for good is usual
  // after one and a half hours.
  constexpr double kStepNew = 0.08;
  constexpr double kStep = 0.0005;
  const double secs = std::min(to_secs(passed), 1.0);
  seen_ = std::min(seen_ + passed, kUsualAfter);
  if (value_ <= 0) {
    value_ = value;
    return;
  }
  const double step = value_ * secs * (seen_ < kUsualAfter ? kStepNew : kStep);
  value_ += value < value_ ? -step * (1 - kQuarter) : step * kQuarter;
}

std::optional<double> ContainerSignals::Usual::get() const {
  if (seen_ < kUsualAfter) return std::nullopt;
  return value_;
}

ContainerSignals::Entry ContainerSignals::entry_of(const Sample& sample) {
  return Entry{
      .at = sample.at,
      .cpu_usage_ns = sample.cpu_usage_ns,
      .periods = sample.cpu_periods,
      .throttled = sample.cpu_throttled_periods,
      .cpu_some_ns = sample.cpu_some_ns,
      .run_queue_p99_ns = sample.run_queue_p99_ns,
      .block_p99_ns = sample.block_p99_ns,
      .cycles = sample.cycles,
      .instructions = sample.instructions,
      .cache_misses = sample.cache_misses,
      .memory_bytes = sample.memory_bytes,
      .memory_some_ns = sample.memory_some_ns,
      .stall_ns = sample.reclaim_stall_ns,
      .faults = sample.page_faults,
      .io_some_ns = sample.io_some_ns,
      .sent = sample.net_sent_packets,
      .again = sample.net_retransmissions,
      .dropped = sample.net_dropped_packets,
  };
}

bool ContainerSignals::Ring::add(const Entry& entry) {
  // Windows must fit: of samples that come faster, those in between are replaced.
  if (count_ >= 2 && entry.at - back(1).at < apart_) {
    entries_[(next_ + kKept - 1) % kKept] = entry;
    return false;
  }
  entries_[next_] = entry;
  next_ = (next_ + 1) % kKept;
  count_ = std::min(count_ + 1, kKept);
  return true;
}

void ContainerSignals::add(const Sample& sample) {
  const Entry entry = entry_of(sample);
  if (!empty()) {
    if (entry.at <= last().at) return;
    if (entry.cpu_usage_ns.known() && last().cpu_usage_ns.known() &&
        entry.cpu_usage_ns.value() < last().cpu_usage_ns.value()) {
      fast_.clear();
      slow_.clear();
    }
  }
  slow_.add(entry);
  if (fast_.add(entry)) learn();
}

void ContainerSignals::learn() {
  if (fast_.size() < 2) return;
  const Duration passed = fast_.back(0).at - fast_.back(1).at;
  if (const auto cycles = per_instruction(&Entry::cycles, Duration{})) cycles_.see(*cycles, passed);
  if (const auto misses = per_instruction(&Entry::cache_misses, Duration{})) {
    misses_.see(*misses, passed);
  }
}

void ContainerSignals::report(Instant at, int64_t latency_us) {
  reported_at_ = at;
  reported_us_ = std::max<int64_t>(latency_us, 0);
}

const ContainerSignals::Entry* ContainerSignals::Ring::before(Duration window) const {
  if (count_ < 2) return nullptr;
  size_t age = 1;
  while (age + 1 < count_ && back(0).at - back(age).at < window) ++age;
  return &back(age);
}

const ContainerSignals::Entry* ContainerSignals::before(Duration window) const {
  return window > std::chrono::seconds(1) ? slow_.before(window) : fast_.before(window);
}

std::optional<int64_t> ContainerSignals::part_of_time(Measured Entry::* sum,
                                                      Duration window) const {
  const Entry* from = before(window);
  if (from == nullptr) return std::nullopt;
  const auto spent = change(from->*sum, last().*sum);
  if (!spent) return std::nullopt;
  return permille(*spent, (last().at - from->at).count());
}

// A part of the time is at most all of it, however late the kernel adds it up.
std::optional<int64_t> ContainerSignals::pressure(Measured Entry::* sum) const {
  const std::optional<int64_t> part = part_of_time(sum, kPressureWindow);
  return part ? std::optional(std::min(*part, kPermille)) : part;
}

std::optional<int64_t> ContainerSignals::ratio(Measured Entry::* part, Measured Entry::* whole,
                                               Duration window) const {
  const Entry* from = before(window);
  if (from == nullptr) return std::nullopt;
  const auto some = change(from->*part, last().*part);
  const auto all = change(from->*whole, last().*whole);
  if (!some || !all) return std::nullopt;
  if (*all == 0) return 0;
  return permille(*some, *all);
}

std::optional<double> ContainerSignals::per_instruction(Measured Entry::* count,
                                                        Duration window) const {
  constexpr int64_t kInstructionsMin = 100'000;  // of fewer the ratio is noise
  const Entry* from = before(window);
  if (from == nullptr) return std::nullopt;
  const auto some = change(from->*count, last().*count);
  const auto all = change(from->instructions, last().instructions);
  if (!some || !all || *all < kInstructionsMin) return std::nullopt;
  return static_cast<double>(*some) / static_cast<double>(*all);
}

std::optional<int64_t> ContainerSignals::beside_usual(Measured Entry::* count, const Usual& usual,
                                                      Duration window) const {
  const auto now = per_instruction(count, window);
  const auto normal = usual.get();
  if (!now || !normal || *normal <= 0) return std::nullopt;
  constexpr double kPercentMax = 1e6;
  return static_cast<int64_t>(std::min(*now / *normal * 100, kPercentMax));
}

std::optional<int64_t> ContainerSignals::drops(Duration window) const {
  const Entry* from = before(window);
  if (from == nullptr) return std::nullopt;
  const auto dropped = change(from->dropped, last().dropped);
  const auto sent = change(from->sent, last().sent);
  if (!dropped || !sent) return std::nullopt;
  if (*dropped + *sent < kPacketsMin) return 0;
  return permille(*dropped, *dropped + *sent);
}

std::optional<int64_t> ContainerSignals::faults(Duration window) const {
  const Entry* from = before(window);
  if (from == nullptr) return std::nullopt;
  const auto faults = change(from->faults, last().faults);
  if (!faults) return std::nullopt;
  return static_cast<int64_t>(static_cast<double>(*faults) / to_secs(last().at - from->at));
}

std::optional<int64_t> ContainerSignals::memory_use() const {
  if (empty() || memory_max_bytes_ <= 0 || !last().memory_bytes.known()) return std::nullopt;
  return permille(last().memory_bytes.value(), memory_max_bytes_);
}

std::optional<int64_t> ContainerSignals::memory_soon(Duration window) const {
  const Entry* from = before(window);
  if (from == nullptr || memory_max_bytes_ <= 0) return std::nullopt;
  const Measured then = from->memory_bytes;
  const Measured now = last().memory_bytes;
  if (!then.known() || !now.known()) return std::nullopt;
  // What shrinks is not soon out of memory.
  const double growth = static_cast<double>(std::max<int64_t>(now.value() - then.value(), 0)) /
                        to_secs(last().at - from->at);
  constexpr double kPermilleMax = 1e6;
  const double soon = static_cast<double>(now.value()) + growth;
  return static_cast<int64_t>(
      std::min(soon * kPermille / static_cast<double>(memory_max_bytes_), kPermilleMax));
}

std::optional<int64_t> ContainerSignals::cpu_milli() const {
  return part_of_time(&Entry::cpu_usage_ns, Duration{});
}

std::optional<int64_t> ContainerSignals::value(Signal signal) const {
  const Duration window = info_of(signal).window;
  switch (signal) {
    case Signal::kRunQueueLatency:
      return empty() ? std::nullopt : in_us(last().run_queue_p99_ns);
    case Signal::kCpuThrottling:
      return ratio(&Entry::throttled, &Entry::periods, window);
    case Signal::kCpuPressure:
      return pressure(&Entry::cpu_some_ns);
    case Signal::kCyclesPerInstruction:
      return beside_usual(&Entry::cycles, cycles_, window);
    case Signal::kCacheMisses:
      return beside_usual(&Entry::cache_misses, misses_, window);
    case Signal::kMemoryUse:
      return memory_use();
    case Signal::kMemoryPressure:
      return pressure(&Entry::memory_some_ns);
    case Signal::kReclaim:
      return part_of_time(&Entry::stall_ns, window);
    case Signal::kPageFaults:
      return faults(window);
    case Signal::kOutOfMemorySoon:
      return memory_soon(window);
    case Signal::kIoPressure:
      return pressure(&Entry::io_some_ns);
    case Signal::kIoLatency:
      return empty() ? std::nullopt : in_us(last().block_p99_ns);
    case Signal::kRetransmissions: {
      const Entry* from = before(window);
      if (from == nullptr) return std::nullopt;
      const auto sent = change(from->sent, last().sent);
      if (sent && *sent < kPacketsMin) return 0;
      return ratio(&Entry::again, &Entry::sent, window);
    }
    case Signal::kDrops:
      return drops(window);
    case Signal::kReportedLatency:
      if (reported_us_ < 0 || latest() - reported_at_ > kReportKept) return std::nullopt;
      return reported_us_;
  }
  return std::nullopt;
}

}  // namespace tepui
