#pragma once
// Oversight is the QoS controller and the estimator of one agent in the shell: it shows them every
// sample, hands what they decide to the core, says it in the log, and reads their settings from the
// operator's file, at the start and on SIGHUP.
//
// One thread, the loop's; working sets are read on another.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/container_facts.h"
#include "agent/linux/machine_load.h"
#include "agent/linux/sampler.h"
#include "agent/oversubscription/revocable_pool.h"
#include "agent/qos/controller.h"
#include "agent/qos/oversight_settings.h"
#include "common/io/document.h"
#include "common/io/log.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/messages.h"

namespace tepui {

// The tables [qos] and [oversubscription] of a file. Errors name the file and the line.
Result<OversightSettings> read_oversight_file(const std::string& path);

class OversightOwner {
 public:
  virtual ~OversightOwner() = default;
  virtual std::optional<ContainerFacts> facts_of(const ContainerId& id) const = 0;
  virtual void correct(const ContainerId& id, const Corrections& corrections) = 0;
  virtual void preempt(const ContainerId& id, bool at_once, std::string_view why) = 0;
  virtual void lend(const Resources& revocable) = 0;
};

class Oversight final : public SampleSink, private Job {
 public:
  struct Options {
    std::string file;         // empty: nothing is revocable, nothing corrected
    std::string cgroups;      // absolute; empty: there are none
    bool has_memory = false;  // their memory is measured
  };
  static Result<std::unique_ptr<Oversight>> create(Reactor& reactor, Log& log,
                                                   const Options& options, OversightOwner& owner);
  ~Oversight() override;

  // Reads the file again. If it is wrong, the settings stay, and the log says why.
  void reload();
  // What its tasks are, or what they may use, has changed.
  void on_changed(const ContainerId& id) { changed_.insert(id); }
  void on_gone(const ContainerId& id);

  // SampleSink
  void on_sample(const ContainerId& id, const Sample& sample) override;
  void on_sampled() override;

  // What is set, who suffers, what is held against whom, and the last `decisions`, the newest
  // first.
  Document document(size_t decisions) const;
  void add_metrics(std::vector<MetricRow>& rows) const;

 private:
  Oversight(Reactor& reactor, Log& log, const Options& options, OversightOwner& owner,
            OversightSettings settings, MachineLoad load);
  bool know(const ContainerId& id);
  void forget_all();
  void remember_names(const QosDecision& decision);
  void act_on(const QosDecision& decision);
  void lend();
  void start_working_sets();
  void run() override;
  void on_done() override;
  std::string task_of(const ContainerId& id) const;
  Document document_of(const QosDecision& decision) const;

  static constexpr Duration kLoadInterval = std::chrono::seconds(1);

  struct WorkingSet {
    ContainerId id;
    std::string cgroup;
    std::optional<int64_t> bytes;
  };

  Reactor& reactor_;
  Log& log_;
  const Options options_;
  OversightOwner& owner_;
  QosController controller_;
  RevocablePool pool_;
  MachineLoad load_;
  Instant load_due_{};
  std::map<ContainerId, ContainerFacts> known_;
  std::map<ContainerId, std::string> names_;  // of tasks in decisions
  std::set<ContainerId> changed_;
  bool idle_ = false;  // nothing is decided and nothing estimated
  Resources lent_;
  uint64_t reloads_ = 0;
  uint64_t reloads_failed_ = 0;
  std::vector<WorkingSet> working_sets_;
  bool reading_ = false;
  std::unique_ptr<Worker> worker_;  // last, so that its thread ends before what it works on
};

}  // namespace tepui
