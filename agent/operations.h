#pragma once
// AgentOperations applies operations to the agent's resources, in order, and tells the master what
// became of each until it is acknowledged.
//
// Invariant: the total changes, and an operation is confirmed, only after both are durable together
// (effects.checkpoint). One durable step is under way at a time. What the agent cannot apply leaves
// its total as it was; the master has built on it already, so the agent must register again
// (must_register): its own total counts.
//
// Pure. `config` and `effects` outlive it.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/effects.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/rng.h"
#include "common/time.h"

namespace tepui {

class AgentOperations {
 public:
  // Begins with what was durable: config.info.resources and config.operations.
  AgentOperations(const AgentConfig& config, Rng rng, AgentEffects& effects);

  // `in_use`: of tasks, which no operation may touch.
  void on_apply(const ApplyOperations& message, const Resources& in_use);
  void on_acknowledged(const AcknowledgeOperationReports& message);
  void on_checkpointed(Now now, uint64_t serial);
  void on_checkpoint_failed(Now now, uint64_t serial, const Error& error);

  // What has not begun is forgotten with the session that asked for it.
  void on_session_over();
  void on_registered(Now now);  // reports flow
  void on_unregistered();       // reports wait
  void send_due(Now now);
  Instant next_wake() const { return due_.empty() ? kNever : due_.begin()->first.first; }

  const Resources& total() const { return total_; }
  // Operations wait for the disk: what the master says meanwhile must wait for them.
  bool busy() const { return !waiting_.empty() || (step_.has_value() && step_->applies); }
  // Asked once: whether the master believes in something that did not happen.
  bool take_must_register() { return std::exchange(must_register_, false); }
  void describe(std::vector<AgentOperation>& operations) const;
  size_t pending() const { return told_.size(); }
  Result<void> audit() const;

 private:
  struct Told {
    AgentOperation operation;
    uint64_t serial = 0;  // in the order of their ends, which is that of the reports
    Instant due = kNever;
    Duration wait{};
  };
  struct Step {
    uint64_t serial = 0;
    bool applies = false;  // else only forgets what was acknowledged
    Resources total;
    std::vector<AgentOperation> operations;  // that end with this step
    AgentCheckpoint checkpoint;
  };

  void begin_step();
  void apply(Step& step, AgentOperation operation);
  bool has_volume_at(const Resources& resources, const VolumePlace& place) const;
  bool meets_own_trace(const Step& step, const Conversion& conversion) const;
  void finish(Now now, AgentOperation operation, OperationState state, std::string message);
  void set_due(Uuid uuid, Told& told, Instant due);

  const AgentConfig& config_;
  AgentEffects& effects_;
  Rng rng_;
  Resources total_;
  Resources in_use_;
  std::deque<AgentOperation> waiting_;
  std::optional<Step> step_;
  uint64_t last_serial_ = 0;
  bool must_register_ = false;
  bool paused_ = true;
  bool forgets_ = false;  // something was acknowledged since the last step
  std::map<Uuid, Told> told_;
  std::map<std::pair<Instant, uint64_t>, Uuid> due_;  // when, serial
  uint64_t last_told_ = 0;
};

}  // namespace tepui
