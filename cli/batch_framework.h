#pragma once
// BatchFramework runs the tasks of a batch to their end on whatever offers come: it packs each
// offer with as many waiting tasks as fit, gives the rest back, asks for no more offers once
// nothing waits, and launches a task again that the cluster (not the task) lost. A task whose agent
// is unreachable counts as lost; should it come back, it is killed.
//
// Decides only; the driver gives it the loop, its owner what happens with output and progress.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/batch.h"
#include "cli/output.h"
#include "common/time.h"
#include "sdk/scheduler.h"

namespace tepui::cli {

class BatchOwner {
 public:
  virtual ~BatchOwner() = default;
  virtual Now now() = 0;
  // The task runs, or ended at once: its output can be read at `agent`.
  virtual void on_started(size_t task, const TaskId& id, const AgentFacts& agent) = 0;
  virtual void on_progress() = 0;
  virtual void on_trouble(std::string_view what) = 0;
  // Every task has ended, or the master ended the framework (`error`).
  virtual void on_done(std::string_view error) = 0;
};

class BatchFramework final : public SchedulerHandler {
 public:
  BatchFramework(Batch batch, BatchOwner& owner);

  // Kills what runs and gives up what waits; on_done follows when all have ended.
  void cancel(Scheduler& scheduler);

  size_t waiting() const { return waiting_.size(); }
  size_t running() const { return running_; }
  size_t ended() const { return ended_; }
  // The outcomes so far, in the order of the batch.
  std::vector<TaskOutcome> outcomes() const;
  const FrameworkId& id() const { return id_; }

  void on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) override;
  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override;
  void on_rescinded(Scheduler& scheduler, OfferId offer) override;
  void on_update(Scheduler& scheduler, const TaskStatus& status) override;
  void on_agent_lost(Scheduler& scheduler, const AgentId& agent) override;
  void on_disconnected(Scheduler& scheduler, std::string_view why) override;
  void on_error(Scheduler& scheduler, std::string_view message) override;

 private:
  // How often a task that the cluster lost is launched again.
  static constexpr int kAttemptsMax = 3;

  struct Job {
    TaskOutcome outcome;
    int attempt = 0;
    bool launched = false;
    bool started = false;
    bool ended = false;
    Instant launched_at{};
    Instant running_at{};
    std::shared_ptr<const AgentFacts> agent;
  };

  void start_job(size_t index);
  void end_job(Scheduler& scheduler, size_t index, const TaskStatus& status);
  void finish(Scheduler& scheduler);

  const Batch batch_;
  BatchOwner& owner_;
  FrameworkId id_;
  std::vector<Job> jobs_;
  std::deque<size_t> waiting_;
  std::map<TaskId, size_t> by_id_;
  size_t running_ = 0;
  size_t ended_ = 0;
  bool suppressed_ = false;
  bool cancelled_ = false;
  bool done_ = false;
};

}  // namespace tepui::cli
