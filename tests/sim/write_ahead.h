#pragma once
// WriteAhead knows what an agent has asked to remember and what of it is durable.
//
// Checked: no container is told to end before it is durable why, and no master is told that an
// executor has ended before that is durable. An agent that dies in between would report a task as
// killed by nobody, and would count again what an executor had.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "agent/records.h"
#include "common/executor_messages.h"
#include "common/ids.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class WriteAhead {
 public:
  explicit WriteAhead(World& world) : world_(world) {}

  void on_append(uint64_t serial, const AgentRecord& record);
  void on_durable(uint64_t serial);
  // What was under way is lost, or not: who comes next does not wait for it.
  void on_died() { pending_.clear(); }

  void on_end(const ContainerId& container) const;
  void on_told(const ExecutorExited& exited) const;

 private:
  using OwnExecutor = std::pair<FrameworkId, ExecutorId>;
  // Whose end it explains.
  using Subject = std::variant<ContainerId, OwnExecutor>;

  void note(const record::Task& task);
  bool is_pending(const Subject& subject) const;

  World& world_;
  // By the numbers that the memory gave them.
  std::map<uint64_t, FrameworkId> frameworks_;
  std::map<uint64_t, ContainerId> tasks_;
  std::map<uint64_t, OwnExecutor> executors_;
  std::deque<std::pair<uint64_t, Subject>> pending_;  // by serial
  std::set<ContainerId> explained_;                   // it is durable why they end
};

}  // namespace tepui::sim
