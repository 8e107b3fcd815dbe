#pragma once
// Counters is the processor's own counters of what each container did: cycles, instructions, misses
// of the last cache. Each processor counts while a task of the container is on it (perf events of
// cgroups); on as many containers at once as descriptors allow, in turns (counter_rotation.h). How
// much of the time was counted is part of the sample.
//
// What may block runs on a thread of its own; all methods are the loop's.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/linux/counter_rotation.h"
#include "agent/sample.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

class Counters final : private Job {
 public:
  static constexpr size_t kEvents = 3;
  // As perf_event_open() names them: type, config.
  using Events = std::array<std::pair<uint32_t, uint64_t>, kEvents>;
  static const Events kHardware;

  struct Options {
    std::string cgroup;  // any, to try it on
    uint32_t slots = 0;
    Events events = kHardware;  // in the order cycles, instructions, cache misses
    size_t groups_max = 0;      // containers counted at once; 0: as descriptors allow
    Duration turn = std::chrono::seconds(1);
  };
  // The error says why nothing can be counted here.
  static Result<std::unique_ptr<Counters>> create(Reactor& reactor, const Options& options);
  ~Counters() override;
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  void add(uint32_t slot, const std::string& path);
  void remove(uint32_t slot);
  // Reads those that are open, and gives the next ones their turn, elsewhere. Does nothing if that
  // is still under way.
  void start(Instant now);
  // What the last reading that has ended found.
  void fill(uint32_t slot, Sample& sample) const;
  // Readings that have ended.
  uint64_t readings() const { return readings_; }

 private:
  struct Change {
    uint32_t slot = 0;
    std::string path;  // empty: it goes
    Instant at{};
  };
  struct Counted {
    std::array<uint64_t, kEvents> values{};
    Duration counted{};
    Instant since{};  // it is known; the epoch: it is not
  };
  struct Cgroup {
    std::string path;
    Instant read{};       // when it was read last
    std::vector<Fd> fds;  // of each processor all events, the first of which leads
    Counted total;
    // By processor, at the last reading.
    std::vector<std::array<uint64_t, kEvents + 2>> before;
  };

  Counters(const Options& options, size_t groups_max);
  void run() override;
  void on_done() override;
  void open(Cgroup& cgroup) const;
  void read(Cgroup& cgroup) const;

  const Options options_;
  // The worker's between start() and on_done(), else the loop's.
  CounterRotation rotation_;
  std::vector<Cgroup> cgroups_;  // by slot
  std::vector<Change> applying_;
  Instant now_{};
  // The loop's.
  std::vector<Change> changes_;
  std::vector<Counted> published_;  // by slot
  Instant read_{};
  bool is_reading_ = false;
  uint64_t readings_ = 0;
  // Last: its thread uses the others.
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
