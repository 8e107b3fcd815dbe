// The part of AgentNode between its core and the containers of its machine.

#include <utility>

#include "tests/sim/agent_node.h"

namespace tepui::sim {

using namespace std::chrono_literals;

void AgentNode::die_sometimes() {
  if (!draws(around_.faults.launches.dies_one_in)) return;
  world_.reached("agent.crash_at_step");
  world_.after(world_.up_to(1ms), [this, life = life_] {
    if (life == life_) crash("it dies while it sees to a container");
  });
}

// ------------------------------------------------------------------------------------- outcomes

void AgentNode::on_launched(const ContainerId& id, int64_t pid) {
  launches_.on_launched(id);
  die_sometimes();
  agent_->on_launched(world_.now(), id, pid);
  after_input();
}

void AgentNode::on_container_ended(const ContainerId& id) {
  disks_.on_ended(id);
  around_.fates.on_container_ended(life(), id);
}

void AgentNode::on_launch_failed(const ContainerId& id, const Error& error) {
  on_container_ended(id);
  launches_.on_launch_failed(id, error);
  die_sometimes();
  agent_->on_launch_failed(world_.now(), id, error);
  after_input();
}

void AgentNode::on_absent(const ContainerId& id) {
  on_container_ended(id);
  launches_.on_absent(id);
  die_sometimes();
  agent_->on_absent(world_.now(), id);
  after_input();
}

void AgentNode::on_exit(const ContainerId& id, const ExitRecord& record) {
  on_container_ended(id);
  launches_.on_exit(id);
  die_sometimes();
  agent_->on_exit(world_.now(), id, record);
  after_input();
}

void AgentNode::on_destroyed(const ContainerId& id) {
  die_sometimes();
  agent_->on_destroyed(world_.now(), id);
  after_input();
}

void AgentNode::on_resize_failed(const ContainerId& id, const Error& error) {
  launches_.on_resize_failed(id);
  die_sometimes();
  agent_->on_resize_failed(world_.now(), id, error);
  after_input();
}

// ------------------------------------------------------------------------------------- effects

void AgentNode::launch(const LaunchSpec& spec) {
  if (!spec.confinement.joins.empty()) {
    launches_.on_look(spec);
    host_.launch(spec);
    return die_sometimes();
  }
  disks_.on_launch(spec);
  launches_.on_launch(spec);
  if (is_of_executor(spec)) {
    around_.fates.on_executor_launched(life(), machine(), spec);
  } else {
    around_.fates.on_launched(life(), machine(), spec);
  }
  host_.launch(spec);
  die_sometimes();
}

void AgentNode::adopt(const LaunchSpec& spec) {
  launches_.on_adopt(spec);
  host_.adopt(spec);
}

void AgentNode::cancel_launch(const ContainerId& id) {
  launches_.on_cancel(id);
  host_.cancel_launch(id);
  die_sometimes();
}

void AgentNode::resize(const ContainerId& id, const IsolationPlan& plan) {
  launches_.on_resize(id, plan);
  host_.resize(id);
  die_sometimes();
}

void AgentNode::signal(const ContainerId& id, int signal_number) {
  write_ahead_.on_end(id);
  host_.signal(id, signal_number);
  die_sometimes();
}

void AgentNode::kill(const ContainerId& id) {
  write_ahead_.on_end(id);
  launches_.on_kill(id);
  host_.kill(id);
  die_sometimes();
}

void AgentNode::destroy(const ContainerId& id) {
  host_.destroy(id);
  die_sometimes();
}

// ------------------------------------------------------------------------- what follows for tasks

void AgentNode::on_status(const FrameworkId& framework, const TaskStatus& status) {
  // A word about a task that the agent does not have: said once, and owed to nobody.
  if (status.uuid.is_nil()) return world_.reached("update.about_a_stranger");
  made_for_[status.uuid] = framework;
  const bool is_by_executor = host_.is_executor(status.container_id);
  if (is_by_executor) {
    around_.fates.runners().on_status(framework, status, host_.is_running(status.container_id));
  }
  launches_.on_status(framework, status);
  if (!is_terminal(status.state)) return;
  around_.fates.on_ended(life(), framework, status.task_id);
  around_.fates.groups().on_status(node_, framework, status);
  if (!is_by_executor) host_.check_end(status);
}

}  // namespace tepui::sim
