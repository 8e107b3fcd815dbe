#pragma once
// Signals say how much a container suffers, each as a function of its samples in one number: the
// higher, the worse. What they are measured in, over what time, and which resource is contended
// where they are high, kSignals has in one table.
//
// Most are parts of the time or of a sum between two samples that lie one window apart. Two compare
// a container with itself: cycles per instruction (after CPI², Zhang et al., EuroSys 2013) and
// misses of the last cache, in percent of what is usual for it. Usual is what it is below for a
// quarter of the time, learned in a minute of samples, before which there is none, and then so
// slowly that an hour of interference does not become usual.
//
// Absent, which is not zero: what nobody measured (see agent/sample.h), and what a task that began
// just now cannot have yet.
//
// Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/sample.h"
#include "common/time.h"

namespace tepui {

// What two containers may want at once.
enum class Contended : uint8_t { kCpu, kMemory, kIo, kNetwork };
inline constexpr size_t kContendedCount = 4;
std::string_view name_of(Contended contended);

enum class Signal : uint8_t {
  kRunQueueLatency,
  kCpuThrottling,
  kCpuPressure,
  kCyclesPerInstruction,
  kCacheMisses,
  kMemoryUse,
  kMemoryPressure,
  kReclaim,
  kPageFaults,
  kOutOfMemorySoon,
  kIoPressure,
  kIoLatency,
  kRetransmissions,
  kDrops,
  kReportedLatency,
};

struct SignalInfo {
  Signal signal;
  std::string_view name;  // in configurations and logs
  std::string_view unit;
  Contended contended;
  Duration window;  // zero: since the sample before
  std::string_view meaning;
};

// The kernel adds pressure up every two seconds, and where it is read by the iterator it shows in
// lumps of that.
inline constexpr Duration kPressureWindow = std::chrono::seconds(4);

inline constexpr std::array kSignals = std::to_array<SignalInfo>({
    {Signal::kRunQueueLatency, "run_queue_p99", "us", Contended::kCpu, Duration{},
     "99 of 100 waits for a processor were shorter"},
    {Signal::kCpuThrottling, "cpu_throttled", "permille", Contended::kCpu,
     std::chrono::milliseconds(500), "part of its periods in which its maximum held it up"},
    {Signal::kCpuPressure, "cpu_pressure", "permille", Contended::kCpu, kPressureWindow,
     "part of the time in which a task waited for a processor"},
    {Signal::kCyclesPerInstruction, "cpi", "percent of usual", Contended::kCpu,
     std::chrono::seconds(1), "cycles for an instruction, beside what is usual for it"},
    {Signal::kCacheMisses, "cache_misses", "percent of usual", Contended::kCpu,
     std::chrono::seconds(1), "misses of the last cache for an instruction, likewise"},
    {Signal::kMemoryUse, "memory_use", "permille", Contended::kMemory, Duration{},
     "memory in use, of its maximum"},
    {Signal::kMemoryPressure, "memory_pressure", "permille", Contended::kMemory, kPressureWindow,
     "part of the time in which a task waited for memory"},
    {Signal::kReclaim, "reclaim_stall", "permille", Contended::kMemory,
     std::chrono::milliseconds(500), "time its tasks spent reclaiming memory, of all time"},
    {Signal::kPageFaults, "page_faults", "faults/s", Contended::kMemory, std::chrono::seconds(1),
     "page faults"},
    {Signal::kOutOfMemorySoon, "oom_soon", "permille", Contended::kMemory,
     std::chrono::milliseconds(500),
     "memory that it will use in a second if it grows on like this, of its maximum"},
    {Signal::kIoPressure, "io_pressure", "permille", Contended::kIo, kPressureWindow,
     "part of the time in which a task waited for a device"},
    {Signal::kIoLatency, "io_p99", "us", Contended::kIo, Duration{},
     "99 of 100 requests to block devices took less"},
    {Signal::kRetransmissions, "retransmissions", "permille", Contended::kNetwork,
     std::chrono::seconds(1), "packets sent again, of those sent"},
    {Signal::kDrops, "drops", "permille", Contended::kNetwork, std::chrono::seconds(1),
     "packets that its egress limit dropped, of those it wanted to send"},
    {Signal::kReportedLatency, "reported", "us", Contended::kCpu, Duration{},
     "the latency that the task itself reports"},
});

const SignalInfo& info_of(Signal signal);
std::optional<Signal> signal_named(std::string_view name);

// The signals of one container. Bounded: some 4 kB, all of it in here.
class ContainerSignals {
 public:
  // `memory_max_bytes`: 0 where there is no maximum.
  void set_memory_max(int64_t memory_max_bytes) { memory_max_bytes_ = memory_max_bytes; }
  // In the order of their times; one that is not newer than the last is ignored, and one in which a
  // count has become smaller begins anew.
  void add(const Sample& sample);
  // What the task said about itself; it counts until kReportKept later.
  void report(Instant at, int64_t latency_us);

