// What an agent hears of its machine: containers, executors, probes, and what is durable.

#include "agent/agent.h"
#include "agent/agent_state.h"

namespace tepui {

void Agent::on_launched(Now now, const ContainerId& id, int64_t pid) {
  state_->workload.on_launched(now, id, pid);
}

void Agent::on_launch_failed(Now now, const ContainerId& id, const Error& error) {
  state_->workload.on_launch_failed(now, id, error);
}

void Agent::on_absent(Now now, const ContainerId& id) { state_->workload.on_absent(now, id); }

void Agent::on_exit(Now now, const ContainerId& id, const ExitRecord& record) {
  state_->workload.on_exit(now, id, record);
}

void Agent::on_destroyed(Now now, const ContainerId& id) { state_->workload.on_destroyed(now, id); }

void Agent::on_resize_failed(Now now, const ContainerId& id, const Error& error) {
  state_->workload.on_resize_failed(now, id, error);
}

void Agent::on_appended(Now now, uint64_t serial) {
  state_->recorder.on_appended(serial);
  state_->workload.on_appended(now);
  state_->register_if_wanted();
}

// Nothing more can be promised. What runs goes on, and the next life finds it.
void Agent::on_append_failed(Now /*now*/, const Error& error) {
  State& s = *state_;
  if (s.ending == State::Ending::kDone) return;
  s.ending_why = "the agent cannot remember what it does: " + error.message;
  s.end();
}

void Agent::on_executor_message(Now now, SessionId from, const ExecutorToAgent& message) {
  state_->workload.on_executor_message(now, from, message);
}

void Agent::on_executor_lost(Now /*now*/, SessionId session) {
  state_->workload.on_executor_lost(session);
}

void Agent::on_probed(Now now, uint64_t number, std::optional<int32_t> value) {
  state_->workload.on_probed(now, number, value);
}

void Agent::on_checkpointed(Now now, uint64_t serial) {
  state_->operations.on_checkpointed(now, serial);
  state_->on_operations_moved(now);
}

void Agent::on_checkpoint_failed(Now now, uint64_t serial, const Error& error) {
  state_->operations.on_checkpoint_failed(now, serial, error);
  state_->on_operations_moved(now);
}

}  // namespace tepui
