#pragma once
// What a Scheduler keeps, for its own two files: scheduler.cc is the conversation with the master,
// scheduler_calls.cc what the author calls. Pure.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "sdk/scheduler.h"

namespace tepui {

struct Scheduler::State {
  enum class Phase : uint8_t {
    kDisconnected,
    kGreeting,     // Hello is out
    kSubscribing,  // Subscribe is out
    kSubscribed,
    kEnded,  // torn down, or the master said that this is over
  };

  State(Scheduler& owner, SchedulerOptions given, uint64_t seed, SchedulerHandler& its_handler,
        SchedulerEffects& its_effects)
      : scheduler(owner),
        options(std::move(given)),
        info(options.info),
        rng(seed),
        handler(its_handler),
        effects(its_effects) {}

  // ---- the conversation
  void on(const HelloReply& reply);
  void on(const Subscribed& subscribed);
  void on(const OfferBatch& batch);
  void on(const Rescind& rescind);
  void on(const Updates& message);
  void on(const OperationUpdates& message);
  void on(const Failure& failure);
  void on(const ErrorMessage& error);
  void on(const Heartbeat&);
  void on(const Goodbye& goodbye);
  void on(const InverseOfferBatch& message);
  void on(const RescindInverseOffers& message);
  void on(const FrameworkUpdated& message);
  void on(const ExecutorMessage& message);

  void greet();
  void subscribe();
  void lose(std::string_view why);
  void lose_and_reconnect(std::string_view why);
  void set_deadline(Instant when);
  bool expect(Phase wanted, std::string_view name);
  Result<void> learn_agents(const OfferBatch& batch);
  Result<std::vector<Offer>> resolve(const OfferBatch& batch) const;

  // ---- calls
  bool call(std::string_view name, SchedulerToMaster message);
  void dropped(std::string_view name, std::string_view why);
  bool keep_has_room(std::string_view name) const;
  void send_kept();
  void send_acknowledgements();
  // Notes it as the last of its task; false if it was that before.
  bool is_news(const TaskStatus& status);

  Scheduler& scheduler;
  const SchedulerOptions options;
  FrameworkInfo info;
  Rng rng;
  SchedulerHandler& handler;
  SchedulerEffects& effects;

  Phase phase = Phase::kDisconnected;
  Now now{};
  uint64_t epoch = 0;  // the highest seen
  Duration subscribe_wait{};
  Duration silence_max{};  // 0: the master promised no heartbeats
  Instant deadline = kNever;

  // What offers of this session refer to. Looked up by number, dropped with the session.
  std::map<uint32_t, std::shared_ptr<const AgentFacts>> agents;

  std::deque<FrameworkInfo> updates;  // not answered yet

  bool delivering_updates = false;
  std::vector<Acknowledge::Item> acknowledgements;

  // The last update of each task that the handler has seen, where acknowledging is not its matter.
  // An agent repeats after 10 s at the earliest, so this must hold what comes meanwhile; of what
  // was forgotten the handler hears twice.
  static constexpr size_t kSeenMax = 16384;
  std::map<TaskId, Uuid> seen;
  std::deque<std::pair<TaskId, Uuid>> seen_order;  // oldest first; also those that were replaced

  // Kept while there is no subscription.
  std::map<TaskId, std::optional<KillPolicy>> kept_kills;
  std::map<TaskId, AgentId> kept_reconciles;
  bool kept_reconcile_all = false;
};

}  // namespace tepui