  std::optional<int64_t> value(Signal signal) const;
  Instant latest() const { return empty() ? Instant{} : last().at; }
  // Processors in use between the last two samples, in thousandths.
  std::optional<int64_t> cpu_milli() const;

  static constexpr Duration kReportKept = std::chrono::seconds(2);
  static constexpr Duration kUsualAfter = std::chrono::minutes(1);

 private:
  // What of a Sample signals are made of.
  struct Entry {
    Instant at{};
    Measured cpu_usage_ns, periods, throttled, cpu_some_ns;
    Measured run_queue_p99_ns, block_p99_ns;
    Measured cycles, instructions, cache_misses;
    Measured memory_bytes, memory_some_ns, stall_ns, faults;
    Measured io_some_ns, sent, again, dropped;
  };
  // The value of which a quarter of what is seen is below. It moves by a part of itself, more where
  // it is much too high than where it is a little too low, which settles there.
  class Usual {
   public:
    void see(double value, Duration passed);
    std::optional<double> get() const;

   private:
    double value_ = 0;
    Duration seen_{};
  };

  static Entry entry_of(const Sample& sample);
  // The last entries: of three neighbours the outer two are at least `apart`, but for the newest.
  class Ring {
   public:
    explicit Ring(Duration apart) : apart_(apart) {}
    // Whether it is one more, and not in the place of the one before.
    bool add(const Entry& entry);
    void clear() { count_ = 0; }
    size_t size() const { return count_; }
    const Entry& back(size_t age) const { return entries_[(next_ + kKept - 1 - age) % kKept]; }
    // The newest that is a window older than the last; the oldest, where there is none so old;
    // null without two.
    const Entry* before(Duration window) const;

   private:
    static constexpr size_t kKept = 12;
    Duration apart_;
    std::array<Entry, kKept> entries_{};
    size_t next_ = 0;
    size_t count_ = 0;
  };
  bool empty() const { return fast_.size() == 0; }
  const Entry& last() const { return fast_.back(0); }
  const Entry* before(Duration window) const;
  void learn();
  std::optional<int64_t> part_of_time(Measured Entry::* sum, Duration window) const;
  std::optional<int64_t> pressure(Measured Entry::* sum) const;
  std::optional<int64_t> ratio(Measured Entry::* part, Measured Entry::* whole,
                               Duration window) const;
  std::optional<double> per_instruction(Measured Entry::* count, Duration window) const;
  std::optional<int64_t> beside_usual(Measured Entry::* count, const Usual& usual,
                                      Duration window) const;
  std::optional<int64_t> drops(Duration window) const;
  std::optional<int64_t> faults(Duration window) const;
  std::optional<int64_t> memory_use() const;
  std::optional<int64_t> memory_soon(Duration window) const;

  // Of the second and more before now, and of the five.
  Ring fast_{std::chrono::milliseconds(110)};
  Ring slow_{std::chrono::milliseconds(500)};
  int64_t memory_max_bytes_ = 0;
  Usual cycles_;
  Usual misses_;
  Instant reported_at_{};
  int64_t reported_us_ = -1;
};

}  // namespace tepui
