#pragma once
// Executors on agents, as far as a master minds them: who lives where, what it holds, and the free
// messages between it and its framework.
//
// Invariant: an executor is in the table of its agent, and in the allocated column of the agent's
// books, from the launch of its first task until the agent says that it has exited, or no longer
// names it, or is given up itself. It is charged once, however many tasks share it.
//
// Pure.

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

ExecutorEntry* find_executor(AgentEntry& agent, const FrameworkEntry& framework,
                             const ExecutorId& id);
// Whether both mean the same; that one may leave out its framework makes no difference.
bool is_same(const ExecutorInfo& a, const ExecutorInfo& b);

// Only the table: the caller books the resources.
ExecutorEntry& add_executor(State& s, FrameworkEntry& framework, AgentEntry& agent,
                            std::shared_ptr<const ExecutorInfo> info, std::string role);
// It no longer lives: what it held is free.
void end_executor(State& s, AgentEntry& agent, FrameworkEntry& framework, const ExecutorId& id);
// Out of the table; its books are no longer kept.
void forget_executor(State& s, AgentEntry& agent, FrameworkEntry& framework, const ExecutorId& id);
void end_executors_of(State& s, AgentEntry& agent);
void end_executors_of(State& s, FrameworkEntry& framework);

void on_executor_exited(State& s, AgentEntry& agent, const ExecutorExited& message);
void on_relay_to_framework(State& s, AgentEntry& agent, const RelayToFramework& message);
void on_message_executor(State& s, FrameworkEntry& framework, const MessageExecutor& message);
void on_shutdown_executor(State& s, FrameworkEntry& framework, const ShutdownExecutor& message);

}  // namespace tepui::master
