#pragma once
// Sampler measures the containers of one agent at regular times, by the best means that the
// machine has, and keeps the last samples of each:
//
//   iterator   hooks in the kernel, and one read for all cgroups
//   hooks      hooks in the kernel, and the files of the cgroups
//   files      the files alone
//
// and, unless that is files, the counters of the processors.
//
// What it uses, and why nothing better, notes() says once.
//
// One thread, the loop's; what may block runs on the kernel's threads or a worker's. While a turn
// reads more containers than fit into one, the rest follow in the next turns.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/linux/cgroup_reader.h"
#include "agent/linux/counters.h"
#include "agent/linux/hooks.h"
#include "agent/linux/kernel_events.h"
#include "agent/linux/network.h"
#include "agent/sample.h"
#include "common/ids.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

// The last samples of one container, the oldest first. Bounded.
class SampleHistory {
 public:
  // All its memory is taken here, not while there is sampling.
  explicit SampleHistory(size_t kept) : samples_(kept) {}
  void add(const Sample& sample);
  size_t size() const { return size_; }
  const Sample& at(size_t place) const { return samples_[(first_ + place) % samples_.size()]; }
  const Sample& latest() const { return at(size() - 1); }

 private:
  size_t first_ = 0;
  size_t size_ = 0;
  std::vector<Sample> samples_;
};

class SamplerOwner {
 public:
  virtual ~SamplerOwner() = default;
  // The out-of-memory killer chose a process of this container. Before Linux 6.8 it is not known at
  // once whose it is: the id is empty, and a second call follows when the process has ended.
  virtual void on_oom_victim(const ContainerId& id, int64_t pid) = 0;
  // The reading failed for all; the next one is tried all the same.
  virtual void on_sampling_failed(const Error& error) = 0;
};

// Who wants to see every sample as it is taken.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  // Those of one reading have the same `at`; they may come in several turns.
  virtual void on_sample(const ContainerId& id, const Sample& sample) = 0;
  virtual void on_sampled() = 0;  // that was all of this reading
};

enum class SampleSource : uint8_t { kIterator, kHooks, kFiles };
const char* name_of(SampleSource source);

class Sampler final : private CgroupReaderOwner, private KernelEventsOwner {
 public:
  // Some ten seconds for whoever decides on them, and as many as fit into what the allocator gives
  // for that: 1,000 containers have 10.5 MB of it, and with one more of each 12.6 MB.
  static constexpr size_t kSamplesKept = 26;
  static_assert(kSamplesKept * sizeof(Sample) <= 10 << 10);

  struct Options {
    std::string cgroup;  // the agent's subtree, absolute
    SampleSource best = SampleSource::kIterator;
    Duration interval = std::chrono::seconds(1);
    bool waits = true;
    uint32_t slots = kSlotsDefault;
  };
  Sampler(Reactor& reactor, const Options& options, SamplerOwner& owner);
  ~Sampler() override;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // The two steps before all else. prepare() loads programs into the kernel, some tenths of a
  // second of work for any thread, during which nobody else uses this; begin() is the loop's. An
  // error only if not even files can be read.
  void prepare();
  Result<void> begin();

  SampleSource source() const { return source_; }
  const std::vector<std::string>& notes() const { return notes_; }

  // `cgroup` is relative to the subtree. Measured from the next sampling on. False if its cgroup is
  // gone, or there are as many containers as slots.
  bool add(const ContainerId& id, const std::string& cgroup);
  void remove(const ContainerId& id);
  void pass_to(SampleSink& sink) { sink_ = &sink; }
  // Null: not known, or nothing measured yet.
  const SampleHistory* find(const ContainerId& id) const;

  struct Counts {
    size_t containers = 0;
    uint64_t samplings = 0;
    uint64_t failures = 0;
    uint64_t skipped = 0;  // the one before was not done yet
    uint64_t exits = 0;    // of processes, seen as they happened
    uint64_t oom_victims = 0;
    uint64_t events_lost = 0;
    uint64_t refused = 0;  // containers for which there was no slot
    Duration last{};       // from the begin of the last sampling to its end
  };
  Counts counts() const;

 private:
  struct Container {
    ContainerId id;
    uint64_t cgroup_id = 0;
    std::string path;
    bool is_read = false;  // known to the reader
    SampleHistory history{kSamplesKept};
  };

  Result<void> open_hooks();
  void open_iterator();
  void open_counters();
  void apply_changes();
  void on_due();
  void fill_slice();
  void fill_drops(const Container& container, Sample& sample) const;
  void on_cgroups_read(const Result<void>& result) override;
  void on_kernel_event(const kernel_event& event) override;

  Reactor& reactor_;
  SamplerOwner& owner_;
  SampleSink* sink_ = nullptr;
  const Options options_;
  SampleSource source_ = SampleSource::kFiles;
  std::vector<std::string> notes_;
  Fd cgroup_;
  cgroup_place place_{};
  // The reader is destroyed before the hooks, whose table it uses.
  std::unique_ptr<Hooks> hooks_;
  std::unique_ptr<KernelEvents> events_;
  std::unique_ptr<CgroupReader> reader_;
  std::unique_ptr<Counters> counters_;  // null: the machine has none
  EgressDrops drops_;
  std::map<ContainerId, uint32_t> slots_;
  // By slot, which is how all that is read for them lies in memory.
  std::vector<std::optional<Container>> containers_;
  std::vector<uint32_t> free_slots_;
  // The reader hears of them when it does not read.
  std::vector<uint32_t> coming_;
  std::vector<uint32_t> leaving_;
  bool reading_ = false;
  Instant began_{};
  uint32_t to_fill_ = 0;  // the next slot
  Counts counts_;
  std::set<int32_t> victims_;  // processes that were chosen; whose they are their end tells
  Timer<&Sampler::on_due> due_{*this};
  Later<&Sampler::fill_slice> fill_{*this};
};

}  // namespace tepui
