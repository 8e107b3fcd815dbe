#pragma once
// SimFramework is a small but careful framework: it writes down what it will launch before it does,
// launches every job again until it has an end that counts, kills some, holds offers, declines,
// suppresses and revives, and reconciles whatever it has not heard of. Some of its tasks run in
// groups, some by executors of its own, which they share. It outlives its scheduler, as a
// framework's database outlives its process.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sdk/scheduler.h"
#include "tests/sim/fates.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimFramework final : public SchedulerHandler {
 public:
  SimFramework(World& world, Fates& fates, uint32_t number, uint32_t jobs);

  // The scheduler that plays for it now; null: its process is dead.
  void set_scheduler(Scheduler* scheduler);
  // The framework was torn down, and begins anew under another id.
  void begin_anew();
  SchedulerOptions options() const { return options_; }
  bool wants_new_scheduler() const { return wants_new_scheduler_; }
  bool done() const;
  std::string what_is_left() const;
  const FrameworkId& id() const { return options_.info.id; }
  // From now on it uses only what the first release could do.
  void use_only_what_was_released() { plain_ = true; }
  // It has executors of its own.
  void use_executors() { has_executors_ = true; }
  // From now on it does nothing strange any more.
  void calm() { calm_ = true; }
  bool is_revocable() const { return options_.info.has(FrameworkCapability::kRevocableResources); }
  // Takes every offer and answers none, until told otherwise: then it gives all back.
  void hoard(bool wanted);
  Resources held() const;
  void on_tick();

  void on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) override;
  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override;
  void on_rescinded(Scheduler& scheduler, OfferId offer) override;
  void on_update(Scheduler& scheduler, const TaskStatus& status) override;
  void on_operation_update(Scheduler& scheduler, const OperationStatus& status) override;
  void on_framework_updated(Scheduler& scheduler, std::string_view error) override;
  void on_agent_lost(Scheduler& scheduler, const AgentId& agent) override;
  void on_executor_lost(Scheduler& scheduler, const Failure& failure) override;
  void on_executor_message(Scheduler& scheduler, const ExecutorMessage& message) override;
  void on_disconnected(Scheduler& scheduler, std::string_view why) override;
  void on_error(Scheduler& scheduler, std::string_view message) override;

 private:
  struct Job {
    Resources resources;
    bool running = false;  // an attempt is out that may still end well
    bool over = false;
    uint32_t attempts = 0;
  };
  struct Attempt {
    size_t job = 0;
    AgentId agent;
    ExecutorId executor;  // of its own; else empty
    TaskState state = TaskState::kStaging;
    bool abandoned = false;
    bool killed = false;  // asked again as long as it runs: a kill may be lost
    Instant launched{};
    Instant heard{};
    Instant asked{};
    Instant since{};  // in this state
  };

  // Who runs what is launched now: nobody in particular, an executor, or one that gets it together.
  struct Runner {
    std::shared_ptr<const ExecutorInfo> executor;
    bool group = false;
    bool is_own() const;
  };

  size_t pending_jobs() const;
  // Fills `tasks` with jobs that fit; what is used is taken from `left`.
  void pick(const Offer& offer, Resources& left, const Runner& runner,
            std::vector<TaskInfo>& tasks);
  // What the job runs on: sometimes, of each resource, the revocable.
  Resources wanted_of(const Job& job, const Resources& left);
  TaskInfo attempt(size_t job, const Offer& offer, const Resources& resources,
                   const Runner& runner);
  // Reserves, makes or undoes something, mostly validly; `left` becomes what that makes of it.
  std::optional<OfferOperation> convert_some(const Offer& offer, Resources& left);
  OfferOperation change_volume(const Resource& volume, int64_t milli, const Resources& left,
                               const std::string& id);
  Runner runner_within(const Resources& left);
  std::shared_ptr<const ExecutorInfo> pod_within(const Resources& left);
  std::shared_ptr<const ExecutorInfo> executor_within(const Resources& left);
  void launch(Runner runner, std::vector<TaskInfo> tasks, std::vector<OfferOperation>& operations);
  // Speaks to its executors, and ends some.
  void tend_executors();
  void check_reservations(const Offer& offer);
  void check_role(const Offer& offer);
  // Joins a further role, or leaves it.
  void change_roles();
  void answer(const Offer& offer);
  void abandon(Attempt& attempt);
  void conclude(Attempt& attempt, TaskState state);
  void answer_held();
  void suppress(bool wanted);
  void ask_for_news();
  bool sometimes(uint64_t one_in);

  World& world_;
  Fates& fates_;
  const uint32_t number_;
  SchedulerOptions options_;
  Scheduler* scheduler_ = nullptr;
  bool wants_new_scheduler_ = false;
  bool plain_ = false;
  bool has_executors_ = false;
  bool calm_ = false;
  bool suppressed_ = false;
  bool hoards_ = false;
  uint32_t generation_ = 0;
  uint64_t operations_ = 0;
  uint64_t epoch_seen_ = 0;
  Duration patience_;
  Instant offered_{};
  std::vector<Job> jobs_;
  std::map<TaskId, Attempt> attempts_;
  std::set<std::pair<AgentId, ExecutorId>> executors_;  // of its own: where it launched some
  std::vector<Offer> held_;
};

}  // namespace tepui::sim
