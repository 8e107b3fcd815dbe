#pragma once
// Ledger keeps books of its own about one leading master, from its events alone, and compares after
// every turn: no resource is in two offers or given twice, offers of an agent that went are gone,
// a task has one fate, and what an executor uses is its own as long as it lives.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/events.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Ledger {
 public:
  explicit Ledger(World& world) : world_(world) {}

  void on_event(const Event& event);
  // At the end of every turn of the master.
  void check();
  // When all is quiet: nothing is offered or allocated any more.
  std::string what_is_not_free() const;
  // The agent said anew what of it is revocable: offers made before must be gone.
  void check_rescinded(const AgentId& id);

 private:
  struct AgentBook {
    Resources total;
    Resources offered;
    Resources allocated;
    bool connected = true;
    bool deactivated = false;
  };
  struct OfferEntry {
    AgentId agent;
    Resources resources;
    std::string role;
  };
  using TaskKey = std::pair<FrameworkId, TaskId>;
  using ExecutorKey = std::pair<FrameworkId, ExecutorId>;
  struct TaskEntry {
    AgentId agent;
    Resources resources;
    TaskState state = TaskState::kStaging;
    bool held = false;  // its resources count as allocated
    std::string role;
  };

  void on(const event::AgentAdded& e);
  void on(const event::AgentDisconnected& e);
  void on(const event::AgentUnreachable& e);
  void on(const event::AgentRemoved& e);
  void on(const event::AgentUpdated& e);
  void on(const event::AgentBroken& e);
  void on(const event::TaskAdded& e);
  void on(const event::TaskUpdated& e);
  void on(const event::TaskRemoved& e);
  void on(const event::ExecutorAdded& e);
  void on(const event::ExecutorRemoved& e);
  void on(const event::OfferMade& e);
  void on(const event::OfferEnded& e);
  void on(const event::OperationUpdated& e);
  void on(const event::QuotaChanged& e);
  void on(const event::AgentStanding& e);
  template <class Other>
  void on(const Other&) {}

  void forget_agent(const AgentId& id);
  // An offer was made to `role`: no limit of it or of a role above is exceeded.
  void check_limits(std::string_view role, const Resources& offered);
  // Offered to the role and those below it, or held by their tasks, and not revocable.
  int64_t used_of(std::string_view role, std::string_view name) const;
  // A task has of each resource only what is revocable, or only what is not.
  void check_unmixed(std::string_view task, const Resources& resources);
  void settle(TaskEntry& task);
  void release(const AgentId& id, const Resources& resources, Resources AgentBook::* part);

  World& world_;
  std::map<AgentId, AgentBook> agents_;
  std::map<OfferId, OfferEntry> offers_;
  std::map<TaskKey, TaskEntry> tasks_;
  std::map<std::pair<AgentId, ExecutorKey>, Resources> executors_;  // what each holds
  std::set<AgentId> touched_;
  std::map<std::string, Quota> quotas_;
};

}  // namespace tepui::sim
