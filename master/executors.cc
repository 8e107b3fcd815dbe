#include "master/executors.h"

#include <utility>
#include <vector>

#include "common/check.h"
#include "master/isolation.h"
#include "master/loans.h"
#include "master/outbox.h"

namespace tepui::master {

namespace {

// The agent of this id, if something can be sent to it now.
AgentEntry* reachable(State& s, const AgentId& id, std::string_view call) {
  AgentEntry* agent = find_agent(s, id);
  if (agent != nullptr && agent->is_connected()) return agent;
  s.emit(event::MessageDropped{.name = call, .why = "the agent is not connected"});
  return nullptr;
}

}  // namespace

ExecutorEntry* find_executor(AgentEntry& agent, const FrameworkEntry& framework,
                             const ExecutorId& id) {
  const auto found = agent.executors.find({framework.handle, id});
  return found == agent.executors.end() ? nullptr : &found->second;
}

bool is_same(const ExecutorInfo& a, const ExecutorInfo& b) {
  if (&a == &b) return true;
  ExecutorInfo other = b;
  other.framework_id = a.framework_id;
  return a == other;
}

ExecutorEntry& add_executor(State& s, FrameworkEntry& framework, AgentEntry& agent,
                            std::shared_ptr<const ExecutorInfo> info, std::string role) {
  const ExecutorId id = info->id;
  framework.executors.emplace(agent.handle, id);
  ExecutorEntry& entry = agent.executors[{framework.handle, id}];
  entry = {.framework = &framework, .info = std::move(info), .role = std::move(role)};
  s.emit(event::ExecutorAdded{.framework_id = &framework.info.id,
                              .agent_id = &agent.info.id,
                              .executor = entry.info.get(),
                              .role = entry.role});
  return entry;
}

void end_executor(State& s, AgentEntry& agent, FrameworkEntry& framework, const ExecutorId& id) {
  const ExecutorEntry* entry = find_executor(agent, framework, id);
  if (entry == nullptr) return;
  const Resources& held = entry->info->resources;
  move_resources(s, agent, Books::Column::kAllocated, Books::Column::kFree, held);
  recover(s, agent, framework.handle, entry->role, held, std::nullopt);
  forget_executor(s, agent, framework, id);
}

void forget_executor(State& s, AgentEntry& agent, FrameworkEntry& framework, const ExecutorId& id) {
  const auto found = agent.executors.find({framework.handle, id});
  if (found == agent.executors.end()) return;
  s.emit(event::ExecutorRemoved{.framework_id = &framework.info.id,
                                .agent_id = &agent.info.id,
                                .executor = found->second.info.get(),
                                .role = found->second.role});
  framework.executors.erase({agent.handle, found->first.second});
  agent.executors.erase(found);
}

void end_executors_of(State& s, AgentEntry& agent) {
  while (!agent.executors.empty()) {
    const auto first = agent.executors.begin();
    const ExecutorId id = first->first.second;
    end_executor(s, agent, *first->second.framework, id);
  }
}

void end_executors_of(State& s, FrameworkEntry& framework) {
  while (!framework.executors.empty()) {
    const auto [handle, id] = *framework.executors.begin();
    const auto* agent = s.agents.find(handle);
    CHECK(agent != nullptr);
    end_executor(s, **agent, framework, id);
  }
}

void on_executor_exited(State& s, AgentEntry& agent, const ExecutorExited& message) {
  FrameworkEntry* framework = find_framework(s, message.framework_id);
  if (framework == nullptr || find_executor(agent, *framework, message.executor_id) == nullptr) {
    s.emit(event::MessageDropped{.name = "executor_exited", .why = "no such executor lived"});
    return;
  }
  end_executor(s, agent, *framework, message.executor_id);
  queue_failure(s, *framework,
                {.agent_id = agent.info.id,
                 .executor_id = message.executor_id,
                 .exit_status = message.exit_status,
                 .signal = message.signal});
}

void on_relay_to_framework(State& s, AgentEntry& agent, const RelayToFramework& message) {
  const FrameworkEntry* framework = find_framework(s, message.framework_id);
  if (framework == nullptr || !framework->is_connected()) {
    s.emit(
        event::MessageDropped{.name = "executor_message", .why = "the framework is not connected"});
    return;
  }
  s.effects.send(
      framework->session,
      MasterToScheduler(ExecutorMessage{
          .agent_id = agent.info.id, .executor_id = message.executor_id, .data = message.data}));
}

void on_message_executor(State& s, FrameworkEntry& framework, const MessageExecutor& message) {
  AgentEntry* agent = reachable(s, message.agent_id, "message_executor");
  if (agent == nullptr) return;
  send_now(s, *agent,
           RelayToExecutor{.framework_id = framework.info.id,
                           .executor_id = message.executor_id,
                           .data = message.data});
}

void on_shutdown_executor(State& s, FrameworkEntry& framework, const ShutdownExecutor& message) {
  AgentEntry* agent = reachable(s, message.agent_id, "shutdown_executor");
  if (agent == nullptr) return;
  send_now(s, *agent,
           StopExecutor{.framework_id = framework.info.id, .executor_id = message.executor_id});
}

}  // namespace tepui::master
