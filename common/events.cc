#include "common/events.h"

#include <fmt/format.h>

#include <type_traits>

#include "common/executors.h"
#include "common/text.h"

namespace tepui {

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string>>;

template <class E, class... Kinds>
constexpr bool kIsOneOf = (std::is_same_v<E, Kinds> || ...);

// Of a kind of event; what is not named happens thousands of times a second.
template <class E>
constexpr Severity severity() {
  if (kIsOneOf<E, event::AgentBroken, event::RegistryFailed>) return Severity::kError;
  if (kIsOneOf<E, event::Deposed, event::AgentDisconnected, event::AgentUnreachable,
               event::MasterLost, event::ContainerLaunchFailed, event::AgentDegraded,
               event::PeerRejected>) {
    return Severity::kWarning;
  }
  if (kIsOneOf<E, event::Elected, event::AgentAdded, event::AgentRemoved, event::FrameworkAdded,
               event::FrameworkRecovered, event::FrameworkUpdated, event::FrameworkDisconnected,
               event::FrameworkRemoved, event::RoleChanged, event::AgentRegistered,
               event::AgentRecovered, event::QuotaChanged, event::AgentStanding,
               event::AgentPlanned, event::MachineChanged, event::InverseOfferAnswered,
               event::OperationUpdated>) {
    return Severity::kInfo;
  }
  return Severity::kDebug;
}

LogRecord line(std::string_view name, Fields fields) {
  return {.name = name, .fields = std::move(fields)};
}

std::string text(std::string_view view) { return std::string(view); }
std::string text(bool yes) { return yes ? "true" : "false"; }
std::string number(auto value) { return fmt::format("{}", value); }

std::string text(event::OfferEnd how) {
  switch (how) {
    case event::OfferEnd::kAccepted:
      return "accepted";
    case event::OfferEnd::kDeclined:
      return "declined";
    case event::OfferEnd::kRescinded:
      return "rescinded";
    case event::OfferEnd::kTimedOut:
      return "timed out";
    case event::OfferEnd::kDiscarded:
      return "discarded";
  }
  return "";
}

Fields task_fields(const Task& task) {
  return {{"task", task.id.value},
          {"framework", task.framework_id.value},
          {"agent", task.agent_id.value},
          {"state", text(to_text(task.state))}};
}

Fields framework_fields(const FrameworkInfo& info) {
  return {{"framework", info.id.value},
          {"name", info.name},
          {"roles", fmt::format("{}", fmt::join(info.roles, ","))}};
}

void add_status(Fields& fields, const TaskStatus& status) {
  fields.emplace_back("source", text(to_text(status.source)));
  if (status.reason != TaskReason::kNone) {
    fields.emplace_back("reason", text(to_text(status.reason)));
  }
  if (status.exit_status) fields.emplace_back("exit_status", number(*status.exit_status));
  if (status.signal) fields.emplace_back("signal", number(*status.signal));
  if (!status.message.empty()) fields.emplace_back("message", status.message);
}

// One overload for each kind of event; a new kind without one does not compile.
LogRecord record(const event::Elected& e) {
  return line("master.elected", {{"epoch", number(e.epoch)}, {"master", text(e.master_id)}});
}
LogRecord record(const event::Deposed& e) { return line("master.deposed", {{"why", text(e.why)}}); }
LogRecord record(const event::AgentAdded& e) {
  return line("agent.added", {{"agent", e.info->id.value},
                              {"hostname", e.info->hostname},
                              {"resources", to_text(e.info->resources)},
                              {"reregistered", text(e.reregistered)}});
}
LogRecord record(const event::AgentUpdated& e) {
  return line("agent.updated",
              {{"agent", e.info->id.value}, {"resources", to_text(e.info->resources)}});
}
LogRecord record(const event::OperationUpdated& e) {
  LogRecord updated = line("operation.updated", {{"type", text(to_text(e.operation->type))},
                                                 {"state", text(to_text(e.status->state))},
                                                 {"resources", to_text(e.operation->resources)}});
  const auto add = [&updated](std::string_view name, const std::string& value) {
    if (!value.empty()) updated.fields.emplace_back(name, value);
  };
  add("operation", e.operation->id.value);
  add("agent", e.agent_id->value);
  add("framework", e.framework_id->value);
  add("message", e.status->message);
  return updated;
}
LogRecord record(const event::AgentDisconnected& e) {
  return line("agent.disconnected", {{"agent", e.id->value}});
}
LogRecord record(const event::AgentUnreachable& e) {
  return line("agent.unreachable", {{"agent", e.id->value}, {"why", text(e.why)}});
}
LogRecord record(const event::AgentRemoved& e) {
  return line("agent.removed", {{"agent", e.id->value}, {"why", text(e.why)}});
}
LogRecord record(const event::AgentBroken& e) {
  return line("agent.broken", {{"agent", e.id->value}, {"why", text(e.why)}});
}
LogRecord record(const event::FrameworkAdded& e) {
  LogRecord added = line("framework.added", framework_fields(*e.info));
  added.fields.emplace_back("resubscribed", text(e.resubscribed));
  return added;
}
LogRecord record(const event::FrameworkRecovered& e) {
  return line("framework.recovered", framework_fields(*e.info));
}
LogRecord record(const event::FrameworkUpdated& e) {
  return line("framework.updated", framework_fields(*e.info));
}
LogRecord record(const event::FrameworkDisconnected& e) {
  return line("framework.disconnected", {{"framework", e.id->value}});
}
LogRecord record(const event::FrameworkRemoved& e) {
  return line("framework.removed", {{"framework", e.id->value}, {"why", text(e.why)}});
}
LogRecord record(const event::TaskAdded& e) {
  LogRecord added = line("task.added", task_fields(*e.task));
  added.fields.emplace_back("resources", to_text(e.task->kind->resources));
  added.fields.emplace_back("recovered", text(e.recovered));
  return added;
}
LogRecord record(const event::TaskUpdated& e) {
  LogRecord updated = line("task.updated", task_fields(*e.task));
  updated.fields.emplace_back("status", text(to_text(e.status->state)));
  add_status(updated.fields, *e.status);
  return updated;
}
LogRecord record(const event::TaskRemoved& e) { return line("task.removed", task_fields(*e.task)); }
LogRecord record(const event::ExecutorAdded& e) {
  return line("executor.added", {{"executor", e.executor->id.value},
                                 {"framework", e.framework_id->value},
                                 {"agent", e.agent_id->value},
                                 {"role", text(e.role)},
                                 {"resources", to_text(e.executor->resources)}});
}
LogRecord record(const event::ExecutorRemoved& e) {
  return line("executor.removed", {{"executor", e.executor->id.value},
                                   {"framework", e.framework_id->value},
                                   {"agent", e.agent_id->value}});
}
LogRecord record(const event::OfferMade& e) {
  return line("offer.made", {{"offer", to_text(e.id)},
                             {"framework", e.framework_id->value},
                             {"agent", e.agent_id->value},
                             {"role", text(e.role)},
                             {"resources", to_text(*e.resources)}});
}
LogRecord record(const event::OfferEnded& e) {
  return line("offer.ended", {{"offer", to_text(e.id)}, {"how", text(e.how)}});
}
LogRecord record(const event::AllocationRan& e) {
  return line(
      "allocation.ran",
      {{"round", number(e.round)}, {"agents", number(e.agents)}, {"offers", number(e.offers)}});
}
LogRecord record(const event::RoleChanged& e) {
  return line("role.changed", {{"role", text(e.role)}, {"weight", milli_to_text(e.weight_milli)}});
}
std::string window(const Unavailability* unavailability) {
  if (unavailability == nullptr) return "none";
  std::string described = to_text(unavailability->start);
  if (unavailability->duration) described += " for " + to_text(*unavailability->duration);
  return described;
}
LogRecord record(const event::QuotaChanged& e) {
  return line("quota.changed", {{"role", text(e.role)}, {"quota", to_text(*e.quota)}});
}
LogRecord record(const event::AgentStanding& e) {
  return line("agent.standing", {{"agent", e.id->value},
                                 {"deactivated", text(e.deactivated)},
                                 {"draining", text(e.draining)}});
}
LogRecord record(const event::AgentPlanned& e) {
  return line("agent.planned", {{"agent", e.id->value}, {"unavailable", window(e.unavailability)}});
}
LogRecord record(const event::MachineChanged& e) {
  return line("machine.changed", {{"host", text(e.hostname)},
                                  {"mode", text(e.mode)},
                                  {"unavailable", window(e.unavailability)},
                                  {"drain", text(e.drain)}});
}
LogRecord record(const event::InverseOfferAnswered& e) {
  return line("inverse_offer.answered", {{"framework", e.framework_id->value},
                                         {"agent", e.agent_id->value},
                                         {"accepted", text(e.accepted)}});
}
LogRecord record(const event::RegistryWritten& e) {
  return line("registry.written",
              {{"token", number(e.token)}, {"bytes", number(e.bytes)}, {"keys", number(e.keys)}});
}
LogRecord record(const event::RegistryFailed& e) {
  return line("registry.failed", {{"error", text(e.error)}});
}
LogRecord record(const event::AgentRegistered& e) {
  return line(
      "agent.registered",
      {{"agent", e.id->value}, {"epoch", number(e.epoch)}, {"reregistered", text(e.reregistered)}});
}
LogRecord record(const event::AgentRecovered& e) {
  return line("agent.recovered", {{"agent", e.id->value},
                                  {"tasks", number(e.tasks)},
                                  {"containers", number(e.containers)},
                                  {"updates", number(e.updates)},
                                  {"rebooted", text(e.rebooted)}});
}
LogRecord record(const event::MasterLost& e) { return line("master.lost", {{"why", text(e.why)}}); }
LogRecord record(const event::ContainerLaunching& e) {
  return line("container.launching", {{"container", e.id->value}, {"task", e.task_id->value}});
}
LogRecord record(const event::ContainerStarted& e) {
  return line("container.started", {{"container", e.id->value}, {"pid", number(e.pid)}});
}
LogRecord record(const event::ContainerLaunchFailed& e) {
  return line("container.launch_failed", {{"container", e.id->value}, {"why", text(e.why)}});
}
LogRecord record(const event::ContainerExited& e) {
  return line("container.exited", {{"container", e.id->value},
                                   {"exit_status", number(e.exit_status)},
                                   {"signal", number(e.signal)}});
}
LogRecord record(const event::ContainerDestroyed& e) {
  return line("container.destroyed", {{"container", e.id->value}});
}
LogRecord record(const event::TaskStatusCreated& e) {
  LogRecord created = line("status.created", {{"task", e.status->task_id.value},
                                              {"framework", e.framework_id->value},
                                              {"state", text(to_text(e.status->state))},
                                              {"uuid", to_text(e.status->uuid)}});
  add_status(created.fields, *e.status);
  return created;
}
LogRecord record(const event::TaskStatusAcknowledged& e) {
  return line("status.acknowledged", {{"task", e.task_id->value},
                                      {"framework", e.framework_id->value},
                                      {"uuid", to_text(e.uuid)}});
}
LogRecord record(const event::AgentDegraded& e) {
  return line("agent.degraded", {{"why", text(e.why)}});
}
LogRecord record(const event::PeerRejected& e) {
  return line("peer.rejected", {{"session", number(e.session.value)}, {"why", text(e.why)}});
}
LogRecord record(const event::MessageReceived& e) {
  return line("message.received", {{"message", text(e.name)}});
}
LogRecord record(const event::MessageDropped& e) {
  return line("message.dropped", {{"message", text(e.name)}, {"why", text(e.why)}});
}

}  // namespace

LogRecord describe(const Event& event) {
  LogRecord described = std::visit([](const auto& e) { return record(e); }, event);
  described.severity = severity_of(event);
  return described;
}

Severity severity_of(const Event& event) {
  return std::visit([](const auto& e) { return severity<std::decay_t<decltype(e)>>(); }, event);
}

}  // namespace tepui
