#pragma once
// Scheduler is the framework author's side of the scheduler conversation as a deterministic state
// machine: Hello, subscribe and re-subscribe, the table of agents that offers refer to, and
// acknowledgements. sdk/driver.h runs it over a socket; the simulation runs it as it is.
//
// An author writes a SchedulerHandler and calls the methods of Scheduler from it, or from any other
// code on the same thread. Calls made while the scheduler is not subscribed are dropped, except
// kill() and reconcile(), which are kept and sent after the next subscription; the answer to
// whatever a lost message leaves open is reconcile(). What suppress() and revive() say is also part
// of every later subscription, so it outlives the session.
//
// Pure, one thread. `handler` and `effects` outlive the scheduler.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/events.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

// An offer with everything in it, as an author wants it.
struct Offer {
  OfferId id;
  std::string role;
  Resources resources;
  // Valid as long as the scheduler lives; the same object for every offer of that agent in a
  // session.
  std::shared_ptr<const AgentFacts> agent;
};

class Scheduler;

class SchedulerHandler {
 public:
  virtual ~SchedulerHandler() = default;
  virtual void on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) = 0;
  // All offers of one batch. Each must be accepted or declined, sooner or later.
  virtual void on_offers(Scheduler& scheduler, std::span<const Offer> offers) = 0;
  virtual void on_rescinded(Scheduler& scheduler, OfferId offer) = 0;
  // Acknowledged by itself when this returns, unless SchedulerOptions::explicit_acknowledgements.
  //
  // At least once: what was not known to be acknowledged comes again. Where updates are
  // acknowledged by themselves, the scheduler acknowledges the repeat of the last one of a task
  // again without asking the handler; it remembers those of the last 16,384 updates, while it
  // lives. A handler that acknowledges sees every repeat, and must acknowledge each. Statuses
  // without uuid (the master's own, answers to reconcile()) always come here.
  virtual void on_update(Scheduler& scheduler, const TaskStatus& status) = 0;
  // What became of an operation that has an id. Acknowledged likewise.
  virtual void on_operation_update(Scheduler&, const OperationStatus&) {}
  // The answer to update(), in order; `error` is empty if it is done.
  virtual void on_framework_updated(Scheduler&, std::string_view /*error*/) {}
  virtual void on_agent_lost(Scheduler& scheduler, const AgentId& agent) = 0;
  // An executor of this framework has ended; of what became of its tasks their statuses tell.
  virtual void on_executor_lost(Scheduler&, const Failure&) {}
  // What an executor had to say. Delivered at most once.
  virtual void on_executor_message(Scheduler&, const ExecutorMessage&) {}
  // The machines of these agents will be out of service: whoever can should leave them by then.
  // Answered with accept_inverse() or decline_inverse(); either is only advice to the operator.
  virtual void on_inverse_offers(Scheduler&, std::span<const InverseOfferBatch::Item>) {}
  virtual void on_inverse_offer_rescinded(Scheduler&, OfferId) {}
  // All offers are void. The scheduler subscribes again by itself.
  virtual void on_disconnected(Scheduler& scheduler, std::string_view why) = 0;
  // The master ended the subscription for good (failed over, torn down, refused).
  virtual void on_error(Scheduler& scheduler, std::string_view message) = 0;
};

class SchedulerEffects : public EventSink {
 public:
  virtual void send(const SchedulerToMaster& message) = 0;  // may be lost
  // Drops the connection and connects again (with back-off).
  virtual void reconnect(std::string_view why) = 0;
  virtual void wake_at(Instant when) = 0;
};

struct SchedulerOptions {
  FrameworkInfo info;
  std::string build;
  bool explicit_acknowledgements = false;
  // Subscribing is repeated after this, doubled up to the second, drawn uniformly.
  Duration subscribe_backoff_min = std::chrono::milliseconds(500);
  Duration subscribe_backoff_max = std::chrono::seconds(15);
};

class Scheduler {
 public:
  Scheduler(SchedulerOptions options, uint64_t seed, SchedulerHandler& handler,
            SchedulerEffects& effects);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // ---- for the framework's author
  // Launches on offers of one agent and role; what is not used is filtered for `refuse`.
  void launch(std::span<const OfferId> offers, std::vector<TaskInfo> tasks,
              std::optional<Duration> refuse = std::nullopt);
  // Any operations, in order, each on what those before it made (sdk/operations.h builds them).
  void accept(std::span<const OfferId> offers, std::vector<OfferOperation> operations,
              std::optional<Duration> refuse = std::nullopt);
  // All of the tasks or none, as nested containers of one executor (or by a custom one).
  void launch_group(std::span<const OfferId> offers, ExecutorInfo executor,
                    std::vector<TaskInfo> tasks, std::optional<Duration> refuse = std::nullopt);
  void decline(std::span<const OfferId> offers, std::optional<Duration> refuse = std::nullopt);
  void accept_inverse(std::span<const OfferId> offers,
                      std::optional<Duration> refuse = std::nullopt);
  void decline_inverse(std::span<const OfferId> offers,
                       std::optional<Duration> refuse = std::nullopt);
  void suppress(std::vector<std::string> roles = {});
  void revive(std::vector<std::string> roles = {});
  // Other roles, suppressed roles, constraints, minimum sets, capabilities, name: all of it as it
  // shall be, best begun from info(). Fails at once where the info is not valid or there is no
  // subscription; the master's word comes in on_framework_updated(). Offers of roles that are left
  // are rescinded. An update that was not answered when the session ended did not happen.
  Result<void> update(FrameworkInfo info);
  void kill(const TaskId& task, std::optional<KillPolicy> policy = std::nullopt);
  void acknowledge(const TaskStatus& status);
  void acknowledge(const OperationStatus& status);
  void reconcile(std::vector<Reconcile::Item> tasks = {});
  // Dropped while not subscribed: ask again in on_subscribed.
  void reconcile_operations(std::vector<ReconcileOperations::Item> operations = {});
  // Delivered at most once; dropped while not subscribed, as is the next.
  void send_message(const AgentId& agent, const ExecutorId& executor, std::string data);
  // Asks an executor to kill its tasks and end; after its grace period it is killed.
  void shutdown_executor(const AgentId& agent, const ExecutorId& executor);
  // Ends the framework and all its tasks.
  void teardown();
  bool subscribed() const;
  const FrameworkInfo& info() const;  // with the id, once subscribed
  uint64_t epoch() const;

  // ---- inputs
  void on_connected(Now now);
  void on_lost(Now now, std::string_view why);
  void on_message(Now now, const MasterToScheduler& message);
  void on_time(Now now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tepui
