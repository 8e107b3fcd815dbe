#pragma once
// Ledger keeps books of its own about one leading master, from its events alone, and compares after
// every turn: no resource is in two offers or given twice, offers of an agent that went are gone,
// a task has one fate.

#include <map>
#include <set>
#include <string>
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

 private:
  struct AgentBook {
    Resources total;
    Resources offered;
    Resources allocated;
    bool connected = true;
  };
  struct OfferEntry {
    AgentId agent;
    Resources resources;
  };
  using TaskKey = std::pair<FrameworkId, TaskId>;
  struct TaskEntry {
    AgentId agent;
    Resources resources;
    TaskState state = TaskState::kStaging;
    bool held = false;  // its resources count as allocated
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
  void on(const event::OfferMade& e);
  void on(const event::OfferEnded& e);
  template <class Other>
  void on(const Other&) {}

  void forget_agent(const AgentId& id);
  void settle(TaskEntry& task);
  void release(const AgentId& id, const Resources& resources, Resources AgentBook::* part);

  World& world_;
  std::map<AgentId, AgentBook> agents_;
  std::map<OfferId, OfferEntry> offers_;
  std::map<TaskKey, TaskEntry> tasks_;
  std::set<AgentId> touched_;
};

}  // namespace tepui::sim
