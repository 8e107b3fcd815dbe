#pragma once
// Measuring is the sampler of an agent's containers in the shell: it knows which cgroup a container
// has, says in the log what is measured with and what is not, and has the metrics.
//
// One thread, the loop's.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/effects.h"
#include "agent/linux/cgroup.h"
#include "agent/linux/sampler.h"
#include "common/io/log.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/messages.h"

namespace tepui {

struct MeasuringOptions {
  enum class Mode : uint8_t { kAuto, kFiles, kOff };
  Mode mode = Mode::kAuto;
  Duration interval = std::chrono::seconds(1);  // kIntervalMin to kIntervalMax
  bool waits = true;                            // how long tasks wait for a processor

  // A shorter one would spend more than it tells; a longer one is off.
  static constexpr Duration kIntervalMin = std::chrono::milliseconds(10);
  static constexpr Duration kIntervalMax = std::chrono::hours(1);
};

class Measuring final : private SamplerOwner, private SampleSink, private Job {
 public:
  // Where nothing can be measured (no cgroups, or it is off) it does nothing. Programs are loaded
  // into the kernel on a thread of its own; containers that are launched meanwhile are measured
  // from then on. `cgroups` may be null.
  Measuring(Reactor& reactor, Log& log, const CgroupRoot* cgroups, const MeasuringOptions& options);
  ~Measuring() override;

  // A container that is about to begin, or is taken up; it is measured from on_launched on.
  void expect(const LaunchSpec& spec);
  void on_launched(const ContainerId& id);
  // It did not begin, or its cgroup is gone.
  void forget(const ContainerId& id);

  // Who sees every sample from now on, too, for as long as this lives.
  void pass_to(SampleSink& sink);
  // Null: nothing was measured of it.
  const SampleHistory* find(const ContainerId& id) const;
  void add_metrics(std::vector<MetricRow>& rows) const;

 private:
  void run() override { opening_->prepare(); }
  void on_done() override;
  void give_up(const Error& error);
  void on_sample(const ContainerId& id, const Sample& sample) override;
  void on_sampled() override;
  void on_oom_victim(const ContainerId& id, int64_t pid) override;
  void on_sampling_failed(const Error& error) override;

  Log& log_;
  std::vector<SampleSink*> sinks_;
  std::string last_failure_;                     // said once
  std::map<ContainerId, std::string> expected_;  // their cgroups, until they are measured
  std::set<ContainerId> launched_;               // of those, while the sampler is being opened
  std::unique_ptr<Sampler> opening_;
  std::unique_ptr<Sampler> sampler_;  // null: nothing is measured
  std::unique_ptr<Worker> worker_;    // last, so that its thread ends before what it works on
};

}  // namespace tepui
