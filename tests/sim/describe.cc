#include "tests/sim/describe.h"

#include <fmt/format.h>

#include <variant>

#include "common/executors.h"

namespace tepui::sim {

namespace {

using event::AgentAdded;
using event::AgentBroken;
using event::AgentDegraded;
using event::AgentDisconnected;
using event::AgentRecovered;
using event::AgentRegistered;
using event::AgentRemoved;
using event::AgentUnreachable;
using event::AgentUpdated;
using event::AllocationRan;
using event::ContainerDestroyed;
using event::ContainerExited;
using event::ContainerLaunchFailed;
using event::ContainerLaunching;
using event::ContainerStarted;
using event::Deposed;
using event::Elected;
using event::FrameworkAdded;
using event::FrameworkDisconnected;
using event::FrameworkRecovered;
using event::FrameworkRemoved;
using event::FrameworkUpdated;
using event::MasterLost;
using event::MessageDropped;
using event::MessageReceived;
using event::OfferEnded;
using event::OfferMade;
using event::PeerRejected;
using event::RegistryFailed;
using event::RegistryWritten;
using event::RoleChanged;
using event::TaskAdded;
using event::TaskRemoved;
using event::TaskStatusAcknowledged;
using event::TaskStatusCreated;
using event::TaskUpdated;

std::string line(const Elected& e) { return fmt::format("elected epoch {}", e.epoch); }
std::string line(const Deposed& e) { return fmt::format("deposed: {}", e.why); }
std::string line(const AgentAdded& e) {
  return fmt::format("agent {} ({}) {} with {}", e.info->id.value, e.info->hostname,
                     e.reregistered ? "registered again" : "registered",
                     to_text(e.info->resources));
}
std::string line(const AgentDisconnected& e) {
  return fmt::format("agent {} disconnected", e.id->value);
}
std::string line(const AgentUnreachable& e) {
  return fmt::format("agent {} unreachable: {}", e.id->value, e.why);
}
std::string line(const AgentRemoved& e) {
  return fmt::format("agent {} removed: {}", e.id->value, e.why);
}
std::string line(const AgentUpdated& e) {
  return fmt::format("agent {} has {}", e.info->id.value, to_text(e.info->resources));
}
std::string line(const event::OperationUpdated& e) {
  return fmt::format("operation {} '{}' of {} on {}: {} {}", to_text(e.operation->type),
                     e.operation->id.value, e.framework_id->value, e.agent_id->value,
                     to_text(e.status->state), e.status->message);
}
std::string line(const AgentBroken& e) {
  return fmt::format("agent {} BROKEN: {}", e.id->value, e.why);
}
std::string line(const FrameworkAdded& e) {
  return fmt::format("framework {} ({}) {}", e.info->id.value, e.info->name,
                     e.resubscribed ? "subscribed again" : "subscribed");
}
std::string line(const FrameworkRecovered& e) {
  return fmt::format("framework {} recovered", e.info->id.value);
}
std::string line(const FrameworkUpdated& e) {
  return fmt::format("framework {} updated", e.info->id.value);
}
std::string line(const FrameworkDisconnected& e) {
  return fmt::format("framework {} disconnected", e.id->value);
}
std::string line(const FrameworkRemoved& e) {
  return fmt::format("framework {} removed: {}", e.id->value, e.why);
}
std::string line(const TaskAdded& e) {
  return fmt::format("task {} of {} added on {} as {}{}, {}", e.task->id.value,
                     e.task->framework_id.value, e.task->agent_id.value, to_text(e.task->state),
                     e.recovered ? ", recovered" : "", to_text(e.task->kind->resources));
}
std::string line(const TaskUpdated& e) {
  return fmt::format("task {} on {} is {} by status {} {} {}", e.task->id.value,
                     e.task->agent_id.value, to_text(e.task->state), to_text(e.status->state),
                     to_text(e.status->reason), e.status->message);
}
std::string line(const TaskRemoved& e) {
  return fmt::format("task {} removed as {}", e.task->id.value, to_text(e.task->state));
}
std::string line(const event::ExecutorAdded& e) {
  return fmt::format("executor {} of {} added on {} with {}", e.executor->id.value,
                     e.framework_id->value, e.agent_id->value, to_text(e.executor->resources));
}
std::string line(const event::ExecutorRemoved& e) {
  return fmt::format("executor {} of {} removed from {}", e.executor->id.value,
                     e.framework_id->value, e.agent_id->value);
}
std::string line(const OfferMade& e) {
  return fmt::format("offer {} to {} of {} under {}: {}", to_text(e.id), e.framework_id->value,
                     e.agent_id->value, e.role, to_text(*e.resources));
}
std::string line(const OfferEnded& e) {
  constexpr std::string_view kHow[] = {"accepted", "declined", "rescinded", "timed out",
                                       "discarded"};
  return fmt::format("offer {} {}", to_text(e.id), kHow[static_cast<int>(e.how)]);
}
std::string line(const AllocationRan& e) {
  return fmt::format("round {}: {} agents, {} offers", e.round, e.agents, e.offers);
}
std::string line(const RoleChanged& e) {
  return fmt::format("role {} weighs {}", e.role, e.weight_milli);
}
std::string line(const event::QuotaChanged& e) {
  return fmt::format("role {} has the quota {}", e.role, to_text(*e.quota));
}
std::string line(const event::AgentStanding& e) {
  return fmt::format("agent {} is {}{}", e.id->value, e.deactivated ? "deactivated " : "active ",
                     e.draining);
}
std::string line(const event::AgentPlanned& e) {
  return fmt::format("agent {} {}", e.id->value,
                     e.unavailability == nullptr ? "stays" : "is planned to go");
}
std::string line(const event::MachineChanged& e) {
  return fmt::format("machine {} is {}", e.hostname, e.mode.empty() ? "up" : e.mode);
}
std::string line(const event::InverseOfferAnswered& e) {
  return fmt::format("framework {} {} leave agent {}", e.framework_id->value,
                     e.accepted ? "will" : "will not", e.agent_id->value);
}
std::string line(const RegistryWritten& e) { return fmt::format("registry wrote {}", e.token); }
std::string line(const RegistryFailed& e) { return fmt::format("registry failed: {}", e.error); }
std::string line(const AgentRegistered& e) {
  return fmt::format("is {} at epoch {}{}", e.id->value, e.epoch, e.reregistered ? ", again" : "");
}
std::string line(const AgentRecovered& e) {
  return fmt::format("recovered as {} with {} tasks, {} containers and {} updates{}", e.id->value,
                     e.tasks, e.containers, e.updates, e.rebooted ? ", after a reboot" : "");
}
std::string line(const MasterLost& e) { return fmt::format("lost the master: {}", e.why); }
std::string line(const ContainerLaunching& e) {
  return fmt::format("launches {} for {}", e.id->value, e.task_id->value);
}
std::string line(const ContainerStarted& e) {
  return fmt::format("container {} started", e.id->value);
}
std::string line(const ContainerLaunchFailed& e) {
  return fmt::format("container {} did not start: {}", e.id->value, e.why);
}
std::string line(const ContainerExited& e) {
  return fmt::format("container {} exited: status {} signal {}", e.id->value, e.exit_status,
                     e.signal);
}
std::string line(const ContainerDestroyed& e) {
  return fmt::format("container {} destroyed", e.id->value);
}
std::string line(const TaskStatusCreated& e) {
  return fmt::format("status of {}: {} {} {} {}", e.status->task_id.value, to_text(e.status->state),
                     to_text(e.status->reason), to_text(e.status->uuid).substr(0, 8),
                     e.status->message);
}
std::string line(const TaskStatusAcknowledged& e) {
  return fmt::format("status {} of {} acknowledged", to_text(e.uuid).substr(0, 8),
                     e.task_id->value);
}
std::string line(const AgentDegraded& e) { return fmt::format("degraded: {}", e.why); }
std::string line(const PeerRejected& e) {
  return fmt::format("session {} rejected: {}", e.session.value, e.why);
}
std::string line(const MessageReceived& e) { return fmt::format("received {}", e.name); }
std::string line(const MessageDropped& e) { return fmt::format("dropped {}: {}", e.name, e.why); }

}  // namespace

std::string to_line(const Event& event) {
  return std::visit([](const auto& one) { return line(one); }, event);
}

}  // namespace tepui::sim
